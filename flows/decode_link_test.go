package flows_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"apptap/capture"
	"apptap/flows"
)

// little joins little-endian fields as be does those in network order.
func little(fields ...any) []byte {
	var b []byte
	for _, field := range fields {
		switch f := field.(type) {
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, f)
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, f)
		default:
			b = append(b, be(f)...)
		}
	}
	return b
}

// framed is a segment behind a link-layer header.
type framed struct {
	name string
	link capture.LinkType
	v6   bool
	data []byte
}

func snap(ip []byte) []byte { return be("\xaa\xaa\x03\x00\x00\x00", etherOf(ip), ip) }

// wlanHeader is the 24 bytes of an 802.11 data frame (IEEE 802.11-2020 §9.2.3).
func wlanHeader(control, flags int) []byte { return be(control, flags, zeros(22)) }

// pktap1 and pktap2 are Apple's headers (xnu bsd/net/pktap.h).
func pktap1(dlt uint32, length int, frame []byte) []byte {
	head := little(uint32(length), uint32(1), dlt, "en0", zeros(21), uint32(2), uint32(2), zeros(length-44))
	return be(head, frame)
}

func pktap2(dlt uint16, frame []byte) []byte {
	head := little(44, 0, 0, 40, 0, 0, dlt, zeros(20), uint32(7), uint32(7), uint32(0x80002), "en0\x00")
	return be(head, frame)
}

func wlanFrames() []framed {
	ip := segment(false)
	qos, ht := wlanHeader(0x88, 1), wlanHeader(0x88, 0x81)
	msdu := be(zeros(12), uint16(8+len(ip)), snap(ip))
	radio := func(present ...any) []byte { return little(present...) }
	const plain, tap = capture.LinkTypeIEEE80211, capture.LinkTypeIEEE80211Radio
	return []framed{
		{"802.11 data", plain, false, be(wlanHeader(8, 1), snap(ip))},
		{"802.11 QoS", plain, false, be(qos, zeros(2), snap(ip))},
		{"802.11 of 4 addresses", plain, false, be(wlanHeader(8, 3), zeros(6), snap(ip))},
		{"802.11 QoS of 4 addresses with HT control", plain, false, be(wlanHeader(0x88, 0x83), zeros(6+2+4), snap(ip))},
		{"802.11 QoS with HT control", plain, false, be(ht, zeros(2+4), snap(ip))},
		{"802.11 A-MSDU", plain, false, be(qos, 0x80, 0, msdu, zeros(3), zeros(60))},
		{"radiotap", tap, false, be(radio(uint16(0), uint16(8), uint32(0)), qos, zeros(2), snap(ip))},
		{"radiotap with an FCS", tap, false, be(radio(uint16(0), uint16(9), uint32(2), 0x10), qos, zeros(2), snap(ip), zeros(4))},
		{"radiotap with padding behind two words and TSFT", tap, false,
			be(radio(uint16(0), uint16(25), uint32(1<<31|3), uint32(0), zeros(4+8), 0x20), qos, zeros(2+2), snap(ip))},
	}
}

func linkFrames() []framed {
	ip, ip6 := segment(false), segment(true)
	ether := inEthernet(0x0800, ip)
	list := append(wlanFrames(), []framed{
		{"SLL with a VLAN", capture.LinkTypeLinuxSLL, false, be(zeros(14), uint16(0x8100), uint16(7), uint16(0x0800), ip)},
		{"NULL with an EtherType", capture.LinkTypeNull, true, be(uint16(0x0f00), uint16(0x86dd), ip6)},
		{"SLL2", capture.LinkTypeLinuxSLL2, true, be(uint16(0x86dd), zeros(18), ip6)},
		{"PPP", capture.LinkTypePPP, false, be("\xff\x03", uint16(0x21), ip)},
		{"PPP, protocol field compressed", capture.LinkTypePPP, true, be("\xff\x03\x57", ip6)},
		{"PPP, both fields compressed", capture.LinkTypePPP, false, be(0x21, ip)},
		{"PPP, address and control compressed", capture.LinkTypePPPHDLC, true, be(uint16(0x57), ip6)},
		{"PPP with direction", capture.LinkTypePPPDirection, false, be(1, "\xff\x03", uint16(0x21), ip)},
		{"Cisco HDLC under PPP_SERIAL", capture.LinkTypePPPHDLC, false, be(uint16(0x0f00), uint16(0x0800), ip)},
		{"Cisco HDLC", capture.LinkTypeCHDLC, true, be(uint16(0x8f00), uint16(0x86dd), ip6)},
		{"PPPoE", capture.LinkTypePPPoE, false, be(0x11, 0, uint16(1), uint16(2+len(ip)), uint16(0x21), ip)},
		{"NFLOG", capture.LinkTypeNFLOG, false, little(2, 0, uint16(0), uint16(5), uint16(10), "p\x00\x00\x00", uint16(4+len(ip)), uint16(9), ip)},
		{"NFLOG of a big-endian host", capture.LinkTypeNFLOG, true, be(10, 0, uint16(0), uint16(8), uint16(1), zeros(4), uint16(4+len(ip6)), uint16(9), ip6)},
		{"PPI before Ethernet", capture.LinkTypePPI, false, little(0, 0, uint16(12), uint32(1), zeros(4), ether)},
		{"PPI before 802.11", capture.LinkTypePPI, false, little(0, 0, uint16(8), uint32(105), wlanHeader(8, 1), snap(ip))},
		{"PFLOG of OpenBSD", capture.LinkTypePFLOG, true, be(61, 24, zeros(62), ip6)},
		{"PFLOG", capture.LinkTypePFLOG, false, be(48, 2, zeros(46), ip)},
		{"ENC", capture.LinkTypeENC, false, little(uint32(2), zeros(8), ip)},
		{"ENC of a big-endian host", capture.LinkTypeENC, true, be(uint32(24), zeros(8), ip6)},
		{"IPNET", capture.LinkTypeIPNET, true, be(1, 26, zeros(22), ip6)},
		{"MPLS", capture.LinkTypeMPLS, false, be(uint32(0x10140), ip)},
		{"ATM by RFC 1483", capture.LinkTypeATMRFC1483, false, snap(ip)},
		{"Cisco HDLC with direction", capture.LinkTypeCHDLCDirection, false, be(0, uint16(0x0f00), uint16(0x0800), ip)},
		{"Frame Relay (RFC 2427)", capture.LinkTypeFrameRelay, false, be("\x18\x41\x03\xcc", ip)},
		{"Frame Relay, four bytes of address, padded", capture.LinkTypeFrameRelay, true, be("\x18\x40\x00\x01\x03\x00\x8e", ip6)},
		{"Frame Relay with SNAP", capture.LinkTypeFrameRelay, false, be("\x18\x41\x03\x00\x80", zeros(3), uint16(0x0800), ip)},
		{"Frame Relay with PPP (RFC 1973)", capture.LinkTypeFrameRelay, false, be("\x18\x41\x03\xcf", uint16(0x21), ip)},
		{"Frame Relay as Cisco has it", capture.LinkTypeFrameRelay, true, be("\x18\x41", uint16(0x86dd), ip6)},
		{"Frame Relay with direction", capture.LinkTypeFrameRelayDirection, false, be(1, "\x18\x41\x03\xcc", ip)},
		{"IEEE 1394 (RFC 2734)", capture.LinkTypeIEEE1394, false, be(zeros(16), uint16(0x0800), ip)},
		{"SLL of Frame Relay", capture.LinkTypeLinuxSLL, false, be(zeros(2), uint16(770), zeros(12), "\x18\x41\x03\xcc", ip)},
		{"SLL of radiotap", capture.LinkTypeLinuxSLL, false, be(zeros(2), uint16(803), zeros(10), uint16(4), little(uint16(0), uint16(8), uint32(0)), wlanHeader(8, 1), snap(ip))},
		{"SLL of an Ethernet frame", capture.LinkTypeLinuxSLL, false, be(zeros(14), uint16(3), ether)},
		{"SLL2 of PPP", capture.LinkTypeLinuxSLL2, true, be(uint16(7), zeros(18), uint16(0x57), ip6)},
		{"Juniper Ethernet", capture.LinkTypeJuniperEthernet, false, be("MGC\x80", uint16(3), "\x03\x01\x01", ether)},
		{"Juniper Ethernet without extensions", capture.LinkTypeJuniperEthernet, false, be("MGC\x00", ether)},
		{"Juniper Ethernet, stripped", capture.LinkTypeJuniperEthernet, false, be("MGC\x02", little(uint32(2)), ip)},
		{"IPoIB", capture.LinkTypeIPOIB, true, be(zeros(40), uint16(0x86dd), uint16(0), ip6)},
		{"IPv6 announced as IPv4", capture.LinkTypeCHDLC, true, be(uint16(0x0f00), uint16(0x0800), ip6)},
		{"ARCNET (RFC 1201)", capture.LinkTypeARCNET, false, be(1, 2, 212, 0, uint16(9), ip)},
		{"ARCNET, exception packet", capture.LinkTypeARCNET, false, be(1, 2, 212, 0xff, zeros(2), 212, 0, uint16(9), ip)},
		{"ARCNET, first of two", capture.LinkTypeARCNET, true, be(1, 2, 196, 1, uint16(9), ip6)},
		{"ARCNET (RFC 1051)", capture.LinkTypeARCNET, false, be(1, 2, 240, ip)},
		{"ARCNET of Linux", capture.LinkTypeARCNETLinux, false, be(1, 2, uint16(0xea08), 212, 0, uint16(9), ip)},
		{"RAW of OpenBSD", capture.LinkType(12).Canonical(), true, ip6},
		{"RAW of BSD/OS", capture.LinkType(14).Canonical(), false, ip},
	}...)
	for _, t := range []capture.LinkType{capture.LinkTypePKTAP, capture.LinkTypeUser2} {
		list = append(list, framed{fmt.Sprint("PKTAP 1 of 108 bytes under ", t), t, false, pktap1(1, 108, ether)},
			framed{fmt.Sprint("PKTAP 1 of 156 bytes under ", t), t, true, pktap1(0, 156, be("\x1e\x00\x00\x00", ip6))},
			framed{fmt.Sprint("PKTAP 2 under ", t), t, false, pktap2(1, ether)},
			framed{fmt.Sprint("PKTAP 2 of a utun under ", t), t, true, pktap2(12, ip6)})
	}
	for _, af := range []uint32{10, 23, 24, 26, 28, 30} {
		list = append(list, framed{fmt.Sprint("NULL little-endian ", af), capture.LinkTypeNull, true, be(little(af), ip6)},
			framed{fmt.Sprint("NULL big-endian ", af), capture.LinkTypeNull, true, be(af, ip6)},
			framed{fmt.Sprint("LOOP ", af), capture.LinkTypeLoop, true, be(af, ip6)})
	}
	return list
}

// TestDecodeLinkTypes: the headers of https://www.tcpdump.org/linktypes.html as real captures have them.
func TestDecodeLinkTypes(t *testing.T) {
	for _, f := range linkFrames() {
		checkViews(t, f.link, onion{data: f.data, names: []string{f.name}}, f.v6)
	}
}

// TestDecodeCutInTunnel: of a segment in a tunnel that was cut in its header nothing is known but its flow; what is known of the
// carrier's datagram is not its own.
func TestDecodeCutInTunnel(t *testing.T) {
	inside := inIPv4(6, segment(false)[20:])
	frame := inEthernet(0x0800, inIPv4(17, be(uint16(1029), uint16(4789), uint16(16+14+len(inside)), uint16(0), zeros(8), inEthernet(0x0800, inside))))
	cut := len(frame) - len(inside) + 20 + 12
	var o flows.Observation
	payload := flows.Inner.Decode(&capture.Packet{Data: frame[:cut], Length: len(frame), LinkType: capture.LinkTypeEthernet}, &o)
	if o.Proto != flows.TCP || !o.Snapped || o.Payload != 0 || len(payload) > 0 {
		t.Errorf("got %+v with payload % x, want a segment of unknown payload", o, payload)
	}
}

// TestDecodeRedirected: what a router redirects to a cache is IPv4 in GRE, behind four bytes in version 2 of WCCP.
func TestDecodeRedirected(t *testing.T) {
	for _, header := range [][]byte{nil, be("\x05\x59\x00\x48")} {
		data := inIPv4(47, be(uint16(0), uint16(0x883e), header, segment(false)))
		checkViews(t, capture.LinkTypeRaw, onion{data: data, names: []string{fmt.Sprintf("WCCP with % x", header)}}, false)
	}
}

// TestDecodeTunnelFragment: the first fragment of a packet that carries another belongs to the flow of that, with the part of its payload
// that is in it; the rest has no header and is GRE.
func TestDecodeTunnelFragment(t *testing.T) {
	whole := inIPv4(47, be(uint16(0), uint16(0x0800), segment(false)))
	first, rest := slices.Clone(whole[:20+4+40+3]), slices.Concat(whole[:20], whole[20+4+40+3:])
	binary.BigEndian.PutUint16(first[2:], uint16(len(first)))
	binary.BigEndian.PutUint16(first[6:], 0x2000)
	binary.BigEndian.PutUint16(rest[2:], uint16(len(rest)))
	binary.BigEndian.PutUint16(rest[6:], 6)
	var o flows.Observation
	payload := flows.Outer.Decode(packet(capture.LinkTypeRaw, first), &o)
	if !o.Kind.Decoded() || o.Src.Port != host4.Port() || o.IPBytes != 47 || o.Payload != 3 || string(payload) != "pay" || o.FragMore {
		t.Errorf("first fragment: got %+v with payload %q, want three bytes of the segment within", o, payload)
	}
	flows.Outer.Decode(packet(capture.LinkTypeRaw, rest), &o)
	if o.Kind.String() != "gre" {
		t.Errorf("later fragment: kind %q, want gre", o.Kind)
	}
}

// TestDecodeTeredo: what may stand before the IPv6 packet in a Teredo tunnel (RFC 4380 §5.1.1).
func TestDecodeTeredo(t *testing.T) {
	authentication, origin := be("\x00\x01\x02\x03", zeros(2+3+9)), be("\x00\x00", uint16(0x1234), uint32(0x0a000001))
	for name, header := range map[string][]byte{
		"bare": nil, "authentication": authentication, "origin": origin, "both": slices.Concat(authentication, origin),
	} {
		datagram := inUDP(3544, be(header, segment(true)))
		for tunnels, proto := range map[flows.Tunnels]flows.Protocol{flows.Outer: flows.UDP, flows.Inner: flows.TCP} {
			var o flows.Observation
			tunnels.Decode(&capture.Packet{Data: datagram, Length: len(datagram), LinkType: capture.LinkTypeRaw}, &o)
			if o.Proto != proto || o.IPv6 != (proto == flows.TCP) || proto == flows.TCP && o.Payload != 7 {
				t.Errorf("%s, tunnels %d: got %+v", name, tunnels, o)
			}
		}
	}
}

// TestDecodeAggregated: an A-MSDU counts for its first packet's flow, or the last's where the innermost is wanted, whatever lies between.
func TestDecodeAggregated(t *testing.T) {
	part := func(payload []byte) []byte {
		b := be(zeros(12), uint16(len(payload)), payload)
		return append(b, zeros(-len(b)&3)...)
	}
	qos := be(wlanHeader(0x88, 1), 0x80, 0)
	arp := be("\xaa\xaa\x03", zeros(3), uint16(0x0806), zeros(28))
	for name, tt := range map[string]struct {
		data         []byte
		outer, inner bool // of IPv6
	}{
		"one":           {be(qos, part(snap(segment(false)))), false, false},
		"two":           {be(qos, part(snap(segment(false))), part(be("\xaa\xaa\x03", zeros(3), uint16(0x86dd), segment(true)))), false, true},
		"ARP before":    {be(qos, part(arp), part(snap(segment(false)))), false, false},
		"ARP behind":    {be(qos, part(snap(segment(false))), part(arp)), false, false},
		"cut behind it": {be(qos, part(snap(segment(false))), zeros(13)), false, false},
	} {
		for tunnels, v6 := range map[flows.Tunnels]bool{flows.Outer: tt.outer, flows.Inner: tt.inner} {
			var o flows.Observation
			tunnels.Decode(&capture.Packet{Data: tt.data, Length: len(tt.data), LinkType: capture.LinkTypeIEEE80211}, &o)
			if !o.Kind.Decoded() || o.IPv6 != v6 || o.Proto != flows.TCP {
				t.Errorf("%s, tunnels %d: got %+v, want IPv6 %t", name, tunnels, o, v6)
			}
		}
	}
}

// TestDecodeWLANWithoutData: 802.11 frames in which there is nothing to read.
func TestDecodeWLANWithoutData(t *testing.T) {
	carried := snap(segment(false))
	for name, data := range map[string][]byte{
		"management":               be(wlanHeader(0x80, 0), carried),
		"data that is encrypted":   be(wlanHeader(0x08, 0x41), carried),
		"null data":                be(wlanHeader(0x48, 1), carried),
		"shorter than any of data": wlanHeader(0x08, 1)[:23],
		"one byte":                 {0x08},
	} {
		var o flows.Observation
		flows.Outer.Decode(packet(capture.LinkTypeIEEE80211, data), &o)
		if o.Kind.String() != "wlan" {
			t.Errorf("%s: kind %q, want wlan", name, o.Kind)
		}
	}
}

// TestDecodeNotTraffic: packets that quote, acknowledge or hide a segment, and are none.
func TestDecodeNotTraffic(t *testing.T) {
	ip, ip6 := segment(false), segment(true)
	for _, tt := range []struct {
		name, want string
		data       []byte
	}{
		{"ICMP error (RFC 792)", "icmp", inIPv4(1, be("\x03\x01", zeros(6), ip))},
		{"ICMPv6 error (RFC 4443 §3)", "icmpv6", inIPv6(58, be("\x01\x04", zeros(6), ip6))},
		{"ICMP error in GRE", "icmp", inIPv4(47, be(uint16(0), uint16(0x0800), inIPv4(1, be("\x0b\x00", zeros(6), ip))))},
		{"GRE keep-alive's answer", "gre", inIPv4(47, zeros(4))},
		{"GRE keep-alive", "gre", inIPv4(47, be(uint16(0), uint16(0x0800), inIPv4(47, zeros(4))))},
		{"PPTP acknowledgement", "gre", inIPv4(47, be(uint16(0x2081), uint16(0x880b), zeros(8)))},
		{"IPComp (RFC 3173)", "ipcomp", inIPv4(108, be("\x06\x00\x00\x02", zeros(20)))},
		{"ESP (RFC 4303)", "esp", inIPv6(50, zeros(40))},
		{"no next header (RFC 8200 §4.7)", "ipv6_no_next_header", inIPv6(59, zeros(8))},
		{"pseudowire's associated channel (RFC 5586)", "mpls", inIPv4(137, be(uint32(0x10140), "\x10\x00\x00\x21", zeros(20)))},
	} {
		var o flows.Observation
		flows.Inner.Decode(packet(capture.LinkTypeRaw, tt.data), &o)
		if got := o.Kind.String(); got != tt.want {
			t.Errorf("%s: kind %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestDecodeLinkTypeNames: what is not decoded has at least its name.
func TestDecodeLinkTypeNames(t *testing.T) {
	for link, want := range map[capture.LinkType]string{189: "linktype_usb_linux", 201: "linktype_bluetooth_hci_h4_with_phdr", 149: "linktype_user2", 9999: "linktype_9999"} {
		var o flows.Observation
		flows.Outer.Decode(packet(link, zeros(60)), &o)
		if got := o.Kind.String(); got != want {
			t.Errorf("link type %d: kind %q, want %q", link, got, want)
		}
	}
}
