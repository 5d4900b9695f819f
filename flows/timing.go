package flows

import "cmp"

// Timing is what the packets of a flow tell of where its time went, as seen from where they were captured. All times are
// nanoseconds; NoRTT stands for one that was not seen whole. A value: nobody changes it.
type Timing struct {
	DNS      int64 // query to answer of the look-up that had told the opener the other side's address
	SinceDNS int64 // that answer to the flow's first packet
	Order    Order // among the flows that followed that look-up

	TLS        int64      // ClientHello to the client's first record of application data; its Finished in TLS 1.3
	Resumption Resumption // of TLS over TCP
	EarlyData  bool       // the client sent data ahead of the handshake's end (0-RTT); the server may have refused it
	QUIC       int64      // the client's first Initial to its first datagram with a short header
	QUICAnswer int64      // the client's first Initial to the server's first datagram with a long header

	// An exchange is what the opener sent until the other side answered, and the answer until the opener sent again.
	Exchanges uint32 // that were answered
	TTFB      int64  // first byte of the first request to the first byte of its answer
	Wait      int64  // the same of all exchanges, summed
	Transfer  int64  // first byte to last byte of the answers, summed
	Waiting   int64  // how long a last request, or QUIC's first Initial, stood unanswered when the flow ended, NoRTT if none did

	TxRetransmitBytes, RxRetransmitBytes uint64 // payload of the segments that TxRetransmits and RxRetransmits count
	TxLateBytes, RxLateBytes             uint64 // payload that arrived behind later data: it was overtaken, or lost before the capture and sent again at once
	TxShut, RxShut                       int64  // how long this host, and the other side, had its receive window at zero

	RTT    RoundTrips // data that left this host to its acknowledgement
	Answer RoundTrips // data that arrived to its acknowledgement by this host
	Spin   RoundTrips // QUIC's spin bit, from edge to edge in what the server sent (RFC 9000 §17.4)
}

// RoundTrips are samples of a round trip; Min, Max and Sum are microseconds, 0 without a sample.
type RoundTrips struct {
	Sum      uint64
	Samples  uint32
	Min, Max uint32
}

// Order says whether a flow was the first to follow a look-up: later ones find programs and caches warm.
type Order uint8

// The orders. OrderUnknown is a flow without a look-up in the capture.
const (
	OrderUnknown Order = iota
	OrderFirst
	OrderLater
)

// String is the report's word: "first", "later" or "unknown".
func (o Order) String() string { return [...]string{"unknown", "first", "later"}[o%3] }

// Reverse is t as the other side has it; nil stays nil.
func (t *Timing) Reverse() *Timing {
	if t == nil {
		return nil
	}
	r := *t
	r.TxRetransmitBytes, r.RxRetransmitBytes = t.RxRetransmitBytes, t.TxRetransmitBytes
	r.TxLateBytes, r.RxLateBytes = t.RxLateBytes, t.TxLateBytes
	r.TxShut, r.RxShut = t.RxShut, t.TxShut
	r.RTT, r.Answer = t.Answer, t.RTT
	return &r
}

// Mean is the mean round trip in nanoseconds, NoRTT without a sample.
func (r *RoundTrips) Mean() int64 {
	if r.Samples == 0 {
		return NoRTT
	}
	return int64(r.Sum / uint64(r.Samples) * 1000)
}

func (r *RoundTrips) add(nanos int64) {
	if nanos < 0 {
		return // the clock was set back
	}
	us := uint32(min(nanos/1000, 1<<32-1))
	if r.Samples == 0 || us < r.Min {
		r.Min = us
	}
	r.Max = max(r.Max, us)
	r.Sum += uint64(us)
	r.Samples++
}

// Handshake is how far a TCP handshake came.
type Handshake uint8

// The handshakes. HandshakeUnknown is a flow of which no SYN was captured, or one of UDP.
const (
	HandshakeUnknown    Handshake = iota
	HandshakeDone                 // all three segments, or data behind the first two
	HandshakeUnanswered           // SYNs, and no packet of the other side
	HandshakeRefused              // the other side's reset answered the SYN
	HandshakeHalf                 // SYN and SYN/ACK, and nothing more of the opener
)

// String is the report's word: "unknown", "done", "unanswered", "refused" or "half".
func (h Handshake) String() string {
	return [...]string{"unknown", "done", "unanswered", "refused", "half"}[h%5]
}

// Handshake says how far the flow's came.
func (f *Flow) Handshake() Handshake {
	opener, other := f.TxSawSYN, f.RxSawSYN
	reset, answers, sent := f.RxSawRST, f.RxPackets, f.TxPayload
	if f.Initiator == InitiatorRemote {
		opener, other = other, opener
		reset, answers, sent = f.TxSawRST, f.TxPackets, f.RxPayload
	}
	switch {
	case f.Key.Proto != TCP || f.Initiator == InitiatorUnknown || !opener && !other:
		return HandshakeUnknown
	case other && (f.ACKRTT != NoRTT || sent > 0):
		return HandshakeDone
	case other:
		return HandshakeHalf
	case reset:
		return HandshakeRefused
	case answers == 0:
		return HandshakeUnanswered
	}
	return HandshakeUnknown // its SYN/ACK was not captured
}

// Compare orders timings by every figure; nil comes first. The order means nothing but that it is one.
func (t *Timing) Compare(o *Timing) int {
	switch {
	case t == o:
		return 0
	case t == nil:
		return -1
	case o == nil:
		return 1
	}
	return cmp.Or(
		cmp.Compare(t.DNS, o.DNS), cmp.Compare(t.SinceDNS, o.SinceDNS), cmp.Compare(t.Order, o.Order),
		cmp.Compare(t.TLS, o.TLS), cmp.Compare(t.QUIC, o.QUIC), cmp.Compare(t.QUICAnswer, o.QUICAnswer),
		cmp.Compare(t.Exchanges, o.Exchanges), cmp.Compare(t.TTFB, o.TTFB), cmp.Compare(t.Wait, o.Wait),
		cmp.Compare(t.Transfer, o.Transfer), cmp.Compare(t.Waiting, o.Waiting),
		cmp.Compare(t.TxRetransmitBytes, o.TxRetransmitBytes), cmp.Compare(t.RxRetransmitBytes, o.RxRetransmitBytes),
		cmp.Compare(t.TxLateBytes, o.TxLateBytes), cmp.Compare(t.RxLateBytes, o.RxLateBytes),
		cmp.Compare(t.TxShut, o.TxShut), cmp.Compare(t.RxShut, o.RxShut),
		cmp.Compare(t.Resumption, o.Resumption), compareFlags(t.EarlyData, o.EarlyData),
		t.RTT.compare(o.RTT), t.Answer.compare(o.Answer), t.Spin.compare(o.Spin),
	)
}

func compareFlags(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (r RoundTrips) compare(o RoundTrips) int {
	return cmp.Or(cmp.Compare(r.Sum, o.Sum), cmp.Compare(r.Samples, o.Samples), cmp.Compare(r.Min, o.Min), cmp.Compare(r.Max, o.Max))
}
