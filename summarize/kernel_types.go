package summarize

import (
	"apptap/flows"
	"apptap/pidmap"
)

// SocketCounters are the kernel's own counters of one socket at one moment. Bytes are payload.
// Source on Linux: struct tcp_info (include/uapi/linux/tcp.h), or at a socket's end struct tcp_sock itself, read by a
// kernel event before a close with SO_LINGER 0 wipes it. On macOS: struct nstat_counts (bsd/net/ntstat.h).
type SocketCounters struct {
	Key    flows.Key // local -> remote as the socket has it
	Cookie uint64    // the kernel's identity of the socket; two lives of a 5-tuple differ in it
	Time   int64     // when the counters were read, nanoseconds since 1970 UTC
	Moment Moment
	// Accepted says that the remote side opened the connection.
	Accepted bool
	Since    int64 // when the socket was made, 0 = not known
	// Sequence is the order in which the kernel told of closed sockets: those read in one go share a Time. 0 = not known.
	Sequence uint64

	BytesSent     uint64 // payload sent, retransmissions included (tcpi_bytes_sent)
	BytesRetrans  uint64 // payload retransmitted (tcpi_bytes_retrans)
	BytesReceived uint64 // in-order payload received, plus 1 for the peer's FIN if the socket took it in (tcpi_bytes_received)
	BytesAcked    uint64 // payload acknowledged by the peer, plus 1 each for SYN and FIN (tcpi_bytes_acked)
	// Payload says that BytesReceived is payload of whatever order, with what arrived again, BytesDuplicate, in it: macOS counts so.
	Payload        bool
	BytesDuplicate uint64
	// Interface is the one that the socket used last, by name; "" = not known.
	Interface string
	// FINKnown says that BytesReceived is without the peer's FIN, whether the socket took it in (PeerFIN) or not.
	FINKnown, PeerFIN bool
	// Foreign says that the socket is in another network namespace than apptap: it is no end of a flow of this host's own.
	Foreign bool
	// Packets are what a kernel event counted of the socket's packets, nil where nobody did.
	Packets *pidmap.Datagrams
	// Incomplete says that the kernel's answer was too short for all of the above (before Linux 4.19).
	Incomplete bool
	// Lost says that the socket is gone and its last counters never came: the kernel had no room to tell them.
	Lost bool
}

// Moment is when in a capture a counter was read.
type Moment uint8

// The moments: before the first packet, when the kernel destroyed the socket, after the last packet.
const (
	AtStart Moment = iota
	AtClose
	AtEnd
	// AtCount is the end of a capture too, of which Packets alone are known.
	AtCount
)

// InterfaceCounters are the kernel's counters of one interface, in frames and frame bytes.
type InterfaceCounters struct {
	RxPackets, RxBytes, TxPackets, TxBytes uint64
	RxDropped, TxDropped                   uint64
	// QueueDropped are packets that the queue in front of the interface (traffic control) dropped, QueuePackets and QueueBytes those that wait in
	// it: whoever sent them has, the interface has not. 0 where that is not known.
	QueueDropped, QueuePackets, QueueBytes uint64
}

// Sub returns c - o field by field; counters only grow.
func (c InterfaceCounters) Sub(o InterfaceCounters) InterfaceCounters {
	return InterfaceCounters{
		c.RxPackets - o.RxPackets, c.RxBytes - o.RxBytes, c.TxPackets - o.TxPackets, c.TxBytes - o.TxBytes,
		c.RxDropped - o.RxDropped, c.TxDropped - o.TxDropped,
		c.QueueDropped - min(c.QueueDropped, o.QueueDropped), c.QueuePackets, c.QueueBytes, // what waits is no sum
	}
}

// uncounted says that the driver leaves out bytes where it counts packets, as some of Apple's do: no mismatch.
func (c InterfaceCounters) uncounted() bool {
	return c.RxPackets > 0 && c.RxBytes == 0 || c.TxPackets > 0 && c.TxBytes == 0
}

// InterfaceReadings are the counters of one interface around a capture. Two readings at each edge
// bound what passed while the capture was being opened or closed.
type InterfaceReadings struct {
	BeforeOpen, AfterOpen, BeforeClose, AfterClose InterfaceCounters
	// Limited says that the capture ended at a packet, the last that was asked for: BeforeClose is AfterOpen then.
	Limited bool
	// Unavailable says why there are no readings, "" if there are.
	Unavailable string
}
