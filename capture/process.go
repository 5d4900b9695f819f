package capture

// Process is what a capture says of a process. It never changes once it was given out, and the same process is the same pointer
// where the capture lets that be known.
type Process struct {
	PID  int32
	Name string // the kernel's short name, up to 16 bytes of it in a PKTAP header; "" if not said
	Path string // executable, "" if not said
}

// Owner is what a capture itself says of the process at this host's end of a packet. This room passes it on.
type Owner struct {
	// Process has the socket, nil if not said.
	Process *Process
	// Effective is on whose behalf it acts, nil for nobody but itself: a web page is loaded by a service, for a browser.
	Effective *Process
	// Outgoing says that the host sent the packet, so the process is at its source; else it is at its destination.
	Outgoing bool
	// Header says that the owner stood in the packet's own PKTAP header, not in blocks of the file.
	Header bool
}

// For is whom the packet's bytes are to be counted for: the effective process before the one that has the socket.
func (o *Owner) For() *Process {
	if o.Effective != nil {
		return o.Effective
	}
	return o.Process
}
