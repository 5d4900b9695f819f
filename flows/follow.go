package flows

import (
	"encoding/binary"

	"apptap/flows/names"
)

// Follower picks the payloads that may state a name, so that whoever reads packets has to keep only those: mostly a
// packet or two of a flow. It forgets flows where others take their place, and then misses a name that comes in several
// segments. The zero value is ready. Not safe for concurrent use.
//
// A Follower that a Table made also reads what can be read of a packet by itself, so that the Table's goroutine need not:
// a ClientHello in one piece, and answers of DNS.
type Follower struct {
	queries    bool         // pass queries of DNS too, for Table.TakeTimes
	texts      *names.Texts // nil = read nothing
	message    names.Message
	addresses  []names.Address // scratch of readReply
	directions [maxFollowed]followed
	moves      mover
}

// Follower makes one whose payloads are for t, to be used by another goroutine than t's. It must come before the
// first packet.
func (t *Table) Follower() *Follower {
	texts := t.names.texts.Twin()
	return &Follower{queries: t.timed, texts: texts, message: names.Message{Texts: texts}}
}

// followed is one direction of a TCP flow of which more is wanted: left bytes from the sequence number next on.
type followed struct {
	tag        uint32
	next, left uint32
	young      bool // nothing but the SYN has been seen of it
}

const (
	// maxFollowed keeps a Follower within a core's second-level cache. Of a busy host, some hundred flows open within the
	// time that a ClientHello takes to arrive.
	maxFollowed = 1 << 12
	// youngBytes is how far ahead of the first segment others are kept until it comes.
	youngBytes = 16 << 10
	// headBytes is how long the head of a request is followed if its end is not in sight.
	headBytes = 8 << 10
	// requestBytes is how far the client's side of HTTP/2 is followed for requests to further hosts.
	requestBytes = 64 << 10
	// maxHello bounds what is followed of a ClientHello; those with post-quantum key shares have 2 KiB.
	maxHello = 18 << 10
)

// Wants says whether payload, as Decode returned it for o, may state a name, and sets p to what is to be read of it. p is
// valid until the next call, or as long as payload.
func (f *Follower) Wants(o *Observation, payload []byte, p *Payload) bool {
	if f.texts != nil && (f.readHello(o, payload, p) || f.readReply(o, payload, p)) {
		return true
	}
	if !f.wants(o, payload) {
		return false
	}
	*p = Payload{Bytes: payload}
	return true
}

// readHello reads a ClientHello in one piece, as nearly all are.
func (f *Follower) readHello(o *Observation, payload []byte, p *Payload) bool {
	if o.Proto != TCP || len(payload) == 0 || payload[0] != 0x16 || o.Flags&SYN != 0 || o.carriesDNS() {
		return false
	}
	said, whole := names.WholeHello(payload)
	if !whole {
		return false
	}
	f.forget(o)
	*p = Payload{kind: wholeHello, hello: hello{f.texts.NumberOfRaw(said.Name), f.texts.NumberOfALPN(said.ALPN), said.ECH}}
	return true
}

// readReply reads an answer of DNS over UDP.
func (f *Follower) readReply(o *Observation, payload []byte, p *Payload) bool {
	if o.Proto != UDP || len(payload) < 12 || payload[2]&0x80 == 0 {
		return false
	}
	if o.carriesDNS() && !names.MessageStart(payload) || !o.carriesDNS() && !names.IsAnswer(payload) {
		return false
	}
	reply, quick := f.message.QuickReply(payload, f.addresses)
	if !quick {
		if err := f.message.Parse(payload); err != nil && f.message.Empty() {
			return false
		}
		reply = f.message.Reply(f.addresses)
	}
	*p = Payload{kind: wholeReply, reply: reply}
	f.addresses = p.reply.Addresses
	return true
}

// direction is where the direction of a TCP packet is followed, and its tag. The Table's hash has a seed of its own in
// each process, and which direction takes another's place must not depend on that.
func (f *Follower) direction(o *Observation) (d *followed, tag uint32) {
	const k0, k1 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db
	a, b := o.Src.words()
	c, e := o.Dst.words()
	h := mix(mix(a^k0, b^k1)^c, e^uint64(o.Src.Port)<<16^uint64(o.Dst.Port)^k1)
	tag = uint32(h ^ h>>32)
	return &f.directions[tag%maxFollowed], tag
}

func (f *Follower) forget(o *Observation) {
	if d, tag := f.direction(o); d.tag == tag {
		*d = followed{}
	}
}

func (f *Follower) wants(o *Observation, payload []byte) bool {
	if o.Proto == UDP {
		// What is asked of a group or the link is answered or not, and nobody waits: only of DNS itself do queries count.
		if o.carriesDNS() && names.MessageStart(payload) && (payload[2]&0x80 != 0 || f.queries && o.Dst.Port == 53) {
			return true
		}
		return !o.carriesDNS() && names.IsAnswer(payload) || f.wantsQUIC(o, payload)
	}
	if len(payload) == 0 && o.Flags&SYN == 0 {
		return false
	}
	d, tag := f.direction(o)
	if o.Flags&SYN != 0 {
		*d = followed{tag: tag, next: o.Seq + 1, left: youngBytes, young: true}
	}
	switch {
	case len(payload) == 0:
		return false
	case o.carriesDNS():
		return true
	case names.StreamStart(payload):
		if payload[0] == 0x16 && payload[5] == 2 {
			if d.tag == tag {
				*d = followed{}
			}
			return false // a server's hello names nobody, nor does what follows it
		}
		if more := unread(payload); more > 0 {
			*d = followed{tag: tag, next: o.Seq, left: uint32(len(payload) + more)}
		} else if d.tag == tag {
			*d = followed{}
		}
		return true
	case d.tag != tag:
		return false
	}
	ahead := o.Seq - d.next
	if ahead == 0 && d.young && len(payload) >= 6 { // it would be a start
		*d = followed{}
		return false
	}
	return ahead < d.left
}

// wantsQUIC is wants of what may be QUIC or DTLS.
func (f *Follower) wantsQUIC(o *Observation, payload []byte) bool {
	if names.DatagramStart(payload) {
		f.moves.ids.Learn(payload, 0)
		return true
	}
	if f.moves.ids.Empty() || !names.IsShort(payload) {
		return false
	}
	_, tag := f.direction(o)
	return f.moves.wants(tag, payload)
}

// unread is how many bytes behind payload, which begins with a known start, may still belong to the name.
func unread(payload []byte) int {
	if names.IsPreface(payload) {
		return requestBytes
	}
	if payload[0] != 0x16 {
		for i := 3; i < len(payload); i++ {
			if payload[i] == '\n' && payload[i-2] == '\n' && payload[i-1] == '\r' {
				return 0
			}
		}
		return headBytes
	}
	if len(payload) < 9 {
		return maxHello
	}
	record := int(binary.BigEndian.Uint16(payload[3:]))
	hello := int(payload[6])<<16 | int(payload[7])<<8 | int(payload[8]) + 4
	whole := hello + 5*(hello/max(record, 1)+1) // each record has a header of five bytes
	return max(min(whole, maxHello)-len(payload), 0)
}

// carriesDNS says whether a port is one of DNS, or over UDP of mDNS, LLMNR or the NetBIOS name service.
func (o *Observation) carriesDNS() bool {
	if o.Proto == TCP {
		return o.Src.Port == 53 || o.Dst.Port == 53
	}
	return namePort(o.Src.Port) || namePort(o.Dst.Port)
}

func namePort(port uint16) bool { return port == 53 || port == 5353 || port == 5355 || port == 137 }
