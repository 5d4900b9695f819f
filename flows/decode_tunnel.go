package flows

import "encoding/binary"

// IP protocols that carry another packet.
const (
	protoIPIP    = 4
	protoIPv6    = 41
	protoGRE     = 47
	protoAH      = 51
	protoEtherIP = 97
	protoPIM     = 103
	protoMPLS    = 137
	protoEther   = 143
	// The IPv6 extension headers that may also stand inside IPv4 are numbered with the protocols.
)

// encapsulated decodes what an IP packet carries that is neither TCP nor UDP.
func (d *decoder) encapsulated(proto uint8) Kind {
	d.o.FragMore = false // the first part of a packet has the headers of what it carries, and as much of its payload as there is
	switch proto {
	case protoIPIP:
		return d.ipv4()
	case protoIPv6:
		return d.ipv6()
	case protoGRE:
		return d.gre()
	case protoAH:
		return d.authenticated()
	case protoEtherIP:
		if !d.drop(2) {
			return simple(kindTruncated)
		}
		return d.ethernet() // RFC 3378
	case protoPIM:
		return d.register()
	case protoMPLS:
		return d.mpls() // RFC 4023
	case protoEther:
		return d.ethernet() // RFC 8986 §4.9
	case protoICMP, protoICMPv6:
		d.note(icmpHeader(proto), 8)
		d.unreachable(proto)
	}
	return protocolKind(proto)
}

// authenticated steps over an Authentication Header in IPv4 (RFC 4302 §2).
func (d *decoder) authenticated() Kind {
	if !d.deeper() {
		return simple(kindNesting)
	}
	next, kind, done := d.extension(extAH)
	if done {
		return kind
	}
	return d.protocol(next)
}

// register decodes the packet of a multicast sender that its router passes on in a PIM message (RFC 7761 §4.9.3). Without a
// packet, to ask whether more are wanted, only an IP header follows, which says that it carries PIM.
func (d *decoder) register() Kind {
	const version2 = 0x21
	if len(d.data) < 8 || d.data[0] != version2 || d.data[1] != 0 {
		return protocolKind(protoPIM)
	}
	d.note(HeaderPlain, 8)
	d.skip(8)
	if len(d.data) == 0 || d.data[0]>>4 != 4 && d.data[0]>>4 != 6 {
		return protocolKind(protoPIM)
	}
	return d.rawIP()
}

// gre decodes GRE (RFC 2784, 2890), its PPTP variant (RFC 2637 §4.1) and ERSPAN inside it.
func (d *decoder) gre() Kind {
	if len(d.data) < 4 {
		return simple(kindTruncated)
	}
	d.note(HeaderPlain, 4)
	const checksum, routing, key, sequence, ack = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
	flags, t := binary.BigEndian.Uint16(d.data), binary.BigEndian.Uint16(d.data[2:])
	length := 4
	for _, field := range []uint16{checksum | routing, key, sequence} {
		if flags&field != 0 {
			length += 4
		}
	}
	if flags&7 == 1 && flags&ack != 0 {
		length += 4
	}
	if flags&7 > 1 || flags&routing != 0 {
		return protocolKind(protoGRE)
	}
	if len(d.data) < length {
		return simple(kindTruncated)
	}
	d.skip(length)
	switch {
	case t == etherERSPAN && flags&sequence == 0:
		return d.ethernet() // type I has no header of its own
	case t == etherERSPAN:
		if !d.drop(8) {
			return simple(kindTruncated)
		}
		return d.ethernet()
	case t == etherERSPAN3:
		return d.erspan3()
	case t == greWCCP:
		return d.redirected()
	case t == greEoIP:
		return d.ethernet()
	case t >= greAruba && t <= greArubaLast && t&0xf == 0:
		return d.wlan()
	case t == etherPPP && len(d.data) == 0, t < etherMinimum:
		return protocolKind(protoGRE) // a PPTP acknowledgement; a keep-alive's answer has type 0
	}
	return d.etherType(t)
}

// Protocol types of GRE that are no EtherTypes.
const (
	greWCCP      = 0x883e // draft-mclaggan-wccp-v2rev1 §4.12
	greEoIP      = 0x6400 // MikroTik's Ethernet over IP
	greAruba     = 0x8200 // 802.11 frames from an access point, a type for each of its interfaces
	greArubaLast = 0x8370
)

// redirected decodes a packet that a router redirects to a cache: WCCP version 2 has four bytes before it.
func (d *decoder) redirected() Kind {
	if len(d.data) > 4 && d.data[0]>>4 != 4 {
		d.skip(4)
	}
	return d.rawIP()
}

// erspan3 skips the 12-byte header and, if its last bit says so, the 8-byte subheader. What was mirrored is Ethernet or,
// by the frame type, a bare IP packet (draft-foschiano-erspan-03 §4.3).
func (d *decoder) erspan3() Kind {
	if len(d.data) < 12 {
		return simple(kindTruncated)
	}
	const frameIP = 2
	header, frame := 12, d.data[10]>>2&0x1f
	if d.data[11]&1 != 0 {
		header += 8
	}
	if !d.drop(header) {
		return simple(kindTruncated)
	}
	if frame == frameIP {
		return d.rawIP()
	}
	return d.ethernet()
}
