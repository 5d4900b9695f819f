package flows

import "apptap/flows/names"

// Payload is what one packet may state a name with: its bytes, or what its Follower has read of them.
type Payload struct {
	Packet int    // index in its batch
	Bytes  []byte // what was captured of its TCP or UDP payload; nil if it has been read
	kind   payloadKind
	hello  hello
	reply  names.Reply
}

type payloadKind uint8

const (
	unreadBytes payloadKind = iota
	wholeHello
	wholeReply
)

// hello is a ClientHello, with the numbers of its names.
type hello struct {
	name, alpn uint32
	ech        bool
}

// Payloads keeps those of a batch of packets. The zero value is ready.
type Payloads struct {
	List      []Payload
	bytes     []byte
	addresses []names.Address
}

// Add keeps a copy of p for a packet of the batch: what it refers to is gone with the next one.
func (l *Payloads) Add(packet int, p *Payload) {
	l.List = append(l.List, *p)
	kept := &l.List[len(l.List)-1]
	kept.Packet = packet
	if p.Bytes != nil {
		l.bytes = append(l.bytes, p.Bytes...)
		kept.Bytes = l.bytes[len(l.bytes)-len(p.Bytes) : len(l.bytes) : len(l.bytes)]
	}
	if told := p.reply.Addresses; len(told) > 0 {
		l.addresses = append(l.addresses, told...)
		kept.reply.Addresses = l.addresses[len(l.addresses)-len(told) : len(l.addresses) : len(l.addresses)]
	}
}

// Reset drops all that was kept.
func (l *Payloads) Reset() { l.List, l.bytes, l.addresses = l.List[:0], l.bytes[:0], l.addresses[:0] }

// Len is how many bytes of payloads are kept.
func (l *Payloads) Len() int { return len(l.bytes) }
