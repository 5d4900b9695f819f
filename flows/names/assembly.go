package names

import "slices"

const (
	// followed is how many bytes of a stream or of a handshake may wait to be parsed. The largest TLS record is 16 KiB
	// and 2 KiB (RFC 5246 §6.2.3) and a ClientHello with post-quantum keys about 2 KiB.
	followed = 18<<10 + 5
	// maxSpans bounds the work of putting a piece in its place. Chrome cuts a ClientHello into some 20 CRYPTO frames.
	maxSpans = 128
)

// assembly collects pieces of a byte sequence that come in any order. Of bytes that come twice the first copy is
// kept, which is what a receiver does. The zero value is empty.
type assembly struct {
	data  []byte
	spans []span // of data that has come; ordered, with gaps between
	limit int    // 0 stands for followed
}

type span struct{ from, to int }

func (a *assembly) max() int {
	if a.limit > 0 {
		return a.limit
	}
	return followed
}

func (a *assembly) empty() bool { return len(a.spans) == 0 }

func (a *assembly) reset() { a.data, a.spans = a.data[:0], a.spans[:0] }

// prefix is what has come without a gap, valid until the next put or drop.
func (a *assembly) prefix() []byte {
	if len(a.spans) == 0 || a.spans[0].from > 0 {
		return nil
	}
	return a.data[:a.spans[0].to]
}

// put copies b to its place; false says that some of it was beyond the limits and is forgotten.
func (a *assembly) put(off int, b []byte) bool {
	if off < 0 {
		if -off >= len(b) {
			return true
		}
		b, off = b[-off:], 0
	}
	if off >= a.max() {
		return false
	}
	fits := min(len(b), a.max()-off)
	whole := fits == len(b)
	if fits == 0 {
		return whole
	}
	return a.insert(off, b[:fits]) && whole
}

func (a *assembly) insert(off int, b []byte) bool {
	end := off + len(b)
	first := 0
	for first < len(a.spans) && a.spans[first].to < off {
		first++
	}
	after, at := first, off
	if after == len(a.spans) || a.spans[after].from > end {
		if len(a.spans) >= maxSpans {
			return false
		}
	}
	a.reach(end)
	merged := span{off, end}
	for ; after < len(a.spans) && a.spans[after].from <= end; after++ {
		s := a.spans[after]
		if at < s.from {
			copy(a.data[at:s.from], b[at-off:])
		}
		at = max(at, s.to)
		merged = span{min(merged.from, s.from), max(merged.to, s.to)}
	}
	if at < end {
		copy(a.data[at:end], b[at-off:])
	}
	a.spans = slices.Replace(a.spans, first, after, merged)
	return true
}

// reach makes data as long as n, in steps that suit a ClientHello.
func (a *assembly) reach(n int) {
	if n <= len(a.data) {
		return
	}
	if n > cap(a.data) {
		a.data = slices.Grow(a.data, max(n, 2048)-len(a.data))
	}
	a.data = a.data[:n]
}

// drop forgets the first n bytes, whether they have come or not.
func (a *assembly) drop(n int) {
	if n >= len(a.data) {
		a.reset()
		return
	}
	a.data = a.data[:copy(a.data, a.data[n:])]
	kept := a.spans[:0]
	for _, s := range a.spans {
		if s.to > n {
			kept = append(kept, span{max(s.from-n, 0), s.to - n})
		}
	}
	a.spans = kept
}

// raise makes room for n bytes before the first; what no longer fits is forgotten.
func (a *assembly) raise(n int) {
	if a.empty() {
		return
	}
	if n >= a.max() {
		a.reset()
		return
	}
	old := len(a.data)
	a.reach(min(old+n, a.max()))
	copy(a.data[n:], a.data[:old])
	kept := a.spans[:0]
	for _, s := range a.spans {
		s = span{s.from + n, min(s.to+n, len(a.data))}
		if s.from < s.to {
			kept = append(kept, s)
		}
	}
	a.spans = kept
}
