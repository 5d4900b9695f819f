package flows

// stream accounts for one direction of a TCP connection: how many different bytes were captured, by
// sequence number (RFC 9293 §3.4), and how many segments repeated some. All arithmetic on sequence
// numbers is modulo 2^32.
type stream struct {
	unique     uint64
	lastNew    int64  // when next last grew
	base, next uint32 // first byte seen, and the one after the highest
	gapsAt     uint32 // index+1 into the Table's holes, 0 = none
	started    bool   // base and next are valid
	baseFar    bool   // base is more than half the sequence space behind: nothing can come before it

	sawSYN, sawFIN bool
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

// arrival is what a segment brought.
type arrival uint8

const (
	inOrder arrival = iota // or ahead of a hole
	probe                  // a keep-alive, or what asks whether a window is open again: nothing new, and nothing sent again
	late                   // only new bytes, but below others: reordered or sent again
	again                  // bytes seen before
)

// segment accounts for the bytes [from, to), from != to, that arrived at time now.
func (s *stream) segment(from, to uint32, now int64, holes *holeList) arrival {
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
		holes.above(s, hole{s.next, from})
		s.unique += uint64(length)
		s.advance(to, now)
	default:
		return s.below(from, to, now, holes)
	}
	return inOrder
}

func (s *stream) advance(to uint32, now int64) {
	s.next, s.lastNew = to, now
	if s.next-s.base > farBehind {
		s.baseFar = true
	}
}

// below accounts for a segment that begins before the highest byte seen.
func (s *stream) below(from, to uint32, now int64, holes *holeList) arrival {
	length := to - from
	if length == 1 && from == s.next-1 { // RFC 1122 §4.2.3.6
		if from == s.base-1 && !s.sawSYN {
			s.base, s.unique = from, s.unique+1 // the byte before the first, which was captured nowhere else
		}
		return probe
	}
	fresh := holes.fill(s, from, to)
	if !s.baseFar && int32(from-s.base) < 0 {
		end := to
		if int32(to-s.base) > 0 {
			end = s.base
		} else {
			// Bytes wholly before the first ones seen: what lies between may still come.
			holes.below(s, hole{to, s.base})
		}
		fresh += end - from
		s.base = from
	}
	if tail := int32(to - s.next); tail > 0 {
		fresh += uint32(tail)
		s.advance(to, now)
	}
	s.unique += uint64(fresh)
	if fresh < length {
		return again
	}
	return late
}

// resent says whether a segment that filled a hole at time now was sent again, not merely overtaken. rtt is the
// flow's round-trip time, NoRTT if it is not known.
func (s *stream) resent(now, rtt int64) bool { return now-s.lastNew > max(reorderWindow, rtt) }
