package flows

import "encoding/binary"

// pppoe decodes a PPPoE session header (RFC 2516 §4).
func (d *decoder) pppoe() Kind {
	if len(d.data) < 6 {
		return simple(kindTruncated)
	}
	if d.data[1] != 0 {
		return etherKind(0x8863) // discovery under the session EtherType
	}
	length := int(binary.BigEndian.Uint16(d.data[4:]))
	d.skip(6)
	d.wire = min(d.wire, length) // what follows is Ethernet's padding
	d.data = d.data[:min(len(d.data), d.wire)]
	return d.ppp()
}

// ppp decodes PPP with or without HDLC-like framing (RFC 1661 §2, RFC 1662 §3.1). Cisco HDLC shares the link type.
func (d *decoder) ppp() Kind {
	if !d.deeper() {
		return simple(kindNesting)
	}
	if len(d.data) < 2 {
		return simple(kindTruncated)
	}
	if (d.data[0] == 0x0f || d.data[0] == 0x8f) && d.data[1] == 0 {
		return d.ciscoHDLC()
	}
	if d.data[0] == 0xff && d.data[1] == 0x03 {
		d.skip(2)
		if len(d.data) < 2 {
			return simple(kindTruncated)
		}
	}
	protocol := uint16(d.data[0])
	if protocol&1 == 1 {
		d.skip(1) // compressed protocol field (RFC 1661 §6.5)
	} else {
		protocol = protocol<<8 | uint16(d.data[1])
		d.skip(2)
	}
	switch protocol {
	case 0x0021:
		return d.ipv4()
	case 0x0057:
		return d.ipv6()
	case 0x0281, 0x0283:
		return d.mpls()
	}
	return Kind{kindPPP, protocol}
}

// ciscoHDLC decodes an address, a control byte and an EtherType.
func (d *decoder) ciscoHDLC() Kind {
	if len(d.data) < 4 {
		return simple(kindTruncated)
	}
	t := binary.BigEndian.Uint16(d.data[2:])
	d.skip(4)
	return d.etherType(t)
}
