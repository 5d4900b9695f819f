package flows

import (
	"encoding/binary"

	"apptap/capture"
)

// Trace is what tells a packet from others of its flow and stays as it is from hop to hop, beside what an Observation has:
// no TTL, no checksum, no link-layer address.
type Trace struct {
	id     uint16 // IPv4 identification, 0 with IPv6
	via    uint32 // the interface's number in a Linux cooked capture of any interface, else 0
	prefix uint64 // the first payload bytes, 0 where fewer were captured
	bare   bool   // captured without a link layer, as tunnels' interfaces are
}

// tracedBytes is how much of a payload a Trace has.
const tracedBytes = 8

// arphrdNone is the type of an interface without a link layer (include/uapi/linux/if_arp.h): TUN and WireGuard.
const arphrdNone = 0xfffe

// content is what sightings of one packet have in common, whatever a NAT writes into it.
type content struct {
	proto            Protocol
	ipv6, later      bool
	flags            TCPFlags
	id               uint16
	seq, ack, length uint32
	frag             uint32
	prefix           uint64
}

// place is where a packet was captured.
type place struct {
	iface uint16
	via   uint32
}

func (d *decoder) trace(p *capture.Packet) Trace {
	t := Trace{id: d.id}
	switch p.LinkType {
	case capture.LinkTypeRaw, capture.LinkTypeIPv4, capture.LinkTypeIPv6, capture.LinkTypeNull, capture.LinkTypeLoop:
		t.bare = true
	case capture.LinkTypeLinuxSLL2: // https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
		if len(p.Data) >= 10 {
			t.via = binary.BigEndian.Uint32(p.Data[4:])
			t.bare = binary.BigEndian.Uint16(p.Data[8:]) == arphrdNone
		}
	}
	if len(d.payload) >= tracedBytes {
		t.prefix = binary.BigEndian.Uint64(d.payload)
	}
	return t
}

func contentOf(o *Observation, t Trace) content {
	return content{
		proto: o.Proto, ipv6: o.IPv6, later: o.FragLater, flags: o.Flags, id: t.id,
		seq: o.Seq, ack: o.Ack, length: o.IPBytes, frag: o.FragID, prefix: t.prefix,
	}
}

// place is the bit of where a packet was captured; 0 says that it cannot be compared.
func (r *Repeats) place(o *Observation, t Trace) uint64 {
	if !o.Kind.Decoded() || o.Snapped {
		return 0
	}
	at := place{o.Interface, t.via}
	n, known := r.places[at]
	if !known {
		if n = uint(len(r.places)); n == maxRepeatInterfaces {
			return 0
		}
		r.places[at] = n
	}
	return 1 << n
}
