package flows

import "encoding/binary"

// IP protocols of ICMP, and its messages that say that a packet did not arrive (RFC 792, RFC 4443 §3.1).
const (
	protoICMP, protoICMPv6 = 1, 58

	icmpUnreachable, icmpNeedsFragments = 3, 4 // a type, and the code of it that asks for smaller packets
	icmpv6Unreachable                   = 1
)

// unreachable reads which flow an ICMP error quotes a packet of: o then has that packet's 5-tuple beside the kind of the error.
// Errors about errors do not exist (RFC 1122 §3.2.2), so one header is looked at.
func (d *decoder) unreachable(proto uint8) {
	if len(d.data) < 8 || d.o.FragMore {
		return
	}
	switch kind, code := d.data[0], d.data[1]; {
	case proto == protoICMP && kind == icmpUnreachable && code != icmpNeedsFragments && !d.o.IPv6:
		d.quoted4(d.data[8:])
	case proto == protoICMPv6 && kind == icmpv6Unreachable && d.o.IPv6:
		d.quoted6(d.data[8:])
	}
}

func (d *decoder) quoted4(h []byte) {
	if len(h) < 20 || h[0]>>4 != 4 || binary.BigEndian.Uint16(h[6:])&0x1fff != 0 {
		return
	}
	length := int(h[0]&0x0f) * 4
	if length < 20 || len(h) < length+4 || !isFlow(h[9]) {
		return
	}
	d.quoted(HeaderIPv4, h, length)
	d.o.Src.mapV4(h[12:])
	d.o.Dst.mapV4(h[16:])
	d.quotedPorts(h[9], h[length:])
}

func (d *decoder) quoted6(h []byte) {
	if len(h) < 44 || h[0]>>4 != 6 || !isFlow(h[6]) {
		return // behind extension headers: few flows have any
	}
	d.quoted(HeaderIPv6, h, 40)
	copy(d.o.Src.Addr[:], h[8:24])
	copy(d.o.Dst.Addr[:], h[24:40])
	d.quotedPorts(h[6], h[40:])
}

func (d *decoder) quotedPorts(proto uint8, h []byte) {
	d.o.Src.Port, d.o.Dst.Port = binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:])
	d.o.Proto, d.o.signs = Protocol(proto), signUnreachable
}

// refuse notes an ICMP error about a packet of a flow. Anyone can make one up, so nothing but its own mark follows from it.
func (t *Table) refuse(o *Observation) {
	o.locate() // Decode does so for packets that make flows
	id := t.slots[t.find(o)].id
	if id == 0 {
		return
	}
	r := t.records.at(id - 1)
	if from, _ := r.sender(o.fromLow); from.packets > 0 {
		t.rares.at(id - 1).resets |= sideOf(o.fromLow) << unreachableShift
	}
}

// unreachableShift is where in rare.resets the sides are whose packets did not arrive.
const unreachableShift = 2
