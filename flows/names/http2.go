package names

import "golang.org/x/net/http2/hpack"

// Frame types and flags of HTTP/2 (RFC 9113 §6).
const (
	frameHeaders      = 1
	frameContinuation = 9

	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20

	// maxBlocks bounds how many requests of a connection are read: a browser coalesces few hosts, and early.
	maxBlocks = 64
)

// http2Names follows the requests of a connection of HTTP/2 with prior knowledge.
type http2Names struct {
	decoder   *hpack.Decoder
	block     []byte // header block fragments so far
	authority []byte
	blocks    int
	prefaced  bool
}

func newHTTP2Names() *http2Names {
	n := &http2Names{}
	n.decoder = hpack.NewDecoder(4096, n.field)
	n.decoder.SetMaxStringLength(maxHead)
	// The server may allow more than the initial 4096 (RFC 9113 §6.5.2); browsers and servers stay below this.
	n.decoder.SetAllowedMaxDynamicTableSize(64 << 10)
	return n
}

func (n *http2Names) field(f hpack.HeaderField) {
	if f.Name == ":authority" || f.Name == "host" && len(n.authority) == 0 {
		n.authority = append(n.authority[:0], f.Value...)
	}
}

// frame follows one frame; those without headers are stepped over by their length, unread.
func (s *Sniffer) frame(side Side, at int64) bool {
	d := &s.sides[side]
	if s.web == nil {
		s.web = newHTTP2Names()
		s.seen.Client = side
		s.sides[1-side].close() // a server states no name
	}
	if !s.web.prefaced {
		s.web.prefaced = true
		d.advance(len(preface))
	}
	p := d.pieces.prefix()
	if len(p) < 9 {
		return false
	}
	c := cursor{b: p}
	length, kind, flags := c.uint(3), c.uint(1), c.uint(1)
	if kind != frameHeaders && kind != frameContinuation {
		d.advance(9 + length)
		return true
	}
	if 9+length > followed {
		d.close()
		return false
	}
	if len(p) < 9+length {
		return false
	}
	if !s.web.add(kind, flags, p[9:9+length]) {
		d.close() // what follows depends on the state of the compression
		return false
	}
	d.advance(9 + length)
	s.takeAuthority(d, at)
	return true
}

// add collects a header block (RFC 9113 §4.3) and decodes it at its end; false if it can't be decoded.
func (n *http2Names) add(kind, flags int, b []byte) bool {
	c := cursor{b: b}
	if kind == frameHeaders {
		padding := 0
		if flags&flagPadded != 0 {
			padding = c.uint(1)
		}
		if flags&flagPriority != 0 {
			c.take(5)
		}
		if c.cut || padding > len(c.b) {
			return false
		}
		n.block = n.block[:0]
		c.b = c.b[:len(c.b)-padding]
	}
	n.block = append(n.block, c.b...)
	if flags&flagEndHeaders == 0 {
		return len(n.block) <= followed
	}
	n.blocks++
	_, err := n.decoder.Write(n.block)
	return err == nil && n.decoder.Close() == nil
}

func (s *Sniffer) takeAuthority(d *direction, at int64) {
	if len(s.web.authority) > 0 {
		if s.seen.Hello == 0 {
			s.seen.Hello = at
		}
		s.seen.addHost(s.web.authority, HTTP2Authority)
		s.web.authority = s.web.authority[:0]
	} else {
		s.seen.lacks(NoServerName)
	}
	if s.web.blocks >= maxBlocks {
		d.close()
	}
}
