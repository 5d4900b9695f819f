package flows

// Initiator is the side that opened a flow.
type Initiator uint8

// Who opened a flow: the sender of its SYN; for UDP the side that spoke first.
const (
	InitiatorUnknown Initiator = iota
	InitiatorLocal
	InitiatorRemote
)

// String is the report's word: "local", "remote" or "unknown".
func (i Initiator) String() string {
	switch i {
	case InitiatorLocal:
		return "local"
	case InitiatorRemote:
		return "remote"
	}
	return "unknown"
}

// End is how a flow ended, as far as the capture shows.
type End uint8

// The ends of a flow: open at the end of the capture, closed by FIN from both sides, reset, or followed by
// a new flow on the same 5-tuple after a long silence.
const (
	EndOpen End = iota
	EndFIN
	EndRST
	EndIdle
)

// String is the report's word: "open", "fin", "rst" or "idle".
func (e End) String() string { return [...]string{"open", "fin", "rst", "idle"}[e&3] }

// Locality says which side of a flow this host is.
type Locality uint8

// Localities. Where it is LocalBoth or LocalNeither, Key.Local is the side that opened the flow, or if that
// is not known the side that spoke first.
const (
	LocalNeither Locality = iota // transit, or a capture from elsewhere
	LocalOne                     // exactly one side is this host's address: Key.Local
	LocalBoth                    // loopback, or two addresses of this host
)

// NoRTT stands for a round trip that was not seen whole.
const NoRTT = -1

// Flow is one bidirectional flow: one life of a 5-tuple. Flows are plain values; the
// Table hands out copies.
type Flow struct {
	Key       Key
	Interface int // index into the run's interfaces: where its first packet was captured
	Locality  Locality
	Initiator Initiator
	End       End

	First, Last int64 // time of the first and last packet, nanoseconds since 1970 UTC

	Counts
	TxIPBytes, RxIPBytes         uint64 // IP total length, IP header included
	TxStream, RxStream           uint64 // unique TCP stream bytes, by sequence number; 0 for UDP
	TxRetransmits, RxRetransmits uint64 // TCP segments sent again: carrying bytes that were seen, or were acknowledged, before
	SYNRTT, ACKRTT               int64  // nanoseconds: SYN to SYN/ACK, SYN/ACK to the ACK that ends the handshake; NoRTT if not both seen
	Connect                      int64  // nanoseconds: the first SYN to the SYN/ACK, so that lost ones are in it; NoRTT if not both seen

	// What the audit needs to explain a difference with the kernel's counters.
	TxSawSYN, RxSawSYN           bool // the stream's first byte is known for this direction
	TxSawFIN, RxSawFIN           bool
	TxSawRST, RxSawRST           bool
	TxUnreachable, RxUnreachable bool   // an ICMP error said that what this side sent did not arrive; anyone can make one up
	TxGap, RxGap                 uint64 // stream bytes between the first captured one and the last that data or a FIN tells of, never captured
	Snapped                      bool   // a frame was cut before its transport header ended

	Names  Names
	Timing *Timing // nil where no packet told anything; copies of the Flow share it, but see Clone
	Pieces []Piece // in order of time, where its 5-tuple changed hands: see Table.HandOver. They sum to Counts. Nobody changes it
}

// Clone is a copy of f that nothing else shares: of a Flow that is valid until the next only this outlives it.
func (f *Flow) Clone() Flow {
	c := *f
	if f.Timing != nil {
		c.Timing = new(Timing)
		*c.Timing = *f.Timing
	}
	return c
}
