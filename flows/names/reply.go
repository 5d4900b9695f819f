package names

// Reply is what flows need of a response of DNS, with names as numbers: it can be read where the packet is decoded, and goes
// on in few bytes.
type Reply struct {
	ID        uint16
	RCode     uint8 // as in Message
	Opcode    uint8
	Truncated bool
	Single    bool      // it repeats one question, Question
	Addressed bool      // some record has an address
	Question  uint32    // number of the name that was asked for, 0 if it found no room
	Public    uint32    // number of Message.Public
	Addresses []Address // of an answer to a plain query without an error
}

// Address is an address that an answer gives a host.
type Address struct {
	Addr      [16]byte // as netip.Addr.As16 has it
	Host, TTL uint32   // Host is a number; TTL in seconds, the least along the chain of aliases
}

// Reply makes a Reply of m, its addresses in dst. m.Texts must be set.
func (m *Message) Reply(dst []Address) Reply {
	r := Reply{ID: m.ID, RCode: m.RCode, Opcode: m.Opcode, Truncated: m.Truncated, Single: len(m.Questions) == 1, Addresses: dst[:0]}
	r.Public = m.Texts.Number(m.Public)
	if r.Single {
		r.Question = m.Texts.Number(m.Questions[0].Name)
	}
	var of string
	var number uint32
	for i := range m.Records {
		record := &m.Records[i]
		if !record.Addr.IsValid() {
			continue
		}
		r.Addressed = true
		if m.RCode != 0 || m.Opcode != 0 || record.Addr.IsUnspecified() { // the latter is how filters answer for names that they block
			continue
		}
		host, ttl := m.root(record)
		if host != of {
			of, number = host, m.Texts.Number(host)
		}
		if number > 0 {
			r.Addresses = append(r.Addresses, Address{record.Addr.As16(), number, ttl})
		}
	}
	return r
}
