package anonymize

import (
	"encoding/binary"
	"net/netip"

	"apptap/capture"
	"apptap/flows"
)

// frames replaces addresses in frames. The zero value is ready but for the Mapper.
type frames struct {
	*Mapper
	headers flows.Headers
	seen    flows.Observation
	frame   []byte
}

// rewrite is p without payload and with other addresses, valid until the next call. Of frames of link types whose headers are not
// known well enough nothing is left but their lengths and times.
func (f *frames) rewrite(p *capture.Packet) []byte {
	if !known(p.LinkType) {
		return nil
	}
	flows.Inner.Headers(p, &f.seen, &f.headers)
	for _, t := range f.headers.Links { // a tap's header says of what type the frame behind it is
		if !known(t) {
			return nil
		}
	}
	f.frame = append(f.frame[:0], p.Data[:f.headers.End]...)
	for _, h := range f.headers.List {
		if h.At < len(f.frame) {
			f.header(h.Kind, f.frame[h.At:min(h.At+h.Length, len(f.frame))])
		}
	}
	return f.frame
}

// known says that the headers of a link type have no addresses but those that are replaced.
func known(t capture.LinkType) bool {
	switch t {
	case capture.LinkTypeEthernet, capture.LinkTypeLinuxSLL, capture.LinkTypeLinuxSLL2, capture.LinkTypeNull, capture.LinkTypeLoop,
		capture.LinkTypeRaw, capture.LinkTypeIPv4, capture.LinkTypeIPv6, capture.LinkTypePPP, capture.LinkTypePPPHDLC,
		capture.LinkTypePPPDirection, capture.LinkTypePPPoE, capture.LinkTypeCHDLC, capture.LinkTypeCHDLCDirection,
		capture.LinkTypeIEEE80211, capture.LinkTypeIEEE80211Radio, capture.LinkTypeMPLS, capture.LinkTypeENC, capture.LinkTypePKTAP:
		return true
	}
	return false
}

func (f *frames) header(kind flows.HeaderKind, h []byte) {
	switch kind {
	case flows.HeaderEthernet:
		f.macs(h, 0, 6)
	case flows.HeaderSLL:
		f.cooked(h, 6)
	case flows.HeaderSLL2:
		f.cooked(h, 12)
	case flows.HeaderWLAN:
		f.wlan(h)
	case flows.HeaderARP:
		f.arp(h)
	case flows.HeaderIPv4:
		f.ipv4(h)
	case flows.HeaderIPv6:
		f.addrs16(h, 8, 24)
	case flows.HeaderIPv6Options:
		clear(h[min(2, len(h)):]) // padding, as options
	case flows.HeaderIPv6Routing:
		f.routing(h)
	case flows.HeaderTCP:
		tcp(h)
	case flows.HeaderUDP:
		clear(h[min(6, len(h)):])
	case flows.HeaderICMP, flows.HeaderICMPv6:
		f.icmp(kind, h)
	case flows.HeaderGENEVE, flows.HeaderNSH:
		clear(h[min(8, len(h)):])
	case flows.HeaderTeredo:
		teredo(h)
	}
}

func (f *frames) macs(h []byte, at ...int) {
	for _, i := range at {
		if i+6 <= len(h) {
			f.MAC(h[i : i+6])
		} else if i < len(h) {
			clear(h[i:])
		}
	}
}

// cooked replaces the sender's link-layer address of a Linux cooked header: up to 8 bytes, and how many stands in front in version
// 1 and in version 2.
func (f *frames) cooked(h []byte, at int) {
	length := 0
	if at == 6 && len(h) >= 6 {
		length = int(binary.BigEndian.Uint16(h[4:]))
	} else if len(h) > 11 {
		length = int(h[11])
	}
	if length == 6 && len(h) >= at+6 {
		f.MAC(h[at : at+6])
		clear(h[at+6 : min(at+8, len(h))])
		return
	}
	clear(h[min(at, len(h)):min(at+8, len(h))]) // IP tunnels have their address there
}

// wlan replaces the three or four addresses of an 802.11 data frame.
func (f *frames) wlan(h []byte) {
	f.macs(h, 4, 10, 16)
	const toDS, fromDS = 1, 2
	if len(h) > 24 && h[1]&(toDS|fromDS) == toDS|fromDS {
		f.macs(h, 24)
	}
}

// arp replaces the addresses of an ARP packet for IPv4 over Ethernet (RFC 826); nothing is left of others.
func (f *frames) arp(h []byte) {
	if len(h) < 28 || binary.BigEndian.Uint32(h) != 0x00010800 || h[4] != 6 || h[5] != 4 {
		clear(h)
		return
	}
	f.macs(h, 8, 18)
	f.addrs4(h, 14, 24)
}

func (f *frames) addrs4(h []byte, at ...int) {
	for _, i := range at {
		if i+4 > len(h) {
			clear(h[min(i, len(h)):])
			continue
		}
		replaced := f.Addr(netip.AddrFrom4([4]byte(h[i:]))).As4()
		copy(h[i:], replaced[:])
	}
}

func (f *frames) addrs16(h []byte, at ...int) {
	for _, i := range at {
		if i+16 > len(h) {
			clear(h[min(i, len(h)):])
			continue
		}
		replaced := f.Addr(netip.AddrFrom16([16]byte(h[i:]))).As16()
		copy(h[i:], replaced[:])
	}
}

// ipv4 replaces the addresses, makes the options, which may have addresses, no-operations, and sums the header up again.
func (f *frames) ipv4(h []byte) {
	f.addrs4(h, 12, 16)
	for i := 20; i < len(h); i++ {
		h[i] = 1 // RFC 791 §3.1
	}
	if len(h) >= 12 {
		h[10], h[11] = 0, 0
		binary.BigEndian.PutUint16(h[10:], checksum(h))
	}
}

// checksum is RFC 1071's.
func checksum(h []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(h); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// routing replaces the addresses of an IPv6 routing header of type 0, 2 or 4 (RFC 8200 §4.4, 6275, 8754) and drops what else it
// has: of an unknown type all.
func (f *frames) routing(h []byte) {
	const fixed = 8
	if len(h) < fixed {
		clear(h[min(2, len(h)):])
		return
	}
	rest := h[fixed:]
	if kind := h[2]; kind != 0 && kind != 2 && kind != 4 {
		clear(h[3:])
		return
	}
	for ; len(rest) >= 16; rest = rest[16:] {
		f.addrs16(rest, 0)
	}
	clear(rest)
}

// tcp drops the checksum, which tells of the payload, and makes options but the usual ones no-operations: MPTCP's have addresses.
func tcp(h []byte) {
	if len(h) < 20 {
		clear(h[min(16, len(h)):])
		return
	}
	h[16], h[17] = 0, 0
	const end, nop, size, scale, sackPermitted, sack, stamps = 0, 1, 2, 3, 4, 5, 8
	for o := h[20:]; len(o) > 0; {
		length := 1
		if o[0] > nop && len(o) > 1 {
			length = max(int(o[1]), 2)
		}
		if o[0] == end || length > len(o) || o[0] > nop && len(o) == 1 {
			fill(o, nop)
			return
		}
		usual := false // of the length that it always has
		switch o[0] {
		case nop:
			usual = true
		case sackPermitted:
			usual = length == 2
		case scale:
			usual = length == 3
		case size:
			usual = length == 4
		case stamps:
			usual = length == 10
		case sack:
			usual = length <= 34
		}
		if !usual {
			fill(o[:length], nop)
		}
		o = o[length:]
	}
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

// icmp keeps the first 8 bytes, in which a redirect has a gateway's address, without the checksum. Of what an error quotes the
// headers stand in the list by themselves.
func (f *frames) icmp(kind flows.HeaderKind, h []byte) {
	if len(h) < 8 {
		clear(h)
		return
	}
	h[2], h[3] = 0, 0
	const redirect, advertisement = 5, 134
	switch {
	case kind == flows.HeaderICMP && h[0] == redirect:
		f.addrs4(h, 4)
	case kind == flows.HeaderICMPv6 && h[0] > advertisement:
		clear(h[4:])
	}
}

// teredo drops identifiers, and the address that an origin indication has (RFC 4380 §5.1.1).
func teredo(h []byte) {
	keep := 2
	if len(h) > 1 && h[1] == 1 {
		keep = 4 // lengths
	}
	clear(h[min(keep, len(h)):])
}
