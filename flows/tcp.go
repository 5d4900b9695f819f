package flows

// tcp follows the connection's state and its stream.
func (t *Table) tcp(id uint32, r *record, from, to *half, o *Observation) {
	s := &from.stream
	seq, again := o.Seq, false
	if o.Flags&SYN != 0 {
		seq++ // the SYN takes a sequence number (RFC 9293 §3.4)
		again = t.syn(r, t.rares.at(id), s, o, seq)
	} else if r.watch != 0 || o.signs&signShut != 0 && t.timed {
		t.watched(id, r, from, o)
	}
	if o.Payload > 0 {
		if t.timed && r.state&spoke(o) == 0 && t.turn(id, r, from, to, o) {
			r.state = r.state&^(spokeLow|spokeHigh) | spoke(o)
		}
		if o.Payload <= controlBytes && t.timed && o.Time-from.stream.lastNew > answerPause {
			t.paused(id, r, from.stream.lastNew, o)
		}
		again = t.stream(id, r, s, seq, o) || again
		if from.packets%sampleEvery == 0 && t.timed && !again {
			t.sample(id, r, o)
		}
	} else if !s.started {
		s.begin(seq)
	}
	if o.Flags&ACK != 0 {
		*r.acks(o.fromLow) = o.Ack
	}
	if o.Flags&(FIN|RST) != 0 {
		if o.Flags&FIN != 0 {
			t.tails(s, &to.stream, seq+o.Payload, o)
		}
		again = t.closing(id, r, s, to, o) || again
	}
	if again { // once for a segment, whatever of it was sent again
		t.rares.at(id).sender(o.fromLow).retransmits++
		if t.timed {
			t.resent(id, r, o)
		}
	}
}

// stream accounts for the payload of a segment whose first byte has the number seq; true says that it was sent again.
func (t *Table) stream(id uint32, r *record, s *stream, seq uint32, o *Observation) (resent bool) {
	end := seq + o.Payload
	switch s.segment(seq, end, o.Time, &t.holes) {
	case probe:
		return false
	case again:
		return true
	case late:
		rtt, _ := t.rares.at(id).rtt.halves()
		if s.resent(o.Time, rtt) || r.delivered(end, o) {
			return true
		}
		if t.timed {
			t.overtaken(id, o)
		}
		return false
	}
	return r.delivered(end, o)
}

// closing notes FIN and RST; true says that the FIN was sent again.
func (t *Table) closing(id uint32, r *record, s *stream, to *half, o *Observation) (resent bool) {
	if o.Flags&FIN != 0 {
		resent = s.sawFIN && o.Payload == 0
		s.sawFIN = true
	}
	if o.Flags&RST != 0 {
		t.rares.at(id).resets |= sideOf(o.fromLow)
		r.finish(EndRST)
	}
	if r.end() != EndRST && s.sawFIN && to.stream.sawFIN {
		r.finish(EndFIN)
	}
	return resent
}

// syn notes who opened the connection, when, and where the stream begins; true says that the SYN was sent again.
func (t *Table) syn(r *record, rest *rare, s *stream, o *Observation, first uint32) (resent bool) {
	from := rest.sender(o.fromLow)
	resent = s.sawSYN && from.isn == o.Seq
	if !s.started || s.unique == 0 {
		// A listener that forgot its half-open connection answers the next SYN with another number.
		s.begin(first)
	}
	s.sawSYN, from.isn = true, o.Seq
	rtt := &rest.rtt
	if o.Flags&ACK != 0 {
		if !r.initiatorKnown() {
			r.opened(!o.fromLow)
		}
		if rtt.synAck == 0 {
			rtt.synAck = o.Time
			r.watch.set(watchHandshake, rtt.ack == 0)
		}
		return resent
	}
	if !r.initiatorKnown() {
		r.opened(o.fromLow)
	}
	if rtt.ack == 0 && o.fromLow == r.initiatorIsLow() {
		*rtt = handshake{syn: o.Time} // of several SYNs the one whose answer was taken
		r.watch.set(watchHandshake, false)
	}
	return resent
}
