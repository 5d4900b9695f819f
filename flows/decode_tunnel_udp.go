package flows

import "encoding/binary"

// UDP ports of tunnels (IANA service names; 8472 is Linux's first choice for VXLAN).
const (
	portVXLAN      = 4789
	portVXLANLinux = 8472
	portVXLANGPE   = 4790
	portGENEVE     = 6081
	portGTPU       = 2152
	portTeredo     = 3544
	portMPLS       = 6635
	portGRE        = 4754
	portAYIYA      = 5072
	portL2TP       = 1701
	portLISP       = 4341
	portCAPWAP     = 5247
)

// udpTunnel follows a UDP tunnel to the flow inside, where that is wanted. Where there is none inside, the
// packet belongs to the flow that carries it; a later IP fragment inside finds its flow as others do, and so do
// those of a datagram that carries a packet.
func (d *decoder) udpTunnel() {
	if d.tunnels != Inner || len(d.data) < 8 {
		return
	}
	carrier, payload, headers := *d.o, d.payload, d.headers.count()
	d.payload, d.o.FragMore = nil, false
	d.skip(8)
	kind := d.tunnel(carrier.Dst.Port)
	if kind == noTunnel {
		kind = d.tunnel(carrier.Src.Port)
	}
	switch {
	case !kind.Decoded(), carrier.FragMore && (d.o.FragMore || d.o.FragLater):
		*d.o, d.payload = carrier, payload
		d.headers.forget(headers)
	case carrier.FragMore:
		key := fragmentOf(&carrier)
		d.o.FragMore, d.o.FragID, d.o.marks = true, key.number(), d.o.marks|markCarried
	}
}

// tunnel decodes what a UDP datagram of this port carries. There are no function values here: they
// would move the decoder to the heap.
func (d *decoder) tunnel(port uint16) Kind {
	switch port {
	case portVXLAN, portVXLANLinux:
		if !d.drop(8) { // RFC 7348 section 5
			return simple(kindTruncated)
		}
		return d.ethernet()
	case portVXLANGPE:
		return d.vxlanGPE()
	case portGENEVE:
		return d.geneve()
	case portGTPU:
		return d.gtpU()
	case portTeredo:
		return d.teredo()
	case portMPLS:
		return d.mpls()
	case portGRE:
		return d.gre() // RFC 8086
	case portAYIYA:
		return d.ayiya()
	case portL2TP:
		return d.l2tp()
	case portLISP:
		return d.lisp()
	case portCAPWAP:
		return d.capwap()
	}
	return noTunnel
}

var noTunnel = protocolKind(uint8(UDP))

// vxlanGPE is VXLAN with a next-protocol byte (draft-ietf-nvo3-vxlan-gpe §3.1).
func (d *decoder) vxlanGPE() Kind {
	if len(d.data) < 8 {
		return simple(kindTruncated)
	}
	next := d.data[3]
	d.skip(8)
	return d.serviced(next)
}

// geneve is RFC 8926 §3.4.
func (d *decoder) geneve() Kind {
	if len(d.data) < 8 {
		return simple(kindTruncated)
	}
	header, t := 8+int(d.data[0]&0x3f)*4, binary.BigEndian.Uint16(d.data[2:])
	if d.data[0]>>6 != 0 {
		return simple(kindMalformed)
	}
	if len(d.data) < header {
		return simple(kindTruncated)
	}
	d.note(HeaderGENEVE, header)
	d.skip(header)
	return d.etherType(t)
}

// gtpU is a GTP version 1 user-plane packet with its optional fields and extension headers (3GPP TS
// 29.281 §5).
func (d *decoder) gtpU() Kind {
	const version1, gPDU = 1, 255
	if len(d.data) < 8 {
		return simple(kindTruncated)
	}
	flags := d.data[0]
	if flags>>5 != version1 || flags&0x10 == 0 || d.data[1] != gPDU {
		return simple(kindMalformed)
	}
	d.skip(8)
	if flags&7 == 0 {
		return d.rawIP()
	}
	if len(d.data) < 4 {
		return simple(kindTruncated)
	}
	extension := d.data[3]
	if flags&4 == 0 {
		extension = 0
	}
	d.skip(4)
	for extension != 0 {
		if !d.deeper() {
			return simple(kindNesting)
		}
		if len(d.data) < 4 {
			return simple(kindTruncated)
		}
		length := int(d.data[0]) * 4
		if length == 0 {
			return simple(kindMalformed)
		}
		if len(d.data) < length {
			return simple(kindTruncated)
		}
		extension = d.data[length-1]
		d.skip(length)
	}
	return d.rawIP()
}

// ayiya is draft-massar-v6ops-ayiya-02 §3: lengths of an identity and of a signature, what is to be done with the packet,
// and the protocol of what follows those and a time.
func (d *decoder) ayiya() Kind {
	const forward = 1
	if len(d.data) < 8 {
		return simple(kindTruncated)
	}
	header, next := 8+1<<(d.data[0]>>4)+int(d.data[1]>>4)*4, d.data[3]
	if d.data[2]&0xf != forward {
		return noTunnel
	}
	d.note(HeaderPlain, header)
	if !d.drop(header) {
		return simple(kindTruncated)
	}
	switch next {
	case protoIPv6:
		return d.ipv6()
	case protoIPIP:
		return d.ipv4()
	}
	return noTunnel
}

// l2tp is a data message of version 2 (RFC 2661 §3.1), which carries PPP. Version 3 says nowhere in the packet what it carries.
func (d *decoder) l2tp() Kind {
	const control, length, sequence, offset, version = 0x8000, 0x4000, 0x0800, 0x0200, 0x000f
	if len(d.data) < 6 {
		return simple(kindTruncated)
	}
	flags, header := binary.BigEndian.Uint16(d.data), 6
	if flags&version != 2 || flags&control != 0 {
		return noTunnel
	}
	if flags&length != 0 {
		header += 2
	}
	if flags&sequence != 0 {
		header += 4
	}
	if flags&offset != 0 {
		if len(d.data) < header+2 {
			return simple(kindTruncated)
		}
		header += 2 + int(binary.BigEndian.Uint16(d.data[header:]))
	}
	if !d.drop(header) {
		return simple(kindTruncated)
	}
	return d.ppp()
}

// lisp is RFC 9300 §5.1. With the P bit of LISP-GPE (RFC 9305 §3) the last byte says what follows.
func (d *decoder) lisp() Kind {
	const gpe, nextIPv4, nextIPv6, nextEthernet = 0x04, 1, 2, 3
	if len(d.data) < 8 {
		return simple(kindTruncated)
	}
	flags, next := d.data[0], d.data[7]
	d.skip(8)
	switch {
	case flags&gpe == 0:
		return d.rawIP()
	case next == nextIPv4:
		return d.ipv4()
	case next == nextIPv6:
		return d.ipv6()
	case next == nextEthernet:
		return d.ethernet()
	}
	return noTunnel
}

// capwap is what an access point and its controller pass on (RFC 5415 §4.3): Ethernet, or the frame as it was on the air. Of
// one in fragments the first is read. Cisco's devices have the two bytes of an 802.11 frame control in the other order.
func (d *decoder) capwap() Kind {
	const native, fragment, keepAlive, wlan, wlanIsData = 0x000100, 0x000080, 0x000008, 1, 8
	if len(d.data) < 8 {
		return simple(kindTruncated)
	}
	word := binary.BigEndian.Uint32(d.data)
	offset := binary.BigEndian.Uint16(d.data[6:]) >> 3
	switch {
	case word>>24 != 0: // another version, or DTLS: encrypted
		return noTunnel
	case word&keepAlive != 0, word&fragment != 0 && offset != 0:
		return noTunnel
	}
	if header := int(word>>19&0x1f) * 4; header < 8 || !d.drop(header) {
		return simple(kindTruncated)
	}
	switch {
	case word&native == 0:
		return d.ethernet()
	case word>>9&0x1f == wlan:
		control, flags := d.frameControl()
		if control&0xf != wlanIsData {
			control, flags = flags, control
		}
		return d.wlanData(control, flags, 1)
	}
	return noTunnel
}

// teredo is RFC 4380 §5.1.1: optional authentication and origin fields before an IPv6 packet.
func (d *decoder) teredo() Kind {
	for d.deeper() {
		if len(d.data) < 4 {
			return simple(kindTruncated)
		}
		switch binary.BigEndian.Uint16(d.data) {
		case 0x0001:
			d.note(HeaderTeredo, 4+int(d.data[2])+int(d.data[3])+9)
			if !d.drop(4 + int(d.data[2]) + int(d.data[3]) + 9) {
				return simple(kindTruncated)
			}
		case 0x0000:
			d.note(HeaderTeredo, 8)
			if !d.drop(8) {
				return simple(kindTruncated)
			}
		default:
			return d.ipv6()
		}
	}
	return simple(kindNesting)
}
