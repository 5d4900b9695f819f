package names

// mode is what a direction of a TCP flow is being read as.
type mode uint8

const (
	seeking mode = iota // no known start yet, or the next one after a request
	tlsRecords
	httpHead
	http2Frames
	over // nothing more is read

	noStart // results of startOf only
	unsure
)

const (
	// maxSought bounds how far into a direction a start is looked for: the longest plain preamble in use is that of
	// an SMTP session before STARTTLS, some hundred bytes, with a long banner some thousand.
	maxSought, maxSoughtSegments = 16 << 10, 256
	// maxFollowed bounds how far a recognised direction is followed. A server's certificates, which come before the
	// first application data, may be 60 KiB; none longer than 100 KiB is known to be in use.
	maxFollowed = 128 << 10
	// keptBuffer is how large a buffer may be and still be kept for the next flow.
	keptBuffer = 8 << 10
)

// direction is one half of a TCP flow, up to where its names are.
type direction struct {
	pieces  assembly // begins at base
	message []byte   // handshake messages, out of their records
	base    uint32   // sequence number of the first byte that is not used up

	fed, segments int
	scanned       int // bytes of pieces in which a request's end was looked for

	mode     mode
	placed   bool // base means something
	anchored bool // no byte before base will ever be wanted
	hello    bool // the hello has been read: handshake records say no more
	patient  bool // requests may come at any time
}

func (d *direction) reset() {
	pieces, message := d.pieces, d.message
	if cap(pieces.data) > keptBuffer {
		pieces.data = nil
	}
	if cap(message) > keptBuffer {
		message = nil
	}
	pieces.reset()
	*d = direction{pieces: pieces, message: message[:0]}
}

// close gives the direction up and its larger buffers back.
func (d *direction) close() {
	d.reset()
	d.mode = over
}

func (d *direction) exhausted() bool {
	switch {
	case d.mode == over:
		return false
	case d.patient:
		return false
	case d.mode == seeking:
		return d.fed > maxSought || d.segments > maxSoughtSegments
	}
	return d.fed > maxFollowed
}

// offset is where seq lies from base; sequence numbers wrap (RFC 9293 §3.4).
func (d *direction) offset(seq uint32) int { return int(int32(seq - d.base)) }

// advance uses up n bytes, come or not.
func (d *direction) advance(n int) {
	d.pieces.drop(n)
	d.base += uint32(n)
	d.anchored = true
	d.scanned = 0
}

// restart moves base by off to seq and keeps what was held of the bytes from there on.
func (d *direction) restart(off int, seq uint32) {
	if off < 0 {
		d.pieces.raise(-off)
	} else {
		d.pieces.drop(off)
	}
	d.base, d.mode, d.scanned = seq, seeking, 0
	d.message = d.message[:0]
}

// unordered is how many segments may come before the first byte of a flow whose SYN was not seen.
const unordered = 4

// passes says whether a segment can be forgotten: it comes next, begins nothing and nothing waits for it. Most
// segments of flows without a name are such, so this saves copying them.
func (d *direction) passes(off int, b []byte) bool {
	if d.mode != seeking {
		return false
	}
	if held := len(d.pieces.prefix()); held > 0 && off == held && d.segments > unordered && startOf(d.pieces.prefix()) == noStart {
		d.advance(held)
		off = 0
	}
	if off != 0 || !d.anchored || !d.pieces.empty() || startOf(b) != noStart || preamble(b) > 0 {
		return false
	}
	d.base += uint32(len(b))
	return true
}

// restarts says whether a segment begins something of its own: a TLS hello after STARTTLS, or a request after a body
// whose length is not known or of which bytes were not captured. Both start segments, since the other side had to
// answer first.
func (d *direction) restarts(off int, b []byte) bool {
	if off == 0 || off < 0 && d.anchored || len(b) < 6 {
		return false
	}
	held := len(d.pieces.prefix())
	switch d.mode {
	case seeking:
		if off == held && startOf(d.pieces.prefix()) == unsure {
			return false
		}
	case httpHead:
		if off <= held {
			return false
		}
	default:
		return false
	}
	// A hello in records of a few bytes has ones in its middle that look like its first. None is known to follow a
	// preamble, and the beginning of a flow needs no such signs.
	if b[0] == recordHandshake && int(b[3])<<8|int(b[4]) < 4 { // type and length
		return false
	}
	return StreamStart(b)
}
