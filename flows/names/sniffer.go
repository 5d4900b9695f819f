package names

// Sniffer reads the names out of one flow's first bytes, in both directions. It is kept only while it may still learn
// something, and used again after Reset. It holds at most some 40 KiB a direction, mostly none. The zero value is
// ready. Not safe for concurrent use.
type Sniffer struct {
	seen  Seen
	used  bool // seen is begun
	sides [2]direction
	web   *http2Names
	quic  quicNames
	dtls  dtlsNames
}

// Reset makes s ready for another flow and keeps its memory.
func (s *Sniffer) Reset() {
	for i := range s.sides {
		s.sides[i].reset()
	}
	s.quic.reset()
	s.dtls.reset()
	s.seen, s.used, s.web = Seen{}, false, nil
}

func (s *Sniffer) begin() {
	if !s.used {
		s.seen, s.used = nothing(), true
	}
}

// Start states the sequence number of side's first byte, one after that of its SYN. With it bytes out of order find
// their place; without it the first segment is taken for the start until an earlier one comes.
func (s *Sniffer) Start(side Side, seq uint32) {
	s.begin()
	d := &s.sides[side&1]
	if !d.placed {
		d.base, d.placed, d.anchored = seq, true, true
	}
}

// Stream takes the TCP payload b that begins at seq, captured at the time at. Segments may come in any order and more
// than once. It keeps no reference to b. Once it is done nothing more can be learned, or is followed: all further
// calls return at once.
func (s *Sniffer) Stream(side Side, at int64, seq uint32, b []byte) (done bool) {
	s.begin()
	side &= 1
	if d := &s.sides[side]; len(b) > 0 && d.mode != over {
		s.lookAt()
		if !d.placed {
			d.base, d.placed = seq, true
		}
		d.fed += len(b)
		d.segments++
		s.segment(side, at, seq, b)
		if d.exhausted() {
			s.partial(&s.seen, side)
			d.close()
		}
	}
	return s.streamDone()
}

// ReadsRequests says that requests of HTTP/2 may still name further hosts, though one is known.
func (s *Sniffer) ReadsRequests() bool { return s.web != nil && !s.streamDone() }

// lookAt changes the reason for no name: something was looked at.
func (s *Sniffer) lookAt() {
	if s.seen.Why == NothingSeen {
		s.seen.Why = NoKnownStart
	}
}

func (s *Sniffer) streamDone() bool {
	return s.sides[0].mode == over && s.sides[1].mode == over || s.seen.More
}

// Seen is what is known so far. Of a hello or request that is cut, what did come is read.
func (s *Sniffer) Seen() Seen {
	if !s.used {
		return nothing()
	}
	seen := s.seen
	seen.Others = append([]Name(nil), s.seen.Others...)
	for side := range s.sides {
		s.partial(&seen, Side(side))
	}
	s.quic.partial(&seen)
	return seen
}

// segment puts b in its place and follows what it completes.
func (s *Sniffer) segment(side Side, at int64, seq uint32, b []byte) {
	d := &s.sides[side]
	off := d.offset(seq)
	if off < 0 && d.anchored && -off >= len(b) {
		return // an old copy, or part of a body
	}
	if d.passes(off, b) {
		return
	}
	off = d.offset(seq) // passes may have forgotten what was before
	if d.restarts(off, b) {
		s.partial(&s.seen, side)
		d.restart(off, seq)
		off = 0
	} else if off < 0 && !d.anchored {
		d.restart(off, seq)
		off = 0
	}
	if !d.pieces.put(off, b) && d.mode == seeking {
		d.pieces.reset() // more than is kept came without a start: begin anew at this segment
		d.base = seq
		d.pieces.put(0, b)
	}
	s.follow(side, at)
}

// follow reads the bytes that have come without a gap. Each turn uses some of them up, or is the last.
func (s *Sniffer) follow(side Side, at int64) {
	d := &s.sides[side]
	for more := true; more; {
		switch d.mode {
		case seeking:
			more = s.seek(side)
		case tlsRecords:
			more = s.record(side, at)
		case httpHead:
			more = s.request(side, at)
		case http2Frames:
			more = s.frame(side, at)
		default:
			return
		}
	}
}

// seek looks for a known start at the first byte. Requests are the client's: what looks like one in an answer is
// the answer's content.
func (s *Sniffer) seek(side Side) bool {
	d := &s.sides[side]
	p := d.pieces.prefix()
	if n := preamble(p); n > 0 {
		d.advance(n)
		return true
	}
	start := startOf(p)
	switch {
	case start == noStart || start == unsure:
		return false
	case start != tlsRecords && s.seen.Client == 1-side:
		d.close()
		return false
	}
	d.mode, d.scanned, d.anchored = start, 0, true
	return true
}

// partial adds to seen what a direction holds of a hello or request whose end has not come.
func (s *Sniffer) partial(seen *Seen, side Side) {
	switch d := &s.sides[side]; d.mode {
	case tlsRecords:
		d.partialHello(seen, side)
	case httpHead:
		d.partialRequest(seen, side)
	}
}
