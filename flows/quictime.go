package flows

// quic takes a datagram of a flow that is QUIC, or the Initial that shows that it is.
func (t *Table) quic(id uint32, r *record, o *Observation) {
	client := o.fromLow == r.initiatorIsLow()
	if r.watch&watchQUIC == 0 {
		if client {
			c := t.timings.of(t.rares.at(id))
			c.request, c.zeroRTT = o.Time, o.signs&signEarly != 0
			r.watch |= watchQUIC | watchHello
		}
		return
	}
	if !client && o.signs&signShort != 0 && r.watch&watchHello == 0 && (o.signs&signSpin != 0) != (r.watch&watchSpin != 0) {
		r.watch ^= watchSpin
		s := t.timings.of(t.rares.at(id)).side(o.fromLow)
		if s.sampledAt > 0 {
			s.rtt.add(o.Time - s.sampledAt)
		}
		s.sampledAt = o.Time
	}
	if r.watch&(watchHello|watchAnswer) == 0 {
		return
	}
	c := t.timings.of(t.rares.at(id))
	if r.watch&watchHello != 0 {
		c.greetQUIC(r, o, client)
	}
	if r.watch&watchAnswer != 0 && o.signs&signShort != 0 && o.Payload > controlBytes {
		c.exchangeQUIC(r, o, client)
	}
}

// greetQUIC follows the handshake to the client's first short header, be it by itself or behind its Finished. What begins then is its first exchange, unless it had
// asked in 0-RTT data.
func (c *clock) greetQUIC(r *record, o *Observation, client bool) {
	switch {
	case client && o.signs&signEarly != 0:
		c.zeroRTT = true
	case !client && o.signs&signLong != 0 && !c.helloAnswered:
		c.helloAnswered, c.spent = true, max(o.Time-c.request, 0)
	case client && o.signs&(signShort|signTail) != 0 && c.helloAnswered:
		c.handshake = microsOf(o.Time - c.request)
		c.request = 0
		if o.signs&signTailAsks != 0 { // behind its Finished, in the same datagram
			c.request = o.Time
		}
		r.watch &^= watchHello
		r.watch.set(watchAnswer, !c.zeroRTT)
	}
}

// exchangeQUIC finds the first request and where its answer begins, from the lengths and times of datagrams, as ask and weigh do in
// TLS 1.3: all else is encrypted. A datagram of up to controlBytes acknowledges, or says that its sender is there.
func (c *clock) exchangeQUIC(r *record, o *Observation, client bool) {
	rtt := microsOf(c.spent)
	if client {
		c.askQUIC(r, o, rtt)
		return
	}
	last := &c.side(o.fromLow).shutAt // of QUIC, when the server last said more
	switch {
	case c.request == 0:
		return
	case c.response == 0:
		waited := microsOf(o.Time - c.request)
		if waited < rtt-rtt/4 {
			return // it was on its way when the request was sent
		}
		c.settleQUIC(o.Time)
		c.longest, c.exchanges = waited-min(rtt, waited), 1
	case c.answered > ticketBytes:
		r.watch &^= watchAnswer
		return
	default:
		if pause := microsOf(o.Time - *last); pause > c.longest {
			c.longest = pause
			c.settleQUIC(o.Time)
		}
	}
	*last = o.Time
	c.answered = uint16(min(uint32(c.answered)+o.Payload, 1<<16-1))
}

// askQUIC takes what the client sends. Nobody knows whether its first datagram asks for something or only says how it will
// ask; if all that came back for that came within a round trip, the next one is taken for the request.
func (c *clock) askQUIC(r *record, o *Observation, rtt micros) {
	switch {
	case c.request == 0:
	case c.response == 0, o.Payload > ticketBytes: // more of the request, or a probe of the path's MTU
		return
	case c.longest > rtt/2:
		r.watch &^= watchAnswer
		return
	}
	c.request, c.response = o.Time, 0
	c.answered, c.exchanges, c.ttfb = 0, 0, 0
}

// settleQUIC takes at for the beginning of the answer, unless a later datagram says otherwise.
func (c *clock) settleQUIC(at int64) {
	c.response = at
	c.wait = max(at-c.request, 0)
	c.ttfb = microsOf(c.wait)
}

func (c *clock) quicTiming(r *record, m *Timing) {
	m.QUIC = c.handshake.nanos()
	switch {
	case c.helloAnswered:
		m.QUICAnswer = c.spent
	case r.watch&watchQUIC != 0 && (r.low.packets == 0 || r.high.packets == 0):
		m.Waiting = max(r.last-c.request, 0)
	}
	if m.Exchanges = c.exchanges; c.exchanges > 0 {
		m.TTFB, m.Wait = c.ttfb.nanos(), c.wait
	}
}
