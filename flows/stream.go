package flows

// stream accounts for one direction of a TCP connection: how many different bytes were captured, by
// sequence number (RFC 9293 §3.4), and how many segments repeated some. All arithmetic on sequence
// numbers is modulo 2^32.
type stream struct {
	unique                 uint64
	base, next             uint32 // first byte seen, and the one after the highest
	holesAt                uint32 // index+1 into the Table's holes, 0 = none
	missing                uint64 // bytes in holes, kept here so that reading a record needs no list
	retransmits            uint32
	lastNew                int64 // when next last grew
	isn                    uint32
	started                bool // base and next are valid
	baseFar                bool // base is more than half the sequence space behind: nothing can come before it
	sawSYN, sawFIN, sawRST bool
}

// hole is a range of stream bytes [from, to) that lies between captured ones.
type hole struct{ from, to uint32 }

const (
	// maxHoles bounds the memory of one direction. Past it the oldest hole counts as never filled:
	// bytes that fill it later are taken for retransmissions.
	maxHoles = 1024
	// reorderWindow is the time within which a late segment that fills a hole was reordered, not sent
	// again; Wireshark's tcp.analysis uses the same 3 ms where it knows no round-trip time.
	reorderWindow = 3_000_000
	farBehind     = 1 << 30
)

// begin sets the first sequence number of the stream.
func (s *stream) begin(seq uint32) {
	s.base, s.next, s.started = seq, seq, true
}

// segment accounts for the bytes [from, to), from != to, that arrived at time now.
func (s *stream) segment(from, to uint32, now int64, holes *holeList, rtt int64) {
	if !s.started {
		s.begin(from)
	}
	length := to - from
	ahead := int32(from - s.next)
	switch {
	case ahead == 0:
		s.unique += uint64(length)
		s.advance(to, now)
	case ahead > 0:
		holes.open(s, hole{s.next, from})
		s.unique += uint64(length)
		s.advance(to, now)
	default:
		s.late(from, to, now, holes, rtt)
	}
}

func (s *stream) advance(to uint32, now int64) {
	s.next, s.lastNew = to, now
	if s.next-s.base > farBehind {
		s.baseFar = true
	}
}

// late accounts for a segment that begins before the highest byte seen.
func (s *stream) late(from, to uint32, now int64, holes *holeList, rtt int64) {
	length := to - from
	if length == 1 && from == s.next-1 {
		return // keep-alive or zero-window probe (RFC 1122 §4.2.3.6): nothing new, and no retransmission
	}
	fresh := holes.fill(s, from, to)
	if !s.baseFar && int32(from-s.base) < 0 {
		end := to
		if int32(to-s.base) > 0 {
			end = s.base
		} else {
			// Bytes wholly before the first ones seen: what lies between may still come.
			holes.openAt(s, hole{to, s.base})
		}
		fresh += end - from
		s.base = from
	}
	if tail := int32(to - s.next); tail > 0 {
		fresh += uint32(tail)
		s.advance(to, now)
	}
	s.unique += uint64(fresh)
	if fresh < length || now-s.lastNew > max(reorderWindow, rtt) {
		s.retransmits++
	}
}

// holeList keeps the holes of all streams of a Table: most streams have none, so they are not part of
// the record. A freed list is used again.
type holeList struct {
	lists [][]hole
	free  []uint32
}

func (l *holeList) of(s *stream) []hole {
	if s.holesAt == 0 {
		return nil
	}
	return l.lists[s.holesAt-1]
}

func (l *holeList) set(s *stream, holes []hole) {
	if len(holes) == 0 {
		if s.holesAt != 0 {
			l.lists[s.holesAt-1] = holes
			l.free = append(l.free, s.holesAt)
			s.holesAt = 0
		}
		return
	}
	if s.holesAt == 0 {
		if n := len(l.free); n > 0 {
			s.holesAt, l.free = l.free[n-1], l.free[:n-1]
		} else {
			l.lists = append(l.lists, nil)
			s.holesAt = uint32(len(l.lists))
		}
	}
	l.lists[s.holesAt-1] = holes
}

// near is the stream's holes without those so far behind that sequence numbers near them are new ones;
// what they miss stays missing.
func (l *holeList) near(s *stream) []hole {
	holes := l.of(s)
	for len(holes) > 0 && s.next-holes[0].from > farBehind {
		holes = append(holes[:0], holes[1:]...)
		l.set(s, holes)
	}
	return holes
}

// spare is an empty slice to begin a list in: the backing array of a freed one if there is any.
func (l *holeList) spare() []hole {
	if n := len(l.free); n > 0 {
		return l.lists[l.free[n-1]-1][:0]
	}
	return nil
}

// open adds a hole above all others.
func (l *holeList) open(s *stream, h hole) {
	holes := l.near(s)
	if holes == nil {
		holes = l.spare()
	}
	if len(holes) == maxHoles {
		holes = append(holes[:0], holes[1:]...)
	}
	s.missing += uint64(h.to - h.from)
	l.set(s, append(holes, h))
}

// openAt adds a hole below all others.
func (l *holeList) openAt(s *stream, h hole) {
	holes := l.of(s)
	if h.from == h.to || len(holes) == maxHoles {
		return
	}
	if holes == nil {
		holes = l.spare()
	}
	holes = append(holes, hole{})
	copy(holes[1:], holes)
	holes[0] = h
	s.missing += uint64(h.to - h.from)
	l.set(s, holes)
}

// fill removes [from, to) from the holes and returns how many bytes of it were missing.
func (l *holeList) fill(s *stream, from, to uint32) (filled uint32) {
	holes := l.near(s)
	if len(holes) == 0 {
		return 0
	}
	kept := holes[:0]
	var split hole // the upper rest of a hole that [from, to) lies inside of
	for _, h := range holes {
		// Distances to next, which is above all of them, order the numbers whatever has wrapped.
		low, high := later(s.next, from, h.from), earlier(to, h.to)
		if int32(high-low) <= 0 {
			kept = append(kept, h)
			continue
		}
		filled += high - low
		left, right := hole{h.from, low}, hole{high, h.to}
		switch {
		case left.from != left.to && right.from != right.to:
			kept, split = append(kept, left), right
		case left.from != left.to:
			kept = append(kept, left)
		case right.from != right.to:
			kept = append(kept, right)
		}
	}
	s.missing -= uint64(filled)
	l.set(s, kept)
	if split.from != split.to {
		l.insert(s, split)
	}
	return filled
}

// insert puts back the upper part of a hole that was split, in order.
func (l *holeList) insert(s *stream, h hole) {
	holes := l.of(s)
	at := len(holes)
	for at > 0 && int32(holes[at-1].from-h.from) > 0 {
		at--
	}
	if len(holes) == maxHoles {
		return
	}
	holes = append(holes, hole{})
	copy(holes[at+1:], holes[at:])
	holes[at] = h
	l.set(s, holes)
}

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
