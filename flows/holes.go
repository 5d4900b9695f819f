package flows

// holeList keeps the holes of all streams of a Table: most streams have none, so they are no part of the
// record. Freed lists are used again.
type holeList struct {
	gaps []gaps
	free []uint32 // indexes+1 of gaps that no stream uses
}

// gaps is what is missing of one stream.
type gaps struct {
	missing uint64 // bytes, those of holes that are no longer followed included
	holes   []hole // in order, the lowest first
}

// missing is how many bytes between the first and the last seen were never seen.
func (l *holeList) missing(s *stream) uint64 {
	if s.gapsAt == 0 {
		return 0
	}
	return l.gaps[s.gapsAt-1].missing
}

// of is the stream's gaps, made if it has none.
func (l *holeList) of(s *stream) *gaps {
	if s.gapsAt == 0 {
		if n := len(l.free); n > 0 {
			s.gapsAt, l.free = l.free[n-1], l.free[:n-1]
		} else {
			l.gaps = append(l.gaps, gaps{})
			s.gapsAt = uint32(len(l.gaps))
		}
	}
	return &l.gaps[s.gapsAt-1]
}

// release gives the stream's gaps back if nothing is missing any more.
func (l *holeList) release(s *stream) {
	if g := &l.gaps[s.gapsAt-1]; g.missing == 0 {
		g.holes = g.holes[:0]
		l.free = append(l.free, s.gapsAt)
		s.gapsAt = 0
	}
}

// drop forgets all that is missing of a stream.
func (l *holeList) drop(s *stream) {
	if s.gapsAt > 0 {
		l.gaps[s.gapsAt-1].missing = 0
		l.release(s)
	}
}

// above adds a hole over all others.
func (l *holeList) above(s *stream, h hole) {
	g := l.of(s)
	g.forget(s.next)
	if len(g.holes) == maxHoles {
		g.holes = append(g.holes[:0], g.holes[1:]...)
	}
	g.missing += uint64(h.to - h.from)
	g.holes = append(g.holes, h)
}

// below adds a hole under all others.
func (l *holeList) below(s *stream, h hole) {
	if h.from == h.to {
		return
	}
	g := l.of(s)
	g.missing += uint64(h.to - h.from)
	g.insert(h)
}

// fill removes [from, to) from the holes and returns how many bytes of it were missing.
func (l *holeList) fill(s *stream, from, to uint32) (filled uint32) {
	if s.gapsAt == 0 {
		return 0
	}
	g := &l.gaps[s.gapsAt-1]
	g.forget(s.next)
	filled = g.fill(s.next, from, to)
	g.missing -= uint64(filled)
	l.release(s)
	return filled
}

// forget drops holes so far behind that sequence numbers near them are new ones; what they miss stays
// missing.
func (g *gaps) forget(next uint32) {
	old := 0
	for old < len(g.holes) && next-g.holes[old].from > farBehind {
		old++
	}
	g.holes = append(g.holes[:0], g.holes[old:]...)
}

func (g *gaps) fill(next, from, to uint32) (filled uint32) {
	kept := g.holes[:0]
	var upper hole // the rest of a hole that [from, to) lies inside of: there is one at most
	for _, h := range g.holes {
		low, high := later(next, from, h.from), earlier(to, h.to)
		if int32(high-low) <= 0 {
			kept = append(kept, h)
			continue
		}
		filled += high - low
		left, right := hole{h.from, low}, hole{high, h.to}
		switch {
		case !left.empty() && !right.empty():
			kept, upper = append(kept, left), right
		case !left.empty():
			kept = append(kept, left)
		case !right.empty():
			kept = append(kept, right)
		}
	}
	g.holes = kept
	if !upper.empty() {
		g.insert(upper)
	}
	return filled
}

// insert puts a hole in its place. Where there is no room for one more it is no longer followed.
func (g *gaps) insert(h hole) {
	if len(g.holes) == maxHoles {
		return
	}
	at := len(g.holes)
	for at > 0 && int32(g.holes[at-1].from-h.from) > 0 {
		at--
	}
	g.holes = append(g.holes, hole{})
	copy(g.holes[at+1:], g.holes[at:])
	g.holes[at] = h
}

func (h hole) empty() bool { return h.from == h.to }

// later is the higher of two sequence numbers, both at or below next.
func later(next, a, b uint32) uint32 {
	if next-a < next-b {
		return a
	}
	return b
}

// earlier is the lower of two sequence numbers within half the sequence space of each other.
func earlier(a, b uint32) uint32 {
	if int32(a-b) < 0 {
		return a
	}
	return b
}
