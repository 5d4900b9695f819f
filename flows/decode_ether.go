package flows

import "encoding/binary"

// EtherTypes (https://www.iana.org/assignments/ieee-802-numbers) that are followed.
const (
	etherIPv4       = 0x0800
	etherARP        = 0x0806
	etherTrans      = 0x6558 // Transparent Ethernet Bridging
	etherVLAN       = 0x8100
	etherIPv6       = 0x86dd
	etherMPLS       = 0x8847
	etherMPLSMulti  = 0x8848
	etherPPPoE      = 0x8864
	etherPPP        = 0x880b
	etherQinQ       = 0x88a8
	etherERSPAN     = 0x88be // types I and II
	etherERSPAN3    = 0x22eb
	etherPBB        = 0x88e7 // 802.1ah I-TAG
	etherVNTag      = 0x8926 // 802.1BR
	etherFabricPath = 0x8903
	etherCMD        = 0x8909 // Cisco MetaData, TrustSec's security group tag
	etherETag       = 0x893f // 802.1BR
	etherHSR        = 0x892f // IEC 62439-3
	etherRTag       = 0xf1c1 // 802.1CB
	etherTRILL      = 0x22f3 // RFC 6325
	etherMACsec     = 0x88e5 // 802.1AE
	etherArista     = 0xd28b // Arista's time stamps
	etherNSH        = 0x894f
	etherOldQinQ    = 0x9100
	etherOldQinQ2   = 0x9200
	etherMinimum    = 0x0600 // smaller values are an IEEE 802.3 length: LLC follows
)

// etherType decodes what a frame of this EtherType carries.
func (d *decoder) etherType(t uint16) Kind {
	for d.deeper() {
		switch t {
		case etherIPv4:
			return d.ipv4()
		case etherIPv6:
			return d.ipv6()
		case etherVLAN, etherQinQ, etherOldQinQ, etherOldQinQ2:
			if len(d.data) < 4 {
				return simple(kindTruncated)
			}
			if d.hops <= 2 {
				d.o.marks |= markTagged
			}
			t = binary.BigEndian.Uint16(d.data[2:])
			d.skip(4)
		case etherVNTag:
			if len(d.data) < 6 {
				return simple(kindTruncated)
			}
			t = binary.BigEndian.Uint16(d.data[4:])
			d.skip(6)
		case etherETag, etherHSR, etherRTag, etherCMD, etherArista:
			var ok bool
			if t, ok = d.tag(t); !ok {
				return simple(kindTruncated)
			}
		case etherMACsec:
			next, kind := d.secured()
			if !kind.Decoded() {
				return kind
			}
			t = next
		case etherTRILL:
			return d.trill()
		case etherTrans:
			return d.ethernet()
		case etherPBB:
			if !d.drop(4) {
				return simple(kindTruncated)
			}
			return d.ethernet() // I-SID, then the customer's frame
		case etherFabricPath:
			if !d.drop(2) {
				return simple(kindTruncated)
			}
			return d.ethernet() // tag, then the frame inside
		case etherMPLS, etherMPLSMulti:
			return d.mpls()
		case etherPPPoE:
			return d.pppoe()
		case etherPPP:
			return d.ppp()
		case etherNSH:
			return d.nsh()
		default:
			if t < etherMinimum {
				return d.llc()
			}
			if t == etherARP {
				d.note(HeaderARP, 28)
			}
			return etherKind(t)
		}
	}
	return simple(kindNesting)
}

// tag steps over a tag that ends in the EtherType of what follows.
func (d *decoder) tag(t uint16) (next uint16, ok bool) {
	if len(d.data) < 4 {
		return 0, false
	}
	length := 6
	switch {
	case t == etherETag:
		length = 8
	case t == etherCMD: // a version, the options' length in words, and those
		length = 4 + int(d.data[1])*4
	case t == etherArista: // subtype 1 is a time stamp: of 64 bits, or of 48 if this bit is set
		if length = 14; binary.BigEndian.Uint16(d.data[2:])&0x20 != 0 {
			length = 12
		}
	}
	if len(d.data) < length {
		return 0, false
	}
	next = binary.BigEndian.Uint16(d.data[length-2:])
	d.skip(length)
	return next, true
}

// secured steps over a security tag (IEEE 802.1AE §9.3) whose frame is authenticated and not encrypted, and returns the
// EtherType of what follows. The check value at the frame's end is like Ethernet's padding.
func (d *decoder) secured() (next uint16, kind Kind) {
	const explicit, encrypted, changed = 0x20, 8, 4
	if len(d.data) < 6 {
		return 0, simple(kindTruncated)
	}
	length := 6
	if d.data[0]&explicit != 0 {
		length += 8
	}
	if d.data[0]&(encrypted|changed) != 0 {
		return 0, etherKind(etherMACsec)
	}
	if len(d.data) < length+2 {
		return 0, simple(kindTruncated)
	}
	next = binary.BigEndian.Uint16(d.data[length:])
	d.skip(length + 2)
	return next, flow
}

// trill steps over a TRILL header and its options (RFC 6325 §3.2); what it carries is Ethernet.
func (d *decoder) trill() Kind {
	if len(d.data) < 2 {
		return simple(kindTruncated)
	}
	options := int(binary.BigEndian.Uint16(d.data)>>6&0x1f) * 4
	if !d.drop(6 + options) {
		return simple(kindTruncated)
	}
	return d.ethernet()
}

// nsh steps over a Network Service Header (RFC 8300 §2.2): its length in words of four bytes, and what follows.
func (d *decoder) nsh() Kind {
	if len(d.data) < 8 {
		return simple(kindTruncated)
	}
	length, next := int(d.data[1]&0x3f)*4, d.data[3]
	if d.data[0]>>6 != 0 || length < 8 {
		return simple(kindMalformed)
	}
	d.note(HeaderNSH, length)
	if !d.drop(length) {
		return simple(kindTruncated)
	}
	return d.serviced(next)
}

// serviced decodes what a next-protocol byte of NSH or VXLAN-GPE announces (IANA's registry of NSH parameters).
func (d *decoder) serviced(next byte) Kind {
	switch next {
	case 1:
		return d.ipv4()
	case 2:
		return d.ipv6()
	case 3:
		return d.ethernet()
	case 4:
		if !d.deeper() {
			return simple(kindNesting)
		}
		return d.nsh()
	case 5:
		return d.mpls()
	}
	return simple(kindMalformed)
}

// llc decodes IEEE 802.2: a SNAP header with OUI 0 carries an EtherType (RFC 1042), SAP 6 is IP.
func (d *decoder) llc() Kind {
	if len(d.data) < 3 {
		return simple(kindTruncated)
	}
	d.note(HeaderPlain, 8)
	switch {
	case d.data[0] == 0x06 && d.data[1] == 0x06:
		if !d.drop(3) {
			return simple(kindTruncated)
		}
		return d.rawIP()
	case len(d.data) < 8 || d.data[0] != 0xaa || d.data[1] != 0xaa:
		return simple(kindLLC)
	}
	oui := uint32(d.data[3])<<16 | uint32(d.data[4])<<8 | uint32(d.data[5])
	t := binary.BigEndian.Uint16(d.data[6:])
	if oui != 0 && oui != 0x0000f8 || t < etherMinimum { // 0x0000f8: bridged by RFC 1042 over 802.1H
		return simple(kindLLC)
	}
	d.skip(8)
	return d.etherType(t)
}
