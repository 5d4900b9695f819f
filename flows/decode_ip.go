package flows

import "encoding/binary"

// ipv4 decodes an IPv4 header (RFC 791) and what it carries. A packet says itself which version it is, and some rewritten captures
// announce IPv6 as IPv4.
func (d *decoder) ipv4() Kind {
	if len(d.data) > 0 && d.data[0]>>4 == 6 {
		return d.ipv6()
	}
	if len(d.data) < 20 {
		return simple(kindTruncated)
	}
	if !d.deeper() {
		return simple(kindNesting)
	}
	h := d.data
	headerLen := int(h[0]&0x0f) * 4
	if h[0]>>4 != 4 || headerLen < 20 {
		return simple(kindMalformed)
	}
	d.note(HeaderIPv4, headerLen)
	total := int(binary.BigEndian.Uint16(h[2:]))
	if total == 0 {
		total = d.wire // TSO super-frame: the NIC would have filled it in
	}
	if total < headerLen {
		return simple(kindMalformed)
	}
	d.o.IPBytes, d.o.IPv6, d.id = clampLength(total), false, binary.BigEndian.Uint16(h[4:])
	d.o.Src.mapV4(h[12:])
	d.o.Dst.mapV4(h[16:])
	d.wire = min(d.wire, total) // Ethernet pads short frames: what follows the datagram is not its
	if len(d.data) > d.wire {
		d.data = d.data[:d.wire]
	}
	fragment, proto := binary.BigEndian.Uint16(h[6:]), h[9]
	if fragment&0x3fff != 0 {
		d.o.FragID = uint32(binary.BigEndian.Uint16(h[4:]))
		if fragment&0x1fff != 0 {
			return d.laterFragment(proto)
		}
		d.o.FragMore = true
	}
	if len(d.data) < headerLen {
		return simple(kindTruncated)
	}
	d.skip(headerLen)
	return d.protocol(proto)
}

// IPv6 extension headers (RFC 8200 §4, RFC 4302, RFC 6275, RFC 7401, RFC 5533).
const (
	extHopByHop = 0
	extRouting  = 43
	extFragment = 44
	extAH       = 51
	extDest     = 60
	extMobility = 135
	extHIP      = 139
	extShim6    = 140
)

// ipv6 decodes an IPv6 header and its extension headers (RFC 8200) and what they carry.
func (d *decoder) ipv6() Kind {
	if len(d.data) < 40 {
		return simple(kindTruncated)
	}
	h := d.data
	if h[0]>>4 != 6 {
		return simple(kindMalformed)
	}
	d.note(HeaderIPv6, 40)
	total := int(binary.BigEndian.Uint16(h[4:])) + 40
	if total == 40 && h[6] != 59 {
		total = d.wire // jumbogram (RFC 2675) or BIG TCP super-frame
	}
	d.o.IPBytes, d.o.IPv6, d.id = clampLength(total), true, 0
	copy(d.o.Src.Addr[:], h[8:24])
	copy(d.o.Dst.Addr[:], h[24:40])
	d.wire = min(d.wire, total)
	if len(d.data) > d.wire {
		d.data = d.data[:max(d.wire, 40)]
	}
	next := h[6]
	d.skip(40)
	if !d.deeper() {
		return simple(kindNesting)
	}
	for { // as many as there are: each is eight bytes of the frame at least
		var kind Kind
		var done bool
		if next, kind, done = d.extension(next); done {
			return kind
		}
	}
}

// extension steps over one IPv6 extension header; done says that next is none and kind is the result.
func (d *decoder) extension(header uint8) (next uint8, kind Kind, done bool) {
	var length int
	switch header {
	case extHopByHop, extRouting, extDest, extMobility, extHIP, extShim6, extAH:
		if len(d.data) < 8 {
			return 0, simple(kindTruncated), true
		}
		if header == extAH {
			length = (int(d.data[1]) + 2) * 4
		} else {
			length = (int(d.data[1]) + 1) * 8
		}
		d.note(extensionHeader(header), length)
	case extFragment:
		if len(d.data) < 8 {
			return 0, simple(kindTruncated), true
		}
		length = 8
		d.note(HeaderPlain, length)
		offset := binary.BigEndian.Uint16(d.data[2:])
		d.o.FragID = binary.BigEndian.Uint32(d.data[4:])
		if offset&0xfff8 != 0 {
			return 0, d.laterFragment(d.data[0]), true
		}
		d.o.FragMore = offset&1 != 0
	default:
		return 0, d.protocol(header), true
	}
	next = d.data[0]
	if len(d.data) < length {
		return 0, simple(kindTruncated), true
	}
	d.skip(length)
	return next, flow, false
}

// laterFragment is a fragment without the transport header; the Table finds its flow by the
// fragment's identification.
func (d *decoder) laterFragment(proto uint8) Kind {
	if !isFlow(proto) {
		return protocolKind(proto)
	}
	d.o.FragLater, d.o.Proto = true, Protocol(proto)
	// What follows was of a tunnel's carrier.
	d.o.Src.Port, d.o.Dst.Port, d.o.Payload, d.o.signs, d.payload = 0, 0, 0, 0, nil
	return flow
}

func isFlow(proto uint8) bool { return proto == uint8(TCP) || proto == uint8(UDP) }

// protocol decodes what an IP packet carries.
func (d *decoder) protocol(proto uint8) Kind {
	if !isFlow(proto) {
		return d.encapsulated(proto)
	}
	d.o.Proto = Protocol(proto)
	d.o.Payload, d.o.signs, d.payload = 0, 0, nil // of a tunnel's carrier: what follows may be cut
	if len(d.data) < 4 {
		return simple(kindTruncated)
	}
	d.noteTransport(proto)
	d.o.Src.Port = binary.BigEndian.Uint16(d.data)
	d.o.Dst.Port = binary.BigEndian.Uint16(d.data[2:])
	if Protocol(proto) == UDP {
		d.udp()
		d.udpTunnel()
	} else {
		d.tcp()
	}
	return flow
}

// udp reads the rest of a UDP header (RFC 768). A length of 0 is a jumbogram (RFC 2675 §4) if the packet is that
// long, else a header that lies.
func (d *decoder) udp() {
	if len(d.data) < 6 {
		d.o.Snapped = true
		return
	}
	length := int(binary.BigEndian.Uint16(d.data[4:]))
	if length == 0 && d.wire > 0xffff {
		length = d.wire
	}
	d.payload = d.o.datagram(d.data, length)
}

// tcp reads the rest of a TCP header (RFC 9293 §3.1).
func (d *decoder) tcp() {
	if len(d.data) < 14 {
		d.o.Snapped = true
		return
	}
	headerLen := int(d.data[12]>>4) * 4
	d.o.Snapped = headerLen < 20 // not a header anyone sends: of the stream it tells nothing
	if !d.o.FragMore && !d.o.Snapped {
		d.payload = d.o.segment(d.data, d.wire)
		return
	}
	d.o.Seq, d.o.Ack, d.o.Flags = binary.BigEndian.Uint32(d.data[4:]), binary.BigEndian.Uint32(d.data[8:]), TCPFlags(d.data[13])
	if !d.o.FragMore {
		d.o.Payload = clampLength(d.wire - headerLen)
	} else if len(d.data) > headerLen && !d.o.Snapped {
		// No header tells how long a fragmented segment is, and Wireshark gives it no length either; but what stands here may
		// state a name.
		d.payload = d.data[headerLen:]
	}
}
