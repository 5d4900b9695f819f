package names

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
)

// Types of DNS records that are read (IANA's registry of DNS parameters; NetBIOS: RFC 1002 §4.2.1.3).
const (
	TypeA     = 1
	TypeCNAME = 5
	TypePTR   = 12
	TypeAAAA  = 28
	TypeNB    = 32 // of NetBIOS; nobody uses DNS's own meaning
	TypeSRV   = 33
	TypeDNAME = 39
	TypeSVCB  = 64
	TypeHTTPS = 65
)

// maxRecords bounds a message. A UDP one of 64 KiB could hold some 4000 addresses; no name needs a hundred.
const maxRecords = 512

// ErrMessage is wrapped by the error for bytes that are no DNS message, or not the whole of one.
var ErrMessage = errors.New("malformed DNS message")

// Message is what is kept of a DNS message (RFC 1035 §4.1), also of mDNS (RFC 6762), LLMNR (RFC 4795) and NetBIOS
// (RFC 1002), which share its format. Its slices are reused by the next Parse.
type Message struct {
	ID        uint16
	Response  bool
	Truncated bool // TC: the whole answer is asked for over TCP
	Opcode    uint8
	RCode     uint8 // the header's four bits (RFC 6895 §2.3): 0 no error, 2 server failure, 3 no such name
	Questions []Question
	Records   []Record // of all sections, those with a name or address, in order
	Public    string   // the public name of an ECH configuration in an HTTPS or SVCB record, clean; "" if there is none

	Texts *Texts // where names are kept that are met again and again; may be nil
}

// Question is what is asked for.
type Question struct {
	Name string // clean
	Type uint16
}

// Record is one answer. A value.
type Record struct {
	Owner  string // clean
	Type   uint16
	TTL    uint32     // seconds
	Target string     // of CNAME, DNAME, PTR, SRV, HTTPS and SVCB, clean; "." for the owner itself
	Addr   netip.Addr // of A, AAAA, NB; of HTTPS and SVCB one record for each address hint
}

// MessageStart says whether a UDP payload has the header of a DNS message: an operation and counts that messages have.
// It costs some nanoseconds. Of payloads that are no DNS one in thousands passes.
func MessageStart(b []byte) bool {
	if len(b) < 12 || b[2]>>3&15 > 6 || b[3]&0x40 != 0 { // operations up to 6, and the bit that must be zero
		return false
	}
	for _, high := range [...]byte{b[4], b[6], b[8], b[10]} {
		if high > maxRecords>>8 {
			return false
		}
	}
	return true
}

// Parse reads a message. With an error m holds what was read before the fault, which is what there is of a message
// that was captured in part.
func (m *Message) Parse(b []byte) error {
	*m = Message{Questions: m.Questions[:0], Records: m.Records[:0], Texts: m.Texts}
	c := cursor{b: b}
	m.ID = uint16(c.uint(2))
	flags := c.uint(2)
	questions, records := c.uint(2), c.uint(2)+c.uint(2)+c.uint(2)
	if c.cut {
		return fmt.Errorf("read header of %d bytes: %w", len(b), ErrMessage)
	}
	m.Response, m.Truncated = flags&0x8000 != 0, flags&0x0200 != 0
	m.Opcode, m.RCode = uint8(flags>>11&15), uint8(flags&15)
	at := 12
	for i := range min(questions, maxRecords) {
		if at = m.question(b, at); at < 0 {
			return fmt.Errorf("read question %d: %w", i, ErrMessage)
		}
	}
	for i := range min(records, maxRecords) {
		if at = m.record(b, at); at < 0 {
			return fmt.Errorf("read record %d: %w", i, ErrMessage)
		}
	}
	return nil
}

// Empty says that nothing was read.
func (m *Message) Empty() bool { return len(m.Records) == 0 && len(m.Questions) == 0 }

func (m *Message) question(b []byte, at int) int {
	name, at := m.name(b, at)
	if at < 0 || at+4 > len(b) {
		return -1
	}
	q := Question{Name: name, Type: uint16(b[at])<<8 | uint16(b[at+1])}
	if q.Type == TypeNB {
		q.Name = netBIOSName(q.Name)
	}
	m.Questions = append(m.Questions, q)
	return at + 4
}

// record reads one; mDNS has a flag in the class (RFC 6762 §10.2), which says nothing here.
func (m *Message) record(b []byte, at int) int {
	var r Record
	if len(m.Questions) == 1 && at+1 < len(b) && b[at] == 0xc0 && b[at+1] == 12 {
		r.Owner, at = m.Questions[0].Name, at+2 // nearly always; it saves a string
	} else if r.Owner, at = m.name(b, at); at < 0 {
		return -1
	}
	c := cursor{b: b[at:]}
	r.Type = uint16(c.uint(2))
	c.take(2)
	r.TTL = uint32(c.uint(4))
	body := c.vector(2)
	if c.cut {
		return -1
	}
	if r.TTL>>31 == 1 {
		r.TTL = 0 // RFC 2181 §8
	}
	next := len(b) - len(c.b)
	m.body(b, &r, next-len(body), body)
	return next
}

// body reads the data of a record that begins at from; compressed names in it refer to the whole message.
func (m *Message) body(b []byte, r *Record, from int, body []byte) {
	skip := 0
	switch r.Type {
	case TypeA, TypeAAAA:
		if addr, ok := netip.AddrFromSlice(body); ok && addr.Is4() == (r.Type == TypeA) {
			r.Addr = addr
			m.Records = append(m.Records, *r)
		}
		return
	case TypeNB:
		m.netBIOS(r, body)
		return
	case TypeHTTPS, TypeSVCB:
		m.service(b, r, from, body)
		return
	case TypeSRV:
		skip = 6
	case TypeCNAME, TypeDNAME, TypePTR:
	default:
		return
	}
	if target, end := m.name(b[:from+len(body)], from+skip); end >= 0 && skip < len(body) {
		r.Target = target
		m.Records = append(m.Records, *r)
	}
}

// netBIOS reads pairs of flags and an address (RFC 1002 §4.2.13).
func (m *Message) netBIOS(r *Record, body []byte) {
	r.Owner = netBIOSName(r.Owner)
	for ; len(body) >= 6 && len(m.Records) < maxRecords; body = body[6:] {
		r.Addr = netip.AddrFrom4([4]byte(body[2:6]))
		m.Records = append(m.Records, *r)
	}
}

// service reads an HTTPS or SVCB record (RFC 9460 §2.2): its target, and the address hints of its parameters.
func (m *Message) service(b []byte, r *Record, from int, body []byte) {
	if len(body) < 3 {
		return
	}
	target, end := m.name(b[:from+len(body)], from+2)
	if end < 0 {
		return
	}
	r.Target = target
	m.Records = append(m.Records, *r)
	for c := (cursor{b: b[end : from+len(body)]}); len(c.b) >= 4; {
		key, value := c.uint(2), c.vector(2)
		size := 0
		switch key {
		case 4: // ipv4hint
			size = 4
		case 5: // ech
			m.Public = cmp.Or(m.Public, publicName(value))
		case 6: // ipv6hint
			size = 16
		}
		for ; size > 0 && len(value) >= size && len(m.Records) < maxRecords; value = value[size:] {
			r.Addr, _ = netip.AddrFromSlice(value[:size])
			m.Records = append(m.Records, *r)
		}
	}
}

// publicName is that of the first ECHConfig of version 0xfe0d in a list (RFC 9849 §4): what a ClientHello states outside when the name
// that is meant is encrypted. "" if there is none.
func publicName(list []byte) string {
	outer := cursor{b: list}
	for c := (cursor{b: outer.vector(2)}); len(c.b) > 0 && !c.cut; {
		version := c.uint(2)
		config := cursor{b: c.vector(2)}
		if version != extECH {
			continue
		}
		config.take(1 + 2) // config_id, kem_id
		config.vector(2)   // public key
		config.vector(2)   // cipher suites
		config.take(1)     // maximum_name_length
		if name := config.vector(1); !config.cut {
			return Clean(name)
		}
	}
	return ""
}
