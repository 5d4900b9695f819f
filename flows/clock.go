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
	watchAnswer                      // TCP: the first bytes of an answer may only have been tickets; QUIC: the first exchange is under way
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

// clock keeps the times of one flow. Only flows that two sides spoke in, or that sent something again have one: a
// flood of single packets costs none.
type clock struct {
	low, high clockSide // by sender

	request, response int64 // times of the first byte of the exchange under way, 0 = none; of a handshake while that is
	wait, spent       int64 // durations; spent is what answers took, of QUIC how long the server's first datagram took

	handshake, ttfb micros // handshake is 0 while it is under way
	longest         micros // of the pauses that may have led to the answer: see weigh
	exchanges       uint32
	answered        uint16 // bytes of the answer that may be tickets
	helloSeen       bool   // request, and for QUIC response, are about the handshake until it is done
	helloAnswered   bool
	early           bool // the server says something before it answers: in TLS 1.3, where it sealed before the client did, and in HTTP/2
	resumption      Resumption
	zeroRTT         bool // the client sealed before the server had said anything
}

// micros is a duration in microseconds, up to 71 minutes: three quarters of a clock are durations.
type micros uint32

// microsOf rounds down, but no duration to 0, which stands for none.
func microsOf(nanos int64) micros { return micros(min(max(nanos/1000, 1), 1<<32-1)) }

// nanos is m, NoRTT if there is none.
func (m micros) nanos() int64 {
	if m == 0 {
		return NoRTT
	}
	return int64(m) * 1000
}

// clockSide is about what one side sent.
type clockSide struct {
	rtt       RoundTrips // of QUIC those that the spin bit shows, at the server's side
	sampledAt int64      // time of the segment whose acknowledgement is awaited; of QUIC the last edge
	shutAt    int64      // since when this side's window has been closed, 0 = it is open; of QUIC see exchangeQUIC
	shut      int64      // how long it was closed before
	resent    uint64     // payload bytes
	late      uint32     // payload bytes that others had overtaken
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

// touch loads what a packet of one side will need of the flow's clock.
func (l *timings) touch(r *rare, isLow bool) uint64 {
	if r.timing == 0 {
		return 0
	}
	c := l.clocks.at(r.timing - 1)
	return uint64(c.request) + uint64(c.side(isLow).sampledAt)
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

// timingOf writes what the flow's clock and its look-up say to m, as f has its sides, and returns m; nil if there is neither.
func (t *Table) timingOf(id uint32, r *record, f *Flow, m *Timing) *Timing {
	var none clock
	c, number, found := &none, t.rares.at(id).timing, t.names.known(id)
	switch {
	case number > 0:
		c = t.timings.clocks.at(number - 1)
	case found.sinceDNS == 0:
		return nil
	}
	*m = Timing{
		DNS: found.dns.nanos(), SinceDNS: found.sinceDNS.nanos(), Order: found.order,
		EarlyData: c.zeroRTT,
		TLS:       NoRTT, QUIC: NoRTT, QUICAnswer: NoRTT, TTFB: NoRTT, Wait: NoRTT, Transfer: NoRTT, Waiting: NoRTT,
	}
	tx, rx := c.side(f.Key.Local == r.key.low), c.side(f.Key.Local != r.key.low)
	if f.Key.Proto == UDP {
		c.quicTiming(r, m)
		m.Spin = tx.rtt
		if rx.rtt.Samples > 0 {
			m.Spin = rx.rtt
		}
		return m
	}
	m.RTT, m.Answer = tx.rtt, rx.rtt
	m.TxRetransmitBytes, m.RxRetransmitBytes = tx.resent, rx.resent
	m.TxLateBytes, m.RxLateBytes = uint64(tx.late), uint64(rx.late)
	m.TxShut, m.RxShut = tx.shutUntil(r.last), rx.shutUntil(r.last)
	m.TLS = c.handshake.nanos()
	m.Resumption = c.resumption
	c.exchangeTiming(r, m)
	return m
}

func (s *clockSide) shutUntil(end int64) int64 {
	if s.shutAt > 0 {
		return s.shut + max(end-s.shutAt, 0)
	}
	return s.shut
}
