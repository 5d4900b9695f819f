package names

import (
	"encoding/binary"
	"net/netip"
)

// QuickReply is Parse and Reply of a response that is what most are: one question, and addresses of the name that was asked for.
// False says that b is something else, and m is to parse it. It makes no string of a name that was seen before. m.Texts must
// be set; dst is for the addresses.
func (m *Message) QuickReply(b []byte, dst []Address) (r Reply, ok bool) {
	if len(b) < 12 || b[2]&0xf8 != 0x80 || b[3]&15 != 0 { // a response to a plain query, truncated or not, without error
		return r, false
	}
	if binary.BigEndian.Uint16(b[4:]) != 1 {
		return r, false
	}
	records := int(binary.BigEndian.Uint16(b[6:])) + int(binary.BigEndian.Uint16(b[8:])) + int(binary.BigEndian.Uint16(b[10:]))
	end := endOfName(b)
	if end < 0 || len(b) < end+4 || records > maxRecords || b[12] == 0 || b[13] == '_' || binary.BigEndian.Uint16(b[end:]) == TypeNB {
		return r, false
	}
	r = Reply{ID: binary.BigEndian.Uint16(b), Truncated: b[2]&2 != 0, Single: true, Addresses: dst[:0]}
	rest := b[end+4:]
	for range records {
		if rest, ok = r.quickRecord(rest); !ok {
			return r, false
		}
	}
	r.Question = m.Texts.numberOfWire(b[12:end])
	if r.Question == 0 {
		r.Addresses = r.Addresses[:0]
	}
	for i := range r.Addresses {
		r.Addresses[i].Host = r.Question
	}
	return r, true
}

// endOfName is where the name at b[12:] ends, -1 if it does not stand there in one piece.
func endOfName(b []byte) int {
	at := 12
	for at < len(b) {
		n := int(b[at])
		switch {
		case n == 0:
			return at + 1
		case n > 63 || at+n+1-12 > maxShort:
			return -1
		}
		at += n + 1
	}
	return -1
}

// quickRecord reads an address of the name that was asked for, or steps over an OPT (RFC 6891 §6.1.2).
func (r *Reply) quickRecord(b []byte) (rest []byte, ok bool) {
	if len(b) >= 11 && b[0] == 0 && b[1] == 0 && b[2] == 41 {
		length := int(binary.BigEndian.Uint16(b[9:]))
		return b[min(11+length, len(b)):], len(b) >= 11+length
	}
	if len(b) < 16 || b[0] != 0xc0 || b[1] != 12 {
		return nil, false
	}
	kind, length := binary.BigEndian.Uint16(b[2:]), int(binary.BigEndian.Uint16(b[10:]))
	var addr netip.Addr
	switch {
	case kind == TypeA && length == 4:
		addr = netip.AddrFrom4([4]byte(b[12:16]))
	case kind == TypeAAAA && length == 16 && len(b) >= 28:
		addr = netip.AddrFrom16([16]byte(b[12:28]))
	default:
		return nil, false
	}
	if addr.IsUnspecified() {
		return nil, false
	}
	ttl := binary.BigEndian.Uint32(b[6:])
	if ttl>>31 == 1 {
		ttl = 0 // RFC 2181 §8
	}
	r.Addressed = true
	r.Addresses = append(r.Addresses, Address{Addr: addr.As16(), TTL: ttl})
	return b[12+length:], true
}

// numberOfWire is the number of a name in labels that ends with the root, without pointers.
func (t *Texts) numberOfWire(raw []byte) uint32 {
	return t.remembered(&t.wire, raw, func(raw []byte) string {
		var m Message
		name, _ := m.name(raw, 0)
		return name
	})
}
