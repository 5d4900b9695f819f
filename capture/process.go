package capture

// Process is what a capture says of a process. It never changes once it was given out, and the same process is the same pointer
// where the capture lets that be known.
type Process struct {
	PID  int32
	Name string // the kernel's short name, up to 16 bytes of it in a PKTAP header; "" if not said
	Path string // executable, "" if not said

	// What only some captures say; zero if not said.
	StartTime int64  // nanoseconds since 1970 UTC
	PPID      int32  // parent
	UID       uint32 // meaningful if User is not empty
	User      string // user name, or the number where it has none
	Cmdline   string // arguments, each but the last followed by a NUL
}

// Dialect is in which way a capture says whose a packet is.
type Dialect uint8

// The dialects. Each program but Wireshark reads its own alone.
const (
	DialectApple     Dialect = iota // process blocks of Apple's tcpdump, or PKTAP headers
	DialectWireshark                // Wireshark's custom block of a process, which the packet names by its PID
	DialectPID                      // a PID in the packet's options, and no block about it
	DialectPtcpdump                 // comments of the packet, as ptcpdump writes them
	DialectRustnet                  // as rustnet does
	DialectMatrixNet                // as MatrixNet does
)

// Owner is what a capture itself says of the process at this host's end of a packet. This room passes it on.
type Owner struct {
	// Process has the socket, nil if not said.
	Process *Process
	// Effective is on whose behalf it acts, nil for nobody but itself: a web page is loaded by a service, for a browser.
	Effective *Process
	// Outgoing says that the host sent the packet, so the process is at its source; else it is at its destination.
	Outgoing bool
	// Sideless says that the capture does not tell at which end of the packet the process is: Outgoing means nothing then.
	Sideless bool
	// Header says that the owner stood in the packet's own PKTAP header, not in blocks of the file.
	Header bool
	// Dialect is how it was said.
	Dialect Dialect
}

// For is whom the packet's bytes are to be counted for: the effective process before the one that has the socket.
func (o *Owner) For() *Process {
	if o.Effective != nil {
		return o.Effective
	}
	return o.Process
}
