package flows

// tails notes what the end of a connection shows to have passed without being captured. A FIN stands behind the last byte
// of its sender, and acknowledges what it has got of the other side (RFC 9293 §3.4): bytes up to there that were not
// captured are a hole, as bytes between captured ones are. Only FINs are looked at, so that no other packet pays for it.
func (t *Table) tails(s, to *stream, end uint32, o *Observation) {
	t.missedUpTo(s, end)
	if o.Flags&ACK == 0 || !to.started {
		return
	}
	acked := o.Ack
	if to.sawFIN || acked-to.next == 1 { // a FIN takes a number; one that was not captured is likelier than one byte
		acked--
	}
	t.missedUpTo(to, acked)
}

// missedUpTo makes a hole of what lies between the highest byte seen and end.
func (t *Table) missedUpTo(s *stream, end uint32) {
	if ahead := int32(end - s.next); !s.started || ahead <= 0 || ahead > farBehind {
		return
	}
	t.holes.above(s, hole{s.next, end})
	s.next = end
	if s.next-s.base > farBehind {
		s.baseFar = true
	}
}
