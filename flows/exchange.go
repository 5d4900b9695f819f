package flows

const (
	// ticketBytes is how much of an answer in TLS 1.3 may be session tickets and settings, which a server sends before it has
	// thought about the request: OpenSSL sends two tickets of 255 bytes, Google one of 921.
	ticketBytes = 1200
	// controlBytes is the length up to which a segment of TLS or HTTP/2 is no request: what HTTP/2 says of its own (settings, windows,
	// pings), and TLS's farewell.
	controlBytes = 40
	// answerPause ends an answer in which the client has spoken without a request: pings are answered long after it.
	answerPause = 1_000_000_000
)

// turn takes the first segment with payload that a side sends after the other had spoken, or first of all; false says that it
// only says again what was said before.
func (t *Table) turn(id uint32, r *record, from, to *half, o *Observation) bool {
	if !to.stream.sawSYN || !r.initiatorKnown() {
		return true // joined midway: nobody knows what is a request
	}
	if from.stream.started && int32(o.Seq-from.stream.next) < 0 && o.Flags&SYN == 0 {
		return false
	}
	t.sample(id, r, o)
	if r.watch&watchHello != 0 {
		return true
	}
	c := t.timings.of(t.rares.at(id))
	if o.fromLow == r.initiatorIsLow() {
		c.ask(r, to.stream.lastNew, o)
	} else {
		c.answer(r, from.stream.lastNew, o)
	}
	return true
}

// ask takes the start of what the opener sends; the other side last sent at the time answered.
func (c *clock) ask(r *record, answered int64, o *Observation) {
	switch {
	case (c.helloSeen || c.early) && o.Payload <= controlBytes:
		return
	case !c.helloSeen && o.signs&signHandshake != 0:
		if c.response > 0 { // of what was said before STARTTLS
			c.spent += max(answered-c.response, 0)
		}
		c.helloSeen, c.request, c.response = true, o.Time, 0
		c.zeroRTT = o.signs&signSealed != 0
		r.watch |= watchHello
		return
	case c.response > 0:
		c.spent += max(answered-c.response, 0)
		c.response, c.request = 0, o.Time
	case c.request == 0:
		c.request = o.Time
		c.early = c.early || o.signs&signPreface != 0
	}
	r.watch &^= watchAnswer
}

// answer takes the start of what the other side sends, which it last did at the time last.
func (c *clock) answer(r *record, last int64, o *Observation) {
	if c.response > 0 && o.Time-last > answerPause {
		c.spent += max(last-c.response, 0)
		c.response, c.request = 0, 0
	}
	if c.request == 0 || c.response > 0 {
		return
	}
	c.response = o.Time
	waited := max(o.Time-c.request, 0)
	c.wait += waited
	c.exchanges++
	if c.exchanges > 1 {
		return
	}
	c.ttfb = microsOf(waited)
	if c.early && o.Payload <= ticketBytes {
		rtt := min(micros(c.side(r.initiatorIsLow()).rtt.Min), c.ttfb)
		c.longest, c.answered = c.ttfb-rtt, uint16(o.Payload)
		r.watch |= watchAnswer
	}
}

// paused takes a short segment that its sender sends long after his last, at the time last. In TLS and HTTP/2 it belongs to no answer:
// the server says that it is still there, or farewell.
func (t *Table) paused(id uint32, r *record, last int64, o *Observation) {
	rest := t.rares.at(id)
	if rest.timing == 0 || o.fromLow == r.initiatorIsLow() || r.watch&watchHello != 0 {
		return
	}
	if c := t.timings.of(rest); (c.helloSeen || c.early) && c.response > 0 && c.response < o.Time {
		c.spent += max(last-c.response, 0)
		c.response, c.request = 0, 0
	}
}

// weigh finds where the answer to the first request begins in TLS 1.3, and in HTTP/2 without TLS: tickets and settings come a round trip after the request, which
// is not counted for their pause, so of the pauses before its first ticketBytes the longest led to the answer.
func (c *clock) weigh(r *record, last int64, o *Observation) {
	if c.answered > ticketBytes {
		r.watch &^= watchAnswer
		return
	}
	c.answered = uint16(min(uint32(c.answered)+o.Payload, 1<<16-1))
	if pause := microsOf(o.Time - last); pause > c.longest {
		c.longest, c.response = pause, o.Time
		c.wait = max(o.Time-c.request, 0)
		c.ttfb = microsOf(c.wait)
	}
}

// greet follows a TLS handshake to the client's first application data, and then to its request.
func (c *clock) greet(r *record, o *Observation) {
	switch client := o.fromLow == r.initiatorIsLow(); {
	case !client:
		c.helloAnswered = true
		c.resumption = max(c.resumption, resumptionOf(o.signs))
		c.early = c.early || o.signs&signSealed != 0 && c.handshake == 0
		return
	case c.handshake > 0:
	case !c.helloAnswered:
		c.zeroRTT = c.zeroRTT || o.signs&signSealed != 0
		return
	case o.signs&signSealed == 0:
		return
	default:
		if c.handshake = microsOf(o.Time - c.request); c.early && o.signs&signSealedOn == 0 {
			return // only its Finished
		}
	}
	c.request = o.Time
	r.watch &^= watchHello
}

// exchangeTiming sets what the exchanges of a TCP flow tell.
func (c *clock) exchangeTiming(r *record, m *Timing) {
	m.Exchanges = c.exchanges
	if c.request > 0 && c.response == 0 && r.watch&watchHello == 0 {
		m.Waiting = max(r.last-c.request, 0)
	}
	if c.exchanges == 0 {
		return
	}
	m.TTFB, m.Wait, m.Transfer = c.ttfb.nanos(), c.wait, c.spent
	if c.response > 0 {
		server, _ := r.sender(!r.initiatorIsLow())
		m.Transfer += max(server.stream.lastNew-c.response, 0)
	}
}

func resumptionOf(s signs) Resumption {
	switch {
	case s&signResumed != 0:
		return ResumptionResumed
	case s&signFull != 0:
		return ResumptionFull
	}
	return ResumptionUnknown
}
