package names

import "bytes"

const (
	// maxOpened bounds the work on one flow: a ClientHello is in two or three Initials, repeated ones included some
	// ten; each costs some 5 us.
	maxOpened = 64
	// maxDatagrams bounds how far a flow is looked into that shows no QUIC.
	maxDatagrams = 32
	// minInitial is how long a datagram with a client's Initial is at least (RFC 9000 §14.1).
	minInitial = 1200
)

// quicNames follows the Initial packets of a flow's client (RFC 9001).
type quicNames struct {
	crypto assembly // the CRYPTO stream of the client's Initials
	keys   *initialKeys
	buffer []byte // for opened packets
	opened int
	fed    int
	hello  bool // the hello on the CRYPTO stream has been read
	over   bool
}

func (q *quicNames) reset() {
	crypto := q.crypto
	if cap(crypto.data) > keptBuffer {
		crypto.data = nil
	}
	buffer := q.buffer
	if cap(buffer) > keptBuffer {
		buffer = nil
	}
	crypto.reset()
	*q = quicNames{crypto: crypto, buffer: buffer}
}

// Datagram takes the UDP payload b, captured at the time at: QUIC, DTLS. Order does not matter, copies do no harm.
// It keeps no reference to b. Once it is done nothing more can be learned, or is followed.
func (s *Sniffer) Datagram(side Side, at int64, b []byte) (done bool) {
	s.begin()
	side &= 1
	q := &s.quic
	if q.over || len(b) == 0 {
		return q.over
	}
	s.lookAt()
	q.fed++
	switch {
	case isDTLS(b):
		s.datagramTLS(side, at, b)
	case !s.packets(side, at, b) && isGoogleQUIC(b):
		s.googleQUIC(side, at, b)
	}
	complete := s.seen.ClientData != 0 && s.seen.ServerData != 0
	if complete || q.opened >= maxOpened || q.fed >= maxDatagrams && s.seen.Hello == 0 || q.fed >= 8*maxDatagrams {
		q.partial(&s.seen)
		q.over = true
		q.crypto = assembly{}
	}
	return q.over
}

// packets reads the QUIC packets of a datagram; false says that it has none.
func (s *Sniffer) packets(side Side, at int64, b []byte) bool {
	found := false
	for len(b) > 0 {
		p, ok := parseQUIC(b)
		if !ok && p.kind == quicForeign && b[0]&0x40 != 0 && len(b) >= minInitial {
			s.seen.lacks(Undecipherable)
		}
		if !ok || p.kind == quicShort && s.seen.QUIC == 0 && !found {
			return found
		}
		found = true
		s.packet(side, at, &p)
		b = p.rest
	}
	return found
}

func (s *Sniffer) packet(side Side, at int64, p *quicPacket) {
	switch p.kind {
	case quicInitial:
		s.initial(side, at, p)
	case quicHandshake:
		s.answeredQUIC(side, at)
	case quicShort:
		// Whatever is behind a packet of the handshake in the same datagram may be padding (RFC 9000 §12.2).
		switch {
		case s.seen.Client == NoSide:
		case side != s.seen.Client && s.seen.ServerData == 0:
			s.seen.ServerData = at
		case side == s.seen.Client && s.seen.ClientData == 0:
			s.seen.ClientData = at
		}
	}
}

// initial opens an Initial packet if it is the client's; a server's is only noted.
func (s *Sniffer) initial(side Side, at int64, p *quicPacket) {
	q := &s.quic
	if s.seen.Client == 1-side && s.seen.Hello != 0 && side != s.seen.Client {
		s.answeredQUIC(side, at)
		return
	}
	plain := q.open(p)
	if plain == nil {
		if !q.hello {
			s.seen.lacks(Undecipherable)
		}
		return
	}
	s.seen.Client, s.seen.QUIC = side, p.version
	if p.version == quicQ050 && s.googleCHLO(side, at, plain) {
		return
	}
	q.frames(plain)
	s.helloQUIC(side, at)
}

func (s *Sniffer) answeredQUIC(side Side, at int64) {
	if s.seen.Client == 1-side && s.seen.ServerHello == 0 {
		s.seen.ServerHello = at
	}
}

// open finds the keys of a packet. They stay those of the client's first packet, though it writes to the connection
// ID that the server chose from then on; after a Retry, and for a next connection of the same flow, they are made
// from the ID in the packet (RFC 9001 §5.2).
func (q *quicNames) open(p *quicPacket) []byte {
	if q.opened++; q.opened > maxOpened {
		return nil
	}
	if q.keys != nil {
		keys := q.keys
		if keys.version != p.version {
			keys = newInitialKeys(p.version, keys.id) // compatible version negotiation (RFC 9368 §2.3)
		}
		if plain := q.with(keys, p); plain != nil {
			return plain
		}
		if q.keys.version == p.version && q.keys.id == p.dst {
			return nil
		}
	}
	plain := q.with(newInitialKeys(p.version, p.dst), p)
	if plain != nil {
		q.hello = false // the client says all of it again
		q.crypto.reset()
	}
	return plain
}

func (q *quicNames) with(keys *initialKeys, p *quicPacket) []byte {
	if keys == nil {
		return nil
	}
	if n := len(p.bytes) + 32; cap(q.buffer) < n {
		q.buffer = make([]byte, 0, min(max(n, 1600), 1<<16))
	}
	plain := keys.open(p.bytes, p.number, q.buffer)
	if plain != nil {
		q.keys = keys
	}
	return plain
}

// frames collects the CRYPTO frames of an Initial packet (RFC 9000 §19); no other frame of one says anything.
func (q *quicNames) frames(b []byte) {
	c := cursor{b: b}
	for !c.cut {
		c.b = bytes.TrimLeft(c.b, "\x00") // PADDING: a thousand frames of it are ordinary
		if len(c.b) == 0 {
			return
		}
		switch kind := c.varint(); kind {
		case 0x00, 0x01: // PADDING in more bytes than it needs, PING
		case 0x02, 0x03: // ACK
			c.ack(kind == 0x03)
		case 0x06, 0x08: // CRYPTO; 8 is that of Google's T050 and T051, and may not be here otherwise
			offset := c.varint()
			b := c.take(max(c.varint(), 0))
			if !c.cut && !q.hello {
				q.crypto.put(offset, b)
			}
		default:
			return // CONNECTION_CLOSE, or what may not be here
		}
	}
}

// ack steps over an ACK frame (RFC 9000 §19.3).
func (c *cursor) ack(ecn bool) {
	c.varint() // largest acknowledged
	c.varint() // delay
	ranges := c.varint()
	c.varint() // first range
	for range ranges {
		c.varint()
		c.varint()
		if c.cut {
			return
		}
	}
	if ecn {
		for range 3 {
			c.varint()
		}
	}
}

// helloQUIC reads the ClientHello when all of it has come.
func (s *Sniffer) helloQUIC(side Side, at int64) {
	q := &s.quic
	message := q.crypto.prefix()
	if q.hello || len(message) < 4 || message[0] != typeClientHello {
		return
	}
	length := int(message[1])<<16 | int(message[2])<<8 | int(message[3])
	if len(message) < 4+length {
		return
	}
	h, ok := parseClientHello(message[4 : 4+length])
	if ok {
		s.seen.take(&h, QUICServerName, side, at)
	}
	q.hello = true
	q.crypto.reset()
}

// partial reads a hello that is not whole.
func (q *quicNames) partial(seen *Seen) {
	message := q.crypto.prefix()
	if q.hello || q.crypto.empty() {
		return
	}
	seen.lacks(HelloCut)
	if len(message) < 4 || message[0] != typeClientHello {
		return
	}
	if h, ok := parseClientHello(message[4:]); ok && len(h.name) > 0 {
		seen.take(&h, QUICServerName, seen.Client, seen.Hello)
	}
}
