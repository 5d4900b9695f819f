package flows

import (
	"net/netip"

	"apptap/flows/names"
)

type streamID struct {
	flow    uint32
	fromLow bool
}

// told is the number of the name that a client had been told for an address, 0 = none.
func (b *nameBook) told(client, server [16]byte, at int64) uint32 {
	return b.answer(client, server, at).Host
}

// answer is what a client had been told of an address, zero if nothing.
func (b *nameBook) answer(client, server [16]byte, at int64) names.Answer {
	a, _ := b.dns.Name(netip.AddrFrom16(client), netip.AddrFrom16(server), at)
	return a
}

// readDNS learns from a DNS message; false says that the payload is none.
func (b *nameBook) readDNS(flow uint32, o *Observation, payload []byte) bool {
	if o.Proto == UDP {
		return names.MessageStart(payload) && b.learn(flow, o, payload)
	}
	id := streamID{flow, o.fromLow}
	s := b.streams[id]
	if s == nil {
		if len(b.streams) == maxDNSStreams {
			clear(b.streams) // the messages under way are lost: nobody has that many
		}
		s = &names.MessageStream{}
		b.streams[id] = s
	}
	s.Stream(o.streamStart(), payload, func(message []byte) { b.learn(flow, o, message) })
	return true
}

func (b *nameBook) learn(flow uint32, o *Observation, message []byte) bool {
	if len(message) > 2 && message[2]&0x80 == 0 {
		b.lookups.query(flow, o, message)
		return true
	}
	if err := b.message.Parse(message); err != nil && b.message.Empty() {
		return false
	}
	reply := b.message.Reply(b.addresses)
	b.addresses = reply.Addresses
	b.readReply(flow, o, &reply)
	return true
}

func (b *nameBook) readReply(flow uint32, o *Observation, r *names.Reply) {
	k := o.key()
	asked := b.lookups.answer(flow, o, r)
	b.dns.AddReply(k.RemoteAddr().Addr(), r, asked, o.Time)
	if r.Public > 0 && len(b.public) < maxPublic {
		b.public[r.Public] = true
	}
	b.asked = true
}
