package bpf

// Interfaces is how many interfaces of a socket are told apart.
const Interfaces = 2

// Datagrams are the counters of one socket since Open, in bytes of payload and in datagrams; of a TCP socket Each, Others, Odd
// and Arrived, with the packets of its handshake and without those that came or went when the full socket was gone. What was sent and had arrived is
// what the programs at the cgroup saw: packets on their way to the interface, and those that the socket was given, before it had
// room for them or not.
type Datagrams struct {
	Each   [Interfaces]InterfaceBytes // the first that it used; Index 0 = none
	Others InterfaceBytes             // all others together; their Index is not known
	// Odd says that there were packets that could not be counted, or peers before the one that Remote names.
	Odd            bool
	Group          uint64 // bytes of multicast and broadcast that arrived; they are in none of the interfaces' bytes
	Arrived, Taken uint64 // datagrams that arrived, Group among them, and that programs received
	Sent, Received uint64 // bytes by the return values of system calls, of all programs
	Dropped        uint64 // datagrams that had arrived and for which the receive buffer had no room (Linux 6.10)
	DroppedBytes   uint64
}

// InterfaceBytes is what a socket sent and was sent through one interface.
type InterfaceBytes struct {
	Index  uint32 // in the socket's network namespace
	Tx, Rx uint64 // payload, sent again included; Rx without multicast and broadcast
	// Packets as the host has them, several segments of a super-frame as one and fragments together; IP is their bytes from the
	// IP header on.
	TxPackets, RxPackets, TxIP, RxIP uint64
}

// interfaceBytes is the size of struct interface of record.h.
const interfaceBytes = 6 * 8

func decodeInterface(b []byte) InterfaceBytes {
	return InterfaceBytes{Tx: u64(b), Rx: u64(b[8:]), TxPackets: u64(b[16:]), RxPackets: u64(b[24:]), TxIP: u64(b[32:]), RxIP: u64(b[40:])}
}

// decodeDatagrams reads struct datagrams of record.h.
func decodeDatagrams(b []byte) *Datagrams {
	d := &Datagrams{}
	for i := range d.Each {
		d.Each[i] = decodeInterface(b[interfaceBytes*i:])
	}
	b = b[interfaceBytes*Interfaces:]
	d.Others = decodeInterface(b)
	b = b[interfaceBytes:]
	for i := range d.Each {
		d.Each[i].Index = u32(b[4*i:])
	}
	b = b[4*Interfaces:]
	d.Odd = u32(b) != 0
	b = b[8:]
	for i, into := range []*uint64{&d.Group, &d.Arrived, &d.Taken, &d.Sent, &d.Received, &d.Dropped, &d.DroppedBytes} {
		*into = u64(b[8*i:])
	}
	return d
}
