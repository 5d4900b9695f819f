package names

import "encoding/binary"

// quicKind is the type of a QUIC packet (RFC 9000 §17).
type quicKind uint8

const (
	quicInitial quicKind = iota
	quicZeroRTT
	quicHandshake
	quicRetry
	quicNegotiation // of versions
	quicShort       // 1-RTT
	quicForeign     // a version whose packets are unknown
)

// quicPacket is one packet of a datagram, its header read as far as it is not protected.
type quicPacket struct {
	kind    quicKind
	version uint32
	dst     ConnID
	src     ConnID
	number  int    // where the packet number begins
	bytes   []byte // this packet
	rest    []byte // those coalesced behind it (RFC 9000 §12.2)
}

// parseQUIC reads the header of the first packet in b; false says that it is no packet of QUIC.
func parseQUIC(b []byte) (p quicPacket, ok bool) {
	if len(b) < 7 {
		return p, false
	}
	p.bytes = b
	if b[0]&0x80 == 0 {
		p.kind = quicShort
		return p, b[0]&0x40 != 0
	}
	p.version = binary.BigEndian.Uint32(b[1:])
	c := cursor{b: b[5:]}
	dst := c.vector(1)
	src := c.vector(1)
	if c.cut || len(dst) > 20 || len(src) > 20 {
		return p, false
	}
	p.dst, p.src = newConnID(dst), newConnID(src)
	if p.kind = longKind(b[0], p.version); p.kind >= quicRetry {
		return p, p.kind != quicForeign
	}
	if p.kind == quicInitial {
		c.take(max(c.varint(), 0)) // token
	}
	length := c.varint()
	if c.cut || length < 0 {
		return p, false
	}
	p.number = len(b) - len(c.b)
	length = min(length, len(c.b)) // a datagram that was captured in part
	p.bytes, p.rest = b[:p.number+length], b[p.number+length:]
	return p, true
}

// longKind is the type in a long header; version 2 has others than version 1 (RFC 9369 §3.2).
func longKind(first byte, version uint32) quicKind {
	kind := quicKind(first >> 4 & 3)
	switch {
	case version == 0:
		return quicNegotiation
	case initialSalt(version) == "":
		return quicForeign
	case version == quicV2:
		kind = (kind + 3) & 3
	}
	return kind
}

// DatagramStart says whether a UDP payload begins with something that states a name: an Initial packet of QUIC, a
// CHLO of Google's, a ClientHello of DTLS. It costs some nanoseconds.
func DatagramStart(b []byte) bool {
	if len(b) < 14 {
		return false
	}
	if b[0] == recordHandshake {
		return isDTLS(b) && b[13] == typeClientHello
	}
	if b[0]&0x80 != 0 && b[0]&0x30 <= 0x10 { // Initial is 0 in version 1 and 1 in version 2
		if version := binary.BigEndian.Uint32(b[1:]); version != 0 && longKind(b[0], version) == quicInitial {
			return true
		}
	}
	return isGoogleQUIC(b)
}
