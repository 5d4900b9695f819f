package flows

// stream accounts for one direction of a TCP connection: how many different bytes were captured, by
// sequence number (RFC 9293 §3.4), and how many segments repeated some. All arithmetic on sequence
// numbers is modulo 2^32.
type stream struct {
	unique     uint64
	lastNew    int64  // when next last grew
	base, next uint32 // first byte seen, and the one after the highest
	acked      uint32 // what the sender last acknowledged of the other direction, if acks
	marks      marks
}

// marks are what is known of a stream, and where its gaps are: together in one word, so that acked fits into the
// cache line of a half.
type marks uint32

const (
	started  marks = 1 << iota // base and next are valid
	baseFar                    // base is more than half the sequence space behind: nothing can come before it
	sawSYN                     // the sender's
	sawFIN                     // the sender's
	acks                       // acked is valid
	tailed                     // next was raised to what the other side acknowledged: nothing up to there was captured
	gapsUnit                   // above: index+1 into the Table's holes, 0 = none

	maxGaps = uint32((1<<32 - 1) / gapsUnit) // streams of a Table with holes at one time
)

func (s *stream) is(m marks) bool { return s.marks&m != 0 }

func (s *stream) gaps() uint32 { return uint32(s.marks / gapsUnit) }

func (s *stream) setGaps(index uint32) { s.marks = s.marks%gapsUnit | marks(index)*gapsUnit }

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
	s.base, s.next = seq, seq
	s.marks |= started
}

// arrival is what a segment brought.
type arrival uint8

const (
	inOrder arrival = iota // or ahead of a hole, or a keep-alive
	late                   // only new bytes, but below others: reordered or sent again
	again                  // bytes seen before
)

// segment accounts for the bytes [from, to), from != to, that arrived at time now.
func (s *stream) segment(from, to uint32, now int64, holes *holeList) arrival {
	if !s.is(started) {
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
		s.marks |= baseFar
	}
}

// below accounts for a segment that begins before the highest byte seen.
func (s *stream) below(from, to uint32, now int64, holes *holeList) arrival {
	length := to - from
	if length == 1 && from == s.next-1 {
		return inOrder // keep-alive or zero-window probe (RFC 1122 §4.2.3.6): nothing new, and no retransmission
	}
	fresh := holes.fill(s, from, to)
	if !s.is(baseFar) && int32(from-s.base) < 0 {
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

// acknowledge notes the acknowledgement number of a segment that the sender of s sent.
func (s *stream) acknowledge(number uint32) {
	s.acked = number
	s.marks |= acks
}

// delivered says whether the other direction, back, had acknowledged all up to end before it was captured: then what
// was captured is a copy of what arrived. Wireshark calls it a spurious retransmission (tcp.analysis.spurious_retransmission).
func (s *stream) delivered(end uint32, back *stream) bool {
	return back.is(acks) && (!s.is(tailed) || s.is(sawFIN)) && int32(back.acked-end) >= 0
}

// resent says whether a segment that filled a hole at time now was sent again, not merely overtaken. rtt is the
// flow's round-trip time, NoRTT if it is not known.
func (s *stream) resent(now, rtt int64) bool { return now-s.lastNew > max(reorderWindow, rtt) }
