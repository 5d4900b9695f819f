package flows

// sampleEvery is how many packets of a side go by between round trips that are measured within its data, beside those that
// begin a turn. Each costs two cache lines.
const sampleEvery = 16

// watched takes a segment of a flow that waits for something, or whose sender closed its window.
func (t *Table) watched(id uint32, r *record, from *half, o *Observation) {
	rest := t.rares.at(id)
	if r.watch&watchHandshake != 0 && o.Flags&ACK != 0 && o.fromLow == r.initiatorIsLow() {
		rest.rtt.ack = o.Time
		r.watch &^= watchHandshake
	}
	if r.watch == 0 && o.signs&signShut == 0 || r.watch == watchHandshake {
		return
	}
	if rest.timing == 0 && (r.low.packets == 0 || r.high.packets == 0) {
		return
	}
	c := t.timings.of(rest)
	if awaited := watchOf(!o.fromLow); r.watch&awaited != 0 && o.Flags&ACK != 0 {
		s := c.side(!o.fromLow)
		switch ahead := int32(o.Ack - s.sampleEnd); {
		case ahead == 0:
			s.rtt.add(o.Time - s.sampledAt)
			fallthrough
		case ahead > 0: // together with later data, which it may have been held back for
			r.watch &^= awaited
		}
	}
	if r.watch&watchShut != 0 || o.signs&signShut != 0 {
		c.window(r, o)
	}
	if o.Payload == 0 {
		return
	}
	if r.watch&watchHello != 0 {
		c.greet(r, o)
	}
	if r.watch&watchAnswer != 0 && o.fromLow != r.initiatorIsLow() {
		c.weigh(r, from.stream.lastNew, o)
	}
}

// window notes when a side's receive window closes and opens.
func (c *clock) window(r *record, o *Observation) {
	s := c.side(o.fromLow)
	switch shut := o.signs&signShut != 0; {
	case shut && s.shutAt == 0:
		s.shutAt = o.Time
	case !shut && s.shutAt > 0:
		s.shut, s.shutAt = s.shut+max(o.Time-s.shutAt, 0), 0
	}
	r.watch.set(watchShut, c.low.shutAt > 0 || c.high.shutAt > 0)
}

// sample begins to time the acknowledgement of a segment of new data, one at a time. It counts if it is for just that
// segment: of data that is acknowledged together only the last was not delayed on purpose (RFC 9293 §3.8.6.3).
func (t *Table) sample(id uint32, r *record, o *Observation) {
	bit := watchOf(o.fromLow)
	if r.watch&bit != 0 || r.low.packets == 0 || r.high.packets == 0 {
		return
	}
	rest := t.rares.at(id)
	if from, _ := r.sender(o.fromLow); rest.timing == 0 && !r.initiatorKnown() && from.packets < 4*sampleEvery {
		return // short, and joined midway: not worth a clock
	}
	s := t.timings.of(rest).side(o.fromLow)
	s.sampleEnd, s.sampledAt = o.streamStart()+o.Payload, o.Time
	r.watch |= bit
}

// resent notes a segment that was sent again. An acknowledgement does not say of which copy it is (Karn and Partridge 1987).
func (t *Table) resent(id uint32, r *record, o *Observation) {
	r.watch &^= watchOf(o.fromLow)
	if o.Payload > 0 {
		t.timings.of(t.rares.at(id)).side(o.fromLow).resent += uint64(o.Payload)
	}
}

// overtaken notes a segment of new data that came behind later data.
func (t *Table) overtaken(id uint32, o *Observation) {
	s := t.timings.of(t.rares.at(id)).side(o.fromLow)
	s.late += min(o.Payload, 1<<32-1-s.late)
}
