package flows

import (
	"encoding/binary"

	"apptap/capture"
)

// shim decodes link types that put a short header of their own before something that is decoded elsewhere
// (https://www.tcpdump.org/linktypes.html).
func (d *decoder) shim(t capture.LinkType) Kind {
	switch t {
	case capture.LinkTypePPI:
		return d.ppi()
	case capture.LinkTypePFLOG:
		return d.pflog()
	case capture.LinkTypeENC:
		return d.enc()
	case capture.LinkTypeIPNET:
		if !d.drop(24) {
			return simple(kindTruncated)
		}
		return d.rawIP()
	case capture.LinkTypeMPLS:
		return d.mpls()
	case capture.LinkTypeATMRFC1483:
		return d.llc()
	case capture.LinkTypeCHDLCDirection:
		if !d.drop(1) {
			return simple(kindTruncated)
		}
		return d.ciscoHDLC()
	case capture.LinkTypeFrameRelay:
		return d.frameRelay()
	case capture.LinkTypeFrameRelayDirection:
		if !d.drop(1) {
			return simple(kindTruncated)
		}
		return d.frameRelay()
	case capture.LinkTypeARCNET:
		return d.arcnet(2)
	case capture.LinkTypeARCNETLinux:
		return d.arcnet(4)
	case capture.LinkTypeIPOIB:
		if len(d.data) < 44 {
			return simple(kindTruncated)
		}
		etherType := binary.BigEndian.Uint16(d.data[40:])
		d.skip(44) // a global routing header; the EtherType and two bytes (RFC 4391 §6)
		return d.etherType(etherType)
	case capture.LinkTypeJuniperEthernet:
		return d.juniper()
	case capture.LinkTypeIEEE1394:
		if len(d.data) < 18 {
			return simple(kindTruncated)
		}
		etherType := binary.BigEndian.Uint16(d.data[16:])
		d.skip(18) // two EUI-64 and the EtherType (RFC 2734)
		return d.etherType(etherType)
	}
	return Kind{kindLinkType, uint16(t)}
}

// ppi is a length and a link type in little-endian order before the frame, whatever fields lie between.
func (d *decoder) ppi() Kind {
	if len(d.data) < 8 {
		return simple(kindTruncated)
	}
	length, inner := int(binary.LittleEndian.Uint16(d.data[2:])), binary.LittleEndian.Uint32(d.data[4:])
	if length < 8 || inner > 0xffff {
		return simple(kindMalformed)
	}
	if !d.deeper() { // it may hold itself
		return simple(kindNesting)
	}
	if !d.drop(length) {
		return simple(kindTruncated)
	}
	return d.link(capture.LinkType(inner).Canonical())
}

// pflog is the header of the BSDs' packet filter log: its length, to be rounded up to 4 bytes, and the address family.
func (d *decoder) pflog() Kind {
	if len(d.data) < 2 {
		return simple(kindTruncated)
	}
	length, family := (int(d.data[0])+3)&^3, d.data[1]
	if !d.drop(length) {
		return simple(kindTruncated)
	}
	return d.family(uint32(family))
}

// enc is the header of OpenBSD's IPsec interface: the address family in the host's byte order, SPI and flags.
func (d *decoder) enc() Kind {
	if len(d.data) < 12 {
		return simple(kindTruncated)
	}
	family := binary.LittleEndian.Uint32(d.data)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(d.data)
	}
	d.skip(12)
	return d.family(family)
}

// frameRelay decodes an address of two to four bytes (ITU-T Q.922 §3.3) and what follows: a protocol's number (RFC 2427 §3), or as
// Cisco has it an EtherType.
func (d *decoder) frameRelay() Kind {
	address := 2
	for address <= 4 && len(d.data) >= address && d.data[address-1]&1 == 0 {
		address++
	}
	if len(d.data) < address+2 {
		return simple(kindTruncated)
	}
	if address > 4 {
		return simple(kindMalformed)
	}
	d.skip(address)
	const unnumbered, snap, ipv4, ipv6, ppp = 0x03, 0x80, 0xcc, 0x8e, 0xcf
	if d.data[0] != unnumbered {
		etherType := binary.BigEndian.Uint16(d.data)
		d.skip(2)
		return d.etherType(etherType)
	}
	d.skip(1)
	if d.data[0] == 0 { // padding
		d.skip(1)
	}
	if len(d.data) < 1 {
		return simple(kindTruncated)
	}
	number := d.data[0]
	d.skip(1)
	switch number {
	case ipv4:
		return d.ipv4()
	case ipv6:
		return d.ipv6()
	case ppp:
		return d.ppp()
	case snap:
		if len(d.data) < 5 {
			return simple(kindTruncated)
		}
		oui, t := uint32(d.data[0])<<16|uint32(d.data[1])<<8|uint32(d.data[2]), binary.BigEndian.Uint16(d.data[3:])
		if oui != 0 {
			return simple(kindLLC)
		}
		d.skip(5)
		return d.etherType(t)
	}
	return simple(kindLLC)
}

// arcnet steps over two addresses of a byte (and Linux's offset, RFC 1201 §2.2), the protocol's number and, but for the protocols of
// RFC 1051, a split flag and a sequence number. A split flag of 255 is an exception packet's: the number and the flag come once more.
func (d *decoder) arcnet(addresses int) Kind {
	const ip1051, ip1201, ipv6, exception = 240, 212, 196, 0xff
	if len(d.data) < addresses+2 {
		return simple(kindTruncated)
	}
	number, split := d.data[addresses], d.data[addresses+1]
	length := addresses + 4
	switch {
	case number == ip1051:
		length = addresses + 1
	case number != ip1201 && number != ipv6:
		return simple(kindLLC)
	case split == exception:
		if length += 4; len(d.data) < length {
			return simple(kindTruncated)
		}
		split = d.data[length-3]
	}
	if number != ip1051 && split != 0 && split&1 == 0 {
		return simple(kindFragment) // a later part of a packet (RFC 1201 §2.3)
	}
	if !d.drop(length) {
		return simple(kindTruncated)
	}
	if number == ipv6 {
		return d.ipv6()
	}
	return d.ipv4()
}

// juniper is a header of Juniper's routers before an Ethernet frame: a magic number, flags, and extensions behind their
// length. A router that strips the frame's own header writes the protocol's number in its place.
func (d *decoder) juniper() Kind {
	const stripped, extended = 2, 0x80
	if len(d.data) < 6 {
		return simple(kindTruncated)
	}
	if d.data[0] != 'M' || d.data[1] != 'G' || d.data[2] != 'C' {
		return simple(kindMalformed)
	}
	flags, length := d.data[3], 4
	if flags&extended != 0 {
		length = 6 + int(binary.BigEndian.Uint16(d.data[4:]))
	}
	if flags&stripped != 0 {
		length += 4
	}
	if !d.drop(length) {
		return simple(kindTruncated)
	}
	if flags&stripped != 0 {
		return d.rawIP()
	}
	return d.ethernet()
}
