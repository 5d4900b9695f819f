package flows_test

import (
	"encoding/binary"
	"net/netip"

	"apptap/capture"
	"apptap/fixtures"
)

// be joins header fields given as bytes, uint16 and uint32 (in network order) and byte slices.
func be(fields ...any) []byte {
	var b []byte
	for _, field := range fields {
		switch f := field.(type) {
		case int:
			b = append(b, byte(f))
		case uint16:
			b = binary.BigEndian.AppendUint16(b, f)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, f)
		case string:
			b = append(b, f...)
		case []byte:
			b = append(b, f...)
		}
	}
	return b
}

func zeros(n int) []byte { return make([]byte, n) }

// inIPv4 and inIPv6 put a payload into a plain header between two routers.
func inIPv4(proto int, payload []byte) []byte {
	return be(0x45, 0, uint16(20+len(payload)), uint32(0), 64, proto, uint16(0), "\x0a\x00\x00\x01", "\x0a\x00\x00\x02", payload)
}

func inIPv6(next int, payload []byte) []byte {
	router := netip.MustParseAddr("2001:db8:ffff::1").AsSlice()
	return be(0x60, 0, uint16(0), uint16(len(payload)), next, 64, router, router, payload)
}

// inUDP is a datagram between routers on the port of a tunnel.
func inUDP(port uint16, payload []byte) []byte {
	return inIPv4(17, be(uint16(40000), port, uint16(8+len(payload)), uint16(0), payload))
}

// etherOf is the EtherType of an IP packet.
func etherOf(ip []byte) uint16 {
	if ip[0]>>4 == 6 {
		return 0x86dd
	}
	return 0x0800
}

// macs are two addresses that no pseudowire control word looks like.
const macs = "\x02\x00\x00\x00\x00\x01" + "\x02\x00\x00\x00\x00\x02"

func inEthernet(etherType uint16, payload []byte) []byte { return be(macs, etherType, payload) }

// wrapping puts an IP packet or an Ethernet frame into another.
type wrapping struct {
	name   string
	from   shape
	to     shape
	tunnel bool // with UDP ports of its own, 40000 and those of the tunnel
	wrap   func(b []byte) []byte
}

// shape is what bytes begin with.
type shape uint8

const (
	ipPacket shape = iota
	etherFrame
)

// wrappings are the encapsulations without a link type of their own, each with the rule it follows.
func wrappings() []wrapping {
	return append(append(ipWrappings(), etherWrappings()...), tunnelWrappings()...)
}

func ipWrappings() []wrapping {
	ether := func(name string, wrap func([]byte) []byte) wrapping {
		return wrapping{name, ipPacket, etherFrame, false, wrap}
	}
	ip := func(name string, wrap func([]byte) []byte) wrapping {
		return wrapping{name, ipPacket, ipPacket, false, wrap}
	}
	return []wrapping{
		ether("Ethernet II (RFC 894)", func(b []byte) []byte { return inEthernet(etherOf(b), b) }),
		ether("Ethernet trailer", func(b []byte) []byte { return be(inEthernet(etherOf(b), b), "\x01\x02\x03\x04") }),
		ether("802.1Q", func(b []byte) []byte { return inEthernet(0x8100, be(uint16(7), etherOf(b), b)) }),
		ether("802.1ad", func(b []byte) []byte {
			return inEthernet(0x88a8, be(uint16(7), uint16(0x8100), uint16(8), etherOf(b), b))
		}),
		ether("SNAP (RFC 1042)", func(b []byte) []byte {
			return inEthernet(uint16(8+len(b)), be("\xaa\xaa\x03\x00\x00\x00", etherOf(b), b))
		}),
		ether("SNAP in a VLAN", func(b []byte) []byte {
			return inEthernet(0x8100, be(uint16(7), uint16(8+len(b)), "\xaa\xaa\x03\x00\x00\x00", etherOf(b), b))
		}),
		ether("E-TAG (802.1BR)", func(b []byte) []byte { return inEthernet(0x893f, be(zeros(6), etherOf(b), b)) }),
		ether("HSR (IEC 62439-3)", func(b []byte) []byte { return inEthernet(0x892f, be(uint16(6+len(b)), uint16(1), etherOf(b), b)) }),
		ether("R-TAG (802.1CB)", func(b []byte) []byte { return inEthernet(0xf1c1, be(zeros(4), etherOf(b), b)) }),
		ether("Cisco MetaData", func(b []byte) []byte { return inEthernet(0x8909, be(1, 1, uint16(1), uint16(7), etherOf(b), b)) }),
		ether("Cisco MetaData of two options", func(b []byte) []byte {
			return inEthernet(0x8909, be(1, 2, zeros(8), etherOf(b), b))
		}),
		ether("Arista's time stamp of 64 bits", func(b []byte) []byte {
			return inEthernet(0xd28b, be(uint16(1), uint16(0x10), zeros(8), etherOf(b), b))
		}),
		ether("Arista's time stamp of 48 bits", func(b []byte) []byte {
			return inEthernet(0xd28b, be(uint16(1), uint16(0x21), zeros(6), etherOf(b), b))
		}),
		ether("MACsec without encryption (802.1AE §9.3)", func(b []byte) []byte {
			return inEthernet(0x88e5, be("\x00\x00", uint32(7), etherOf(b), b, zeros(16)))
		}),
		ether("MACsec with the sender's identifier", func(b []byte) []byte {
			return inEthernet(0x88e5, be("\x20\x00", uint32(7), zeros(8), etherOf(b), b, zeros(16)))
		}),
		ether("MPLS (RFC 3032)", func(b []byte) []byte { return inEthernet(0x8847, be(uint32(0x10040), uint32(0x20140), b)) }),
		ether("PPPoE (RFC 2516)", func(b []byte) []byte {
			return inEthernet(0x8864, be(0x11, 0, uint16(1), uint16(2+len(b)), pppOf(b), b, zeros(3)))
		}),
		ip("IPv4 (RFC 2003, 4213)", func(b []byte) []byte { return inIPv4(protoOf(b), b) }),
		ip("IPv6 (RFC 2473)", func(b []byte) []byte { return inIPv6(protoOf(b), b) }),
		ip("GRE (RFC 2784)", func(b []byte) []byte { return inIPv4(47, be(uint16(0), etherOf(b), b)) }),
		ip("GRE with all fields (RFC 2890)", func(b []byte) []byte { return inIPv4(47, be(uint16(0xb000), etherOf(b), zeros(12), b)) }),
		ip("GRE in IPv6", func(b []byte) []byte { return inIPv6(47, be(uint16(0), etherOf(b), b)) }),
		ip("PPTP (RFC 2637 §4.1)", func(b []byte) []byte {
			return inIPv4(47, be(uint16(0x3081), uint16(0x880b), zeros(12), "\xff\x03", pppOf(b), b))
		}),
		ip("PPTP, fields compressed (RFC 1661 §6.5)", func(b []byte) []byte {
			return inIPv4(47, be(uint16(0x2001), uint16(0x880b), zeros(4), int(pppOf(b)), b))
		}),
		ip("MPLS in GRE (RFC 4023)", func(b []byte) []byte { return inIPv4(47, be(uint16(0), uint16(0x8847), uint32(0x10140), b)) }),
		ip("MPLS in IP (RFC 4023)", func(b []byte) []byte { return inIPv4(137, be(uint32(0x10140), b)) }),
		ip("ERSPAN III of an IP packet", func(b []byte) []byte {
			return inIPv4(47, be(uint16(0x1000), uint16(0x22eb), uint32(1), "\x20\x07", zeros(8), 2<<2, 0, b))
		}),
		ip("802.11 of Aruba in GRE", func(b []byte) []byte {
			return inIPv4(47, be(uint16(0), uint16(0x8240), "\x08\x01", zeros(22), "\xaa\xaa\x03\x00\x00\x00", etherOf(b), b))
		}),
		ip("PIM Register (RFC 7761 §4.9.3)", func(b []byte) []byte { return inIPv4(103, be("\x21\x00", uint16(0xdeff), uint32(0), b)) }),
		ip("AH (RFC 4302)", func(b []byte) []byte { return inIPv4(51, be(protoOf(b), 4, zeros(22), b)) }),
		ip("AH in IPv6", func(b []byte) []byte { return inIPv6(51, be(protoOf(b), 4, zeros(22), b)) }),
		ip("destination options", func(b []byte) []byte { return inIPv6(60, be(protoOf(b), 0, "\x01\x04\x00\x00\x00\x00", b)) }),
		ip("atomic fragment (RFC 6946)", func(b []byte) []byte { return inIPv6(44, be(protoOf(b), zeros(7), b)) }),
	}
}

func etherWrappings() []wrapping {
	same := func(name string, wrap func([]byte) []byte) wrapping {
		return wrapping{name, etherFrame, etherFrame, false, wrap}
	}
	ip := func(name string, wrap func([]byte) []byte) wrapping {
		return wrapping{name, etherFrame, ipPacket, false, wrap}
	}
	return []wrapping{
		same("802.1ah", func(b []byte) []byte { return inEthernet(0x88e7, be(uint32(5), b)) }),
		same("802.1ah behind a B-TAG", func(b []byte) []byte {
			return inEthernet(0x88a8, be(uint16(9), uint16(0x88e7), uint32(5), b))
		}),
		same("pseudowire (RFC 4448)", func(b []byte) []byte { return inEthernet(0x8847, be(uint32(0x10140), b)) }),
		same("pseudowire to VRRP's address (RFC 5798 §7.3)", func(b []byte) []byte {
			return inEthernet(0x8847, be(uint32(0x10140), "\x00\x00\x5e\x00\x01\x07", b[6:]))
		}),
		same("pseudowire with control word (RFC 4448 §4.6)", func(b []byte) []byte {
			return inEthernet(0x8847, be(uint32(0x10140), uint32(77), b))
		}),
		same("NSH (RFC 8300)", func(b []byte) []byte {
			return inEthernet(0x894f, be("\x0f\xc6\x01\x03", uint32(0x100ff), zeros(16), b))
		}),
		same("TRILL (RFC 6325 §3.2)", func(b []byte) []byte { return inEthernet(0x22f3, be(uint16(2<<6|5), uint32(0x00010002), zeros(8), b)) }),
		ip("Ethernet over IP of MikroTik", func(b []byte) []byte {
			return inIPv4(47, be(uint16(0x2001), uint16(0x6400), uint16(len(b)), uint16(9), b))
		}),
		ip("bridged GRE", func(b []byte) []byte { return inIPv4(47, be(uint16(0x2000), uint16(0x6558), uint32(9), b)) }),
		ip("ERSPAN I", func(b []byte) []byte { return inIPv4(47, be(uint16(0), uint16(0x88be), b)) }),
		ip("ERSPAN II", func(b []byte) []byte {
			return inIPv4(47, be(uint16(0x1000), uint16(0x88be), uint32(1), "\x10\x07", zeros(6), b))
		}),
		ip("ERSPAN III", func(b []byte) []byte {
			return inIPv4(47, be(uint16(0x1000), uint16(0x22eb), uint32(1), "\x20\x07", zeros(10), b))
		}),
		ip("ERSPAN III with subheader", func(b []byte) []byte {
			return inIPv4(47, be(uint16(0x1000), uint16(0x22eb), uint32(1), "\x20\x07", zeros(9), 1, zeros(8), b))
		}),
		ip("Ethernet in IPv6 (RFC 8986 §4.9)", func(b []byte) []byte { return inIPv6(143, b) }),
		ip("EtherIP (RFC 3378)", func(b []byte) []byte { return inIPv4(97, be(uint16(0x3000), b)) }),
	}
}

func tunnelWrappings() []wrapping {
	of := func(name string, from shape, port uint16, header func(b []byte) []byte) wrapping {
		return wrapping{name, from, ipPacket, true, func(b []byte) []byte { return inUDP(port, be(header(b), b)) }}
	}
	plain := func(fields ...any) func([]byte) []byte { return func([]byte) []byte { return be(fields...) } }
	return []wrapping{
		of("VXLAN (RFC 7348)", etherFrame, 4789, plain("\x08\x00\x00\x00\x00\x00\x07\x00")),
		of("VXLAN of Linux", etherFrame, 8472, plain("\x08\x00\x00\x00\x00\x00\x07\x00")),
		of("VXLAN-GPE Ethernet", etherFrame, 4790, plain("\x0c\x00\x00\x03\x00\x00\x07\x00")),
		of("VXLAN-GPE IP", ipPacket, 4790, func(b []byte) []byte { return be("\x0c\x00\x00", 1+int(b[0]>>4)/6, uint32(0x700)) }),
		of("VXLAN-GPE NSH", etherFrame, 4790, plain("\x0c\x00\x00\x04\x00\x00\x07\x00", "\x0f\xc2\x02\x03", uint32(0x100ff))),
		of("GENEVE (RFC 8926)", etherFrame, 6081, plain(uint16(0), uint16(0x6558), uint32(0x700))),
		of("GENEVE with options", etherFrame, 6081, plain(uint16(0x0240), uint16(0x6558), uint32(0x700), zeros(8))),
		of("GTP-U (TS 29.281)", ipPacket, 2152, plain("\x30\xff\x00\x00", uint32(1))),
		of("GTP-U with a sequence number", ipPacket, 2152, plain("\x32\xff\x00\x00", uint32(1), "\x00\x01\x00\x00")),
		of("GTP-U with extension headers", ipPacket, 2152, plain("\x34\xff\x00\x00", uint32(1), "\x00\x00\x00\x85", "\x01\x00\x07\x40", "\x02\x00\x00\x00\x00\x00\x00\x00")),
		of("GRE in UDP (RFC 8086)", ipPacket, 4754, func(b []byte) []byte { return be(uint16(0x2000), etherOf(b), uint32(7)) }),
		of("AYIYA", ipPacket, 5072, func(b []byte) []byte { return be("\x44\x52\x11", protoOf(b), uint32(7), zeros(16+20)) }),
		of("L2TP (RFC 2661)", ipPacket, 1701, func(b []byte) []byte { return be(uint16(2), uint32(0x00010002), "\xff\x03", pppOf(b)) }),
		of("L2TP with all fields", ipPacket, 1701, func(b []byte) []byte {
			return be(uint16(0x4a02), uint16(18+len(b)), uint32(0x00010002), zeros(4), uint16(3), zeros(3), int(pppOf(b)))
		}),
		of("LISP (RFC 9300)", ipPacket, 4341, plain("\x88\x00\x00\x07", uint32(9))),
		of("CAPWAP of Ethernet (RFC 5415)", etherFrame, 5247, plain("\x00\x10\x00\x00", uint32(0))),
		of("CAPWAP with a radio's address", etherFrame, 5247, plain("\x00\x20\x00\x10", uint32(0), "\x06", zeros(7))),
		of("CAPWAP of 802.11", ipPacket, 5247, func(b []byte) []byte {
			return be("\x00\x10\x03\x00", uint32(0), "\x08\x01", zeros(22), "\xaa\xaa\x03\x00\x00\x00", etherOf(b))
		}),
		of("CAPWAP of 802.11, bytes swapped", ipPacket, 5247, func(b []byte) []byte {
			return be("\x00\x10\x03\x00", uint32(0), "\x01\x08", zeros(22), "\xaa\xaa\x03\x00\x00\x00", etherOf(b))
		}),
		of("MPLS in UDP (RFC 7510)", ipPacket, 6635, plain(uint32(0x10140))),
	}
}

// pppOf and protoOf are the PPP protocol and the IP protocol of an IP packet.
func pppOf(ip []byte) uint16 {
	if ip[0]>>4 == 6 {
		return 0x0057
	}
	return 0x0021
}

func protoOf(ip []byte) int {
	if ip[0]>>4 == 6 {
		return 41
	}
	return 4
}

// segment is the one TCP segment that all of this is wrapped around: 7 bytes of payload.
func segment(v6 bool) []byte {
	src, dst := host4, peer4
	if v6 {
		src, dst = host6, peer6
	}
	return fixtures.TCP(src, dst, "PA", 1000, 2000, []byte("payload"), fixtures.Link(capture.LinkTypeRaw))
}
