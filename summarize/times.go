package summarize

import (
	"slices"

	"apptap/flows"
)

// Times are where the time of a destination's flows went, as far as packets tell: docs/scripting.md has the definitions.
// Distributions are over flows, in microseconds.
type Times struct {
	DNS     Distribution // only of flows that were the first to follow their look-up
	SYNRTT  Distribution
	Connect Distribution // the same with what lost SYNs cost
	ACKRTT  Distribution
	TLS     Distribution
	QUIC    Distribution
	// QUICAnswer is the part of QUIC until the server's first datagram: one round trip, also where a Retry makes the handshake two.
	QUICAnswer Distribution
	// TLSFull and TLSResumed are the part of TLS of which it is known whether a session was resumed.
	TLSFull, TLSResumed Distribution
	TTFB                Distribution
	Transfer            Distribution
	RTT                 Distribution // each flow's mean of data to acknowledgement, or of the spin bit
	RTTMin              Distribution // each flow's least

	// First and Later are from the start of a flow, or of the look-up that it was first to follow, to the first byte of an
	// answer: cold and warm connections. Those that resumed a TLS session are warm.
	First, Later Distribution

	TimeCounts
}

// TimeCounts are the part of Times that is counted or summed.
type TimeCounts struct {
	TxPayload, RxPayload                 uint64 // of the flows below, for shares
	TxRetransmitBytes, RxRetransmitBytes uint64
	TxRetransmits, RxRetransmits         uint64 // segments
	TxLateBytes, RxLateBytes             uint64
	TxShut, RxShut                       uint64 // microseconds with the receive window closed, summed
	Exchanges                            uint64
	Wait, Transferred                    uint64 // microseconds: all exchanges of all flows

	Flows      int // that had anything to tell
	Done       int // TCP handshakes, by how far they came
	Unanswered int
	Refused    int
	Half       int
	Full       int // handshakes of TLS, by whether they resumed a session
	Resumed    int
	EarlyData  int // flows with 0-RTT data of TLS or QUIC
	TxResets   int // flows that this host, and the other side, reset
	RxResets   int
	Waiting    int // flows that ended with a request unanswered

	Failed Failed
}

// timeSum is what the times of one destination add up to.
type timeSum struct {
	table    *timeTable // where durations are logged; nil: nowhere
	number   uint32     // in table
	counts   TimeCounts
	attempts attempts
	samples  []sample         // while there are few
	sketches *[spreads]sketch // from then on
}

// Indexes of sketches, in the order of Times.
const (
	spreadDNS = iota
	spreadSYN
	spreadConnect
	spreadACK
	spreadTLS
	spreadQUIC
	spreadTTFB
	spreadTransfer
	spreadRTT
	spreadRTTMin
	spreadFirst
	spreadLater
	spreadTLSFull
	spreadTLSResumed
	spreadQUICAnswer
	spreads
)

// add takes a duration in nanoseconds; a negative one is none.
func (s *timeSum) add(spread int, nanos int64) {
	if nanos < 0 {
		return
	}
	one := sampleOf(spread, uint64(nanos/1000))
	if s.table == nil {
		s.put(one)
		return
	}
	s.table.note(s.number, one)
}

// take adds many.
func (s *timeSum) take(many []sample) {
	if s.sketches == nil && len(s.samples)+len(many) <= maxSamples {
		s.samples = append(s.samples, many...)
		return
	}
	for bins := s.inBins(); len(many) > 0; many = many[1:] {
		bins[many[0].spread()].add(many[0].micros())
	}
}

func (s *timeSum) put(one sample) {
	if s.sketches == nil && len(s.samples) < maxSamples {
		s.samples = append(s.samples, one)
		return
	}
	s.inBins()[one.spread()].add(one.micros())
}

// inBins are the sketches, to which the samples go.
func (s *timeSum) inBins() *[spreads]sketch {
	if s.sketches == nil {
		s.sketches = new([spreads]sketch)
		for _, one := range s.samples {
			s.sketches[one.spread()].add(one.micros())
		}
		s.samples = nil
	}
	return s.sketches
}

func (s *timeSum) connect(f *flows.Flow) {
	t := &s.counts
	t.Flows++
	t.TxPayload += f.TxPayload
	t.RxPayload += f.RxPayload
	t.TxRetransmits += f.TxRetransmits
	t.RxRetransmits += f.RxRetransmits
	s.add(spreadSYN, f.SYNRTT)
	s.add(spreadACK, f.ACKRTT)
	s.add(spreadConnect, f.Connect)
	switch f.Handshake() {
	case flows.HandshakeDone:
		t.Done++
	case flows.HandshakeUnanswered:
		t.Unanswered++
	case flows.HandshakeRefused:
		t.Refused++
	case flows.HandshakeHalf:
		t.Half++
	}
	if f.TxSawRST {
		t.TxResets++
	}
	if f.RxSawRST {
		t.RxResets++
	}
}

func (s *timeSum) exchange(f *flows.Flow, m *flows.Timing) {
	t := &s.counts
	if m.Order == flows.OrderFirst {
		s.add(spreadDNS, m.DNS)
	}
	s.secure(m)
	s.add(spreadQUIC, m.QUIC)
	s.add(spreadQUICAnswer, m.QUICAnswer)
	s.add(spreadTTFB, m.TTFB)
	s.add(spreadTransfer, m.Transfer)
	for _, r := range []*flows.RoundTrips{&m.RTT, &m.Spin} {
		if r.Samples > 0 {
			s.add(spreadRTT, r.Mean())
			s.add(spreadRTTMin, int64(r.Min)*1000)
		}
	}
	t.TxRetransmitBytes += m.TxRetransmitBytes
	t.RxRetransmitBytes += m.RxRetransmitBytes
	t.TxLateBytes += m.TxLateBytes
	t.RxLateBytes += m.RxLateBytes
	t.TxShut += uint64(m.TxShut / 1000)
	t.RxShut += uint64(m.RxShut / 1000)
	t.Exchanges += uint64(m.Exchanges)
	if m.Exchanges > 0 {
		t.Wait += uint64(m.Wait / 1000)
		t.Transferred += uint64(m.Transfer / 1000)
	}
	if m.Waiting != flows.NoRTT {
		t.Waiting++
	}
	s.firstByte(f, m)
}

// firstByte adds the steps up to the first byte of an answer. What programs did between them is not the network's.
func (s *timeSum) firstByte(f *flows.Flow, m *flows.Timing) {
	if m.TTFB == flows.NoRTT || f.SYNRTT == flows.NoRTT && m.QUIC == flows.NoRTT {
		return
	}
	sum := max(f.Connect, 0) + max(m.TLS, 0) + max(m.QUIC, 0) + m.TTFB
	switch {
	case m.Order == flows.OrderLater, m.Resumption == flows.ResumptionResumed:
		s.add(spreadLater, sum)
	case m.Order == flows.OrderFirst:
		s.add(spreadFirst, sum+max(m.DNS, 0))
	}
}

// secure adds what the handshake of TLS took, and whether it was a short one.
func (s *timeSum) secure(m *flows.Timing) {
	s.add(spreadTLS, m.TLS)
	switch m.Resumption {
	case flows.ResumptionFull:
		s.counts.Full++
		s.add(spreadTLSFull, m.TLS)
	case flows.ResumptionResumed:
		s.counts.Resumed++
		s.add(spreadTLSResumed, m.TLS)
	}
	if m.EarlyData {
		s.counts.EarlyData++
	}
}

// merge adds what o adds up to; what its table has logged is not in it.
func (s *timeSum) merge(o *timeSum) {
	s.counts.merge(&o.counts)
	s.attempts.merge(&o.attempts)
	s.take(o.samples)
	if o.sketches == nil {
		return
	}
	for i, to := 0, s.inBins(); i < spreads; i++ {
		to[i].merge(&o.sketches[i])
	}
}

func (t *TimeCounts) merge(o *TimeCounts) {
	t.TxPayload, t.RxPayload = t.TxPayload+o.TxPayload, t.RxPayload+o.RxPayload
	t.TxRetransmitBytes, t.RxRetransmitBytes = t.TxRetransmitBytes+o.TxRetransmitBytes, t.RxRetransmitBytes+o.RxRetransmitBytes
	t.TxRetransmits, t.RxRetransmits = t.TxRetransmits+o.TxRetransmits, t.RxRetransmits+o.RxRetransmits
	t.TxLateBytes, t.RxLateBytes = t.TxLateBytes+o.TxLateBytes, t.RxLateBytes+o.RxLateBytes
	t.TxShut, t.RxShut = t.TxShut+o.TxShut, t.RxShut+o.RxShut
	t.Exchanges, t.Wait, t.Transferred = t.Exchanges+o.Exchanges, t.Wait+o.Wait, t.Transferred+o.Transferred
	t.Flows += o.Flows
	t.Done, t.Unanswered, t.Refused, t.Half = t.Done+o.Done, t.Unanswered+o.Unanswered, t.Refused+o.Refused, t.Half+o.Half
	t.Full, t.Resumed, t.EarlyData = t.Full+o.Full, t.Resumed+o.Resumed, t.EarlyData+o.EarlyData
	t.TxResets, t.RxResets, t.Waiting = t.TxResets+o.TxResets, t.RxResets+o.RxResets, t.Waiting+o.Waiting
	t.Failed.merge(&o.Failed)
}

// result is nil where nothing is known.
func (s *timeSum) result() *Times {
	if s == nil {
		return nil
	}
	t := &Times{TimeCounts: s.counts}
	t.Failed.Retries, t.Failed.RetryBytes = s.attempts.retries()
	to := [spreads]*Distribution{
		&t.DNS, &t.SYNRTT, &t.Connect, &t.ACKRTT, &t.TLS, &t.QUIC, &t.TTFB, &t.Transfer, &t.RTT, &t.RTTMin, &t.First, &t.Later,
		&t.TLSFull, &t.TLSResumed, &t.QUICAnswer,
	}
	few := distributionsOf(slices.Clone(s.samples)) // a Summary only reads what it is made of
	for i := range to {
		if *to[i] = few[i]; s.sketches != nil {
			*to[i] = s.sketches[i].distribution()
		}
	}
	return t
}
