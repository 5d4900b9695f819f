package flows

// watch says what a flow waits for. It is in the cache line that every packet touches: only packets that come while
// something is awaited look at the flow's clock.
type watch uint8

const (
	watchHandshake watch = 1 << iota // TCP: the SYN/ACK was seen, the ACK was not
	watchLow                         // TCP: an acknowledgement of data that the low endpoint sent
	watchHigh                        // the same of the high endpoint
	watchShut                        // TCP: a closed window is to open again
	watchHello                       // TLS and QUIC: the handshake is under way
	watchAnswer                      // TCP: the first bytes of an answer may only have been tickets
	watchQUIC                        // UDP: the flow is QUIC
	watchSpin                        // UDP: the last spin bit of the server
)

func (w *watch) set(bits watch, on bool) {
	if *w &^= bits; on {
		*w |= bits
	}
}

// watchOf is the bit for data that an endpoint sent.
func watchOf(isLow bool) watch {
	if isLow {
		return watchLow
	}
	return watchHigh
}

// clock keeps the times of one flow. Only flows that two sides spoke in, were looked up, or sent something again have one: a
// flood of single packets costs none.
type clock struct {
	low, high clockSide // by sender

	dns, sinceDNS     int64 // durations; dns is 0 if it was not seen
	hello, handshake  int64 // time of the ClientHello or Initial, 0 = none, and how long the handshake took, 0 = not known
	request, response int64 // times of the first byte of the exchange under way, 0 = none
	ttfb, wait, spent int64 // durations; spent is what answers took
	longest           int64 // of the pauses that may have led to the answer: see weigh
	exchanges         uint32
	answered          uint32 // bytes of the answer that may be tickets
	order             Order
	helloAnswered     bool
	early             bool // the server sealed before the client did: TLS 1.3
}

// clockSide is about what one side sent.
type clockSide struct {
	rtt       RoundTrips // of QUIC those that the spin bit shows, at the server's side
	sampledAt int64      // time of the segment whose acknowledgement is awaited; of QUIC the last edge
	shutAt    int64      // since when this side's window has been closed, 0 = it is open
	shut      int64      // how long it was closed before
	resent    uint64     // payload bytes
	sampleEnd uint32     // sequence number behind that segment
}

func (c *clock) side(isLow bool) *clockSide {
	if isLow {
		return &c.low
	}
	return &c.high
}

// timings are the clocks of a Table's flows, in no order.
type timings struct {
	clocks arena[clock]
	freed  []uint32 // numbers of clocks that no flow has
}

// of is the flow's clock, which is made if it has none.
func (l *timings) of(r *rare) *clock {
	if r.timing == 0 {
		if n := len(l.freed); n > 0 {
			r.timing, l.freed = l.freed[n-1], l.freed[:n-1]
		} else {
			r.timing = l.clocks.add() + 1
		}
	}
	return l.clocks.at(r.timing - 1)
}

// drop gives the flow's clock back.
func (l *timings) drop(r *rare) {
	if r.timing > 0 {
		*l.clocks.at(r.timing - 1) = clock{}
		l.freed = append(l.freed, r.timing)
		r.timing = 0
	}
}

func (l *timings) free() { l.clocks.free() }

// timingOf is what the flow's clock says, as f has its sides.
func (t *Table) timingOf(r *record, rest *rare, f *Flow) *Timing {
	if rest.timing == 0 {
		return nil
	}
	c := t.timings.clocks.at(rest.timing - 1)
	m := &Timing{
		DNS: NoRTT, SinceDNS: NoRTT, TLS: NoRTT, QUIC: NoRTT, QUICAnswer: NoRTT, TTFB: NoRTT, Wait: NoRTT, Transfer: NoRTT, Waiting: NoRTT,
		Order: c.order,
	}
	if c.dns > 0 {
		m.DNS = c.dns
	}
	if c.order != OrderUnknown {
		m.SinceDNS = c.sinceDNS
	}
	tx, rx := c.side(f.Key.Local == r.key.low), c.side(f.Key.Local != r.key.low)
	if f.Key.Proto == UDP {
		c.quicTiming(m)
		m.Spin = tx.rtt
		if rx.rtt.Samples > 0 {
			m.Spin = rx.rtt
		}
		return m
	}
	m.RTT, m.Answer = tx.rtt, rx.rtt
	m.TxRetransmitBytes, m.RxRetransmitBytes = tx.resent, rx.resent
	m.TxShut, m.RxShut = tx.shutUntil(r.last), rx.shutUntil(r.last)
	if c.handshake > 0 {
		m.TLS = c.handshake
	}
	c.exchangeTiming(r, m)
	return m
}

func (s *clockSide) shutUntil(end int64) int64 {
	if s.shutAt > 0 {
		return s.shut + max(end-s.shutAt, 0)
	}
	return s.shut
}
