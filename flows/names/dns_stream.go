package names

// MessageStream cuts one direction of a TCP flow into DNS messages (RFC 1035 §4.2.2: each after its length in two
// bytes). Segments may come in any order. Messages longer than about 18 KiB are stepped over. The zero value is
// ready. Not safe for concurrent use.
type MessageStream struct {
	d direction
}

// Reset makes m ready for another flow and keeps its memory.
func (m *MessageStream) Reset() { m.d.reset() }

// Stream takes the TCP payload b that begins at seq and calls each with every message that it completes, valid until
// each returns. The first segment is taken for the start of the stream; after a loss the next segment is taken for
// the start of a message, which it mostly is.
func (m *MessageStream) Stream(seq uint32, b []byte, each func(message []byte)) {
	d := &m.d
	if !d.placed {
		d.base, d.placed = seq, true
	}
	off := d.offset(seq)
	if off < 0 && !d.anchored {
		d.restart(off, seq)
		off = 0
	}
	if !d.pieces.put(off, b) && (off > d.pieces.max() || off < -1<<20) {
		d.pieces.reset()
		d.base = seq
		d.pieces.put(0, b)
	}
	for {
		p := d.pieces.prefix()
		if len(p) < 2 {
			return
		}
		n := int(p[0])<<8 | int(p[1])
		if len(p) < 2+n && 2+n <= d.pieces.max() {
			return
		}
		if len(p) >= 2+n {
			each(p[2 : 2+n])
		}
		d.advance(2 + n)
	}
}
