package flows_test

import (
	"bytes"
	"net/netip"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

var (
	host4, peer4 = netip.MustParseAddrPort("192.0.2.2:51584"), netip.MustParseAddrPort("198.51.100.7:443")
	host6, peer6 = netip.MustParseAddrPort("[2001:db8::2]:51584"), netip.MustParseAddrPort("[2001:db8::7]:443")
)

func packet(t capture.LinkType, data []byte) *capture.Packet {
	return &capture.Packet{Time: 1e18, Data: data, Length: len(data), LinkType: t}
}

func TestDecodeFrames(t *testing.T) {
	body := []byte("payload")
	options := make([]byte, 12)
	tests := []struct {
		name     string
		link     capture.LinkType
		src, dst netip.AddrPort
		options  []fixtures.Option
		header   uint32 // IP and TCP header bytes together
	}{
		{"ethernet IPv4", capture.LinkTypeEthernet, host4, peer4, nil, 40},
		{"ethernet IPv6", capture.LinkTypeEthernet, host6, peer6, nil, 60},
		{"padded to 60 bytes", capture.LinkTypeEthernet, host4, peer4, []fixtures.Option{fixtures.Padding(9)}, 40},
		{"VLAN", capture.LinkTypeEthernet, host4, peer4, []fixtures.Option{fixtures.VLAN(7)}, 40},
		{"QinQ", capture.LinkTypeEthernet, host6, peer6, []fixtures.Option{fixtures.VLAN(7, 8)}, 60},
		{"SLL", capture.LinkTypeLinuxSLL, host4, peer4, nil, 40},
		{"SLL2", capture.LinkTypeLinuxSLL2, host6, peer6, nil, 60},
		{"SLL2 with VLAN", capture.LinkTypeLinuxSLL2, host4, peer4, []fixtures.Option{fixtures.VLAN(9)}, 40},
		{"NULL IPv4", capture.LinkTypeNull, host4, peer4, nil, 40},
		{"NULL IPv6 of Darwin", capture.LinkTypeNull, host6, peer6, nil, 60},
		{"LOOP", capture.LinkTypeLoop, host6, peer6, nil, 60},
		{"RAW IPv4", capture.LinkTypeRaw, host4, peer4, nil, 40},
		{"RAW IPv6", capture.LinkTypeRaw, host6, peer6, nil, 60},
		{"IPV4", capture.LinkTypeIPv4, host4, peer4, nil, 40},
		{"IPV6", capture.LinkTypeIPv6, host6, peer6, nil, 60},
		{"IPv4 options", capture.LinkTypeEthernet, host4, peer4, []fixtures.Option{fixtures.IPv4Options(options)}, 52},
		{"TCP options", capture.LinkTypeEthernet, host4, peer4, []fixtures.Option{fixtures.TCPOptions(options)}, 52},
		{"IPv6 extension headers", capture.LinkTypeEthernet, host6, peer6,
			[]fixtures.Option{fixtures.HopByHop(), fixtures.DestinationOptions(), fixtures.Routing()}, 60 + 8 + 16 + 24},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := fixtures.TCP(tt.src, tt.dst, "PA", 1000, 2000, body, append(tt.options, fixtures.Link(tt.link))...)
			var o flows.Observation
			flows.Outer.Decode(packet(tt.link, data), &o)
			if !o.Kind.Decoded() {
				t.Fatalf("kind %v, want a flow", o.Kind)
			}
			key := flows.Key{Local: o.Src, Remote: o.Dst, Proto: o.Proto, IPv6: o.IPv6}
			if want := flows.MakeKey(flows.TCP, tt.src, tt.dst); key != want {
				t.Errorf("key %v, want %v", key, want)
			}
			if want := tt.header + uint32(len(body)); o.IPBytes != want || o.Payload != 7 || o.Frame != uint32(len(data)) {
				t.Errorf("frame %d, IP %d, payload %d bytes; want %d, %d, 7", o.Frame, o.IPBytes, o.Payload, len(data), want)
			}
			if o.Seq != 1000 || o.Ack != 2000 || o.Flags != flows.PSH|flows.ACK || o.Snapped {
				t.Errorf("seq %d ack %d flags %b snapped %v", o.Seq, o.Ack, o.Flags, o.Snapped)
			}
		})
	}
}

// sameHeaderByHeader: what is decoded at once is decoded as it is header by header.
func sameHeaderByHeader(t *testing.T, tunnels flows.Tunnels, p *capture.Packet) {
	t.Helper()
	var got, want flows.Observation
	payload, ok := tunnels.Quick(p, &got)
	if !ok {
		if got != want {
			t.Errorf("%x is left to others, but not as it was: %+v", p.Data, got)
		}
		return
	}
	if wanted := tunnels.HeaderByHeader(p, &want); got != want || !bytes.Equal(payload, wanted) {
		t.Errorf("%x at once: %+v, payload %x\nheader by header: %+v, payload %x", p.Data, got, payload, want, wanted)
	}
}

func TestDecodeQuick(t *testing.T) {
	hello := append([]byte{22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3}, make([]byte, 200)...)
	one := flows.Outer
	for _, ends := range [][2]netip.AddrPort{{host4, peer4}, {peer4, host4}, {host6, peer6}, {peer6, host6}} {
		for _, body := range [][]byte{nil, []byte("x"), hello, []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), {0xc3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}} {
			for _, options := range [][]fixtures.Option{nil, {fixtures.TCPOptions(make([]byte, 12))}, {fixtures.Padding(9)}} {
				for _, flags := range []string{"S", "A", "FA", "R"} {
					p := packet(capture.LinkTypeEthernet, fixtures.TCP(ends[0], ends[1], flags, 1, 2, body, options...))
					wholeAndCut(t, p)
				}
				p := packet(capture.LinkTypeEthernet, fixtures.UDP(ends[0], ends[1], append(make([]byte, 12), body...), options...))
				wholeAndCut(t, p)
				sameHeaderByHeader(t, flows.Inner, p)
			}
		}
	}
	for _, odd := range [][]byte{
		fixtures.TCP(host4, peer4, "A", 1, 2, hello, fixtures.VLAN(7)), fixtures.TCP(host4, peer4, "A", 1, 2, hello, fixtures.IPv4Options(make([]byte, 8))),
		fixtures.TCP(host6, peer6, "A", 1, 2, hello, fixtures.HopByHop()), fixtures.UDPFragments(16, host4, peer4, make([]byte, 40))[0],
	} {
		if _, ok := one.Quick(packet(capture.LinkTypeEthernet, odd), new(flows.Observation)); ok {
			t.Errorf("%x is decoded at once", odd)
		}
	}
}

// wholeAndCut wants a frame decoded at once, and the same of it however much of it is captured.
func wholeAndCut(t *testing.T, p *capture.Packet) {
	t.Helper()
	if _, ok := flows.Outer.Quick(p, new(flows.Observation)); !ok {
		t.Errorf("%x is not decoded at once", p.Data)
	}
	cut := *p
	for n := range len(p.Data) + 1 {
		cut.Data = p.Data[:n]
		sameHeaderByHeader(t, flows.Outer, &cut)
	}
}

func TestDecodeOutgoing(t *testing.T) {
	for _, link := range []capture.LinkType{capture.LinkTypeLinuxSLL, capture.LinkTypeLinuxSLL2} {
		for _, outgoing := range []bool{true, false} {
			options := []fixtures.Option{fixtures.Link(link)}
			if outgoing {
				options = append(options, fixtures.Outgoing())
			}
			var o flows.Observation
			flows.Outer.Decode(packet(link, fixtures.UDP(host4, peer4, nil, options...)), &o)
			if o.Outgoing != outgoing {
				t.Errorf("%v: outgoing %v, want %v", link, o.Outgoing, outgoing)
			}
		}
	}
}

// TestDecodeManyExtensions: IPv6 extension headers do not stand inside one another, so that any number of them is followed.
func TestDecodeManyExtensions(t *testing.T) {
	var options []fixtures.Option
	for range 100 {
		options = append(options, fixtures.DestinationOptions())
	}
	var o flows.Observation
	flows.Outer.Decode(packet(capture.LinkTypeEthernet, fixtures.TCP(host6, peer6, "PA", 1000, 2000, []byte("payload"), options...)), &o)
	if !o.Kind.Decoded() || o.Payload != 7 || o.Src.Port != host6.Port() {
		t.Errorf("got %+v, want a segment of 7 bytes", o)
	}
}

func TestDecodeUndecoded(t *testing.T) {
	tcp := fixtures.TCP(host4, peer4, "A", 1, 1, nil)
	ether := func(etherType uint16, payload ...byte) []byte {
		return append(append(make([]byte, 12), byte(etherType>>8), byte(etherType)), payload...)
	}
	manyTags := ether(0x8100)
	for range 100 {
		manyTags = append(manyTags, 0, 1, 0x81, 0)
	}
	badIHL := append([]byte{}, tcp...)
	badIHL[14] = 0x43
	tests := []struct {
		name string
		link capture.LinkType
		data []byte
		want string
	}{
		{"no bytes", capture.LinkTypeEthernet, nil, "truncated"},
		{"half an Ethernet header", capture.LinkTypeEthernet, tcp[:9], "truncated"},
		{"half an IP header", capture.LinkTypeEthernet, tcp[:30], "truncated"},
		{"no ports", capture.LinkTypeEthernet, tcp[:37], "truncated"},
		{"ARP", capture.LinkTypeEthernet, ether(0x0806, make([]byte, 28)...), "arp"},
		{"LLDP", capture.LinkTypeEthernet, ether(0x88cc, 1, 2, 3), "lldp"},
		{"unknown EtherType", capture.LinkTypeEthernet, ether(0xabcd, 1), "ethertype_0xabcd"},
		{"spanning tree", capture.LinkTypeEthernet, ether(38, 0x42, 0x42, 3, 0, 0, 0, 0, 0), "llc"},
		{"a hundred VLAN tags", capture.LinkTypeEthernet, manyTags, "nested_too_deep"},
		{"IP header of 12 bytes", capture.LinkTypeEthernet, badIHL, "malformed"},
		{"raw that is no IP", capture.LinkTypeRaw, []byte{0x10, 0, 0}, "malformed"},
		{"link type nobody decodes", capture.LinkType(200), tcp, "linktype_200"},
		{"SCTP", capture.LinkTypeIPv4, []byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 132, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2, 0, 0, 0, 0}, "sctp"},
		{"ICMP error that quotes TCP", capture.LinkTypeIPv4,
			append([]byte{0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 3, 3, 0, 0, 0, 0, 0, 0}, tcp[14:42]...), "icmp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o flows.Observation
			flows.Inner.Decode(packet(tt.link, tt.data), &o)
			if got := o.Kind.String(); got != tt.want {
				t.Errorf("kind %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDecodeSuperFrame(t *testing.T) {
	data := fixtures.TCP(host4, peer4, "A", 1, 1, make([]byte, 3000))
	data[16], data[17] = 0, 0 // TSO: the NIC would fill in the total length
	var o flows.Observation
	flows.Outer.Decode(packet(capture.LinkTypeEthernet, data), &o)
	if o.Payload != 3000 || o.IPBytes != 3040 {
		t.Errorf("IPv4: payload %d, IP %d bytes; want 3000, 3040", o.Payload, o.IPBytes)
	}
	big := fixtures.TCP(host6, peer6, "A", 1, 1, make([]byte, 3000))
	big[18], big[19] = 0, 0 // BIG TCP
	p := packet(capture.LinkTypeEthernet, big)
	p.Length, p.Data = 100_000, big[:100]
	flows.Outer.Decode(p, &o)
	if want := uint32(100_000 - 14 - 60); o.Payload != want {
		t.Errorf("IPv6: payload %d, want %d", o.Payload, want)
	}
}

// TestDecodeAllocations: the hot path of a run.
func TestDecodeAllocations(t *testing.T) {
	vxlan := fixtures.UDP(host4, netip.MustParseAddrPort("198.51.100.7:4789"), append(make([]byte, 8), fixtures.TCP(host6, peer6, "A", 1, 1, nil)...))
	p := packet(capture.LinkTypeEthernet, vxlan)
	var o flows.Observation
	if got := testing.AllocsPerRun(100, func() { flows.Inner.Decode(p, &o) }); got != 0 {
		t.Errorf("%v allocations a packet, want 0", got)
	}
	if !o.IPv6 || o.Proto != flows.TCP {
		t.Errorf("inner view of VXLAN: %v to %v, IPv6 %v", o.Src, o.Dst, o.IPv6)
	}
	table := flows.NewTable()
	table.Add(&o)
	if got := testing.AllocsPerRun(100, func() { table.Add(&o) }); got != 0 {
		t.Errorf("Table.Add of a known flow: %v allocations, want 0", got)
	}
}

// FuzzDecode holds Decode to three things: it never reads past what was captured, a snaplen changes no
// figure, and where gopacket finds a transport header in the plain encapsulations it finds the same.
func FuzzDecode(f *testing.F) {
	for _, options := range [][]fixtures.Option{nil, {fixtures.VLAN(1, 2)}, {fixtures.Link(capture.LinkTypeLinuxSLL2)}, {fixtures.Link(capture.LinkTypeNull)}} {
		f.Add(uint16(1), uint16(20), fixtures.TCP(host4, peer4, "SA", 1, 2, []byte("x"), options...))
		f.Add(uint16(276), uint16(50), fixtures.UDP(host6, peer6, []byte("x"), append(options, fixtures.HopByHop())...))
	}
	for _, frame := range framesOfGopacket() {
		f.Add(uint16(frame.link), uint16(60), frame.data)
	}
	for _, frame := range fixtures.UDPFragments(16, host6, peer6, make([]byte, 40)) {
		f.Add(uint16(1), uint16(9), frame)
	}
	for _, port := range []uint16{4789, 6081, 2152, 3544, 6635} {
		inner := append(make([]byte, 8), fixtures.TCP(host4, peer4, "A", 1, 1, nil)...)
		f.Add(uint16(1), uint16(70), fixtures.UDP(host4, netip.AddrPortFrom(peer4.Addr(), port), inner))
	}
	f.Fuzz(func(t *testing.T, link, cut uint16, data []byte) {
		for _, tunnels := range []flows.Tunnels{flows.Outer, flows.Inner} {
			var whole, part flows.Observation
			p := packet(capture.LinkType(link), data)
			tunnels.Decode(p, &whole)
			sameHeaderByHeader(t, tunnels, p)
			want := len(data)
			if p.LinkType == capture.LinkTypePPPDirection && want > 0 {
				want-- // who sent it was not on the wire
			}
			if whole.Frame != uint32(want) || whole.Kind.String() == "" {
				t.Fatalf("frame %d of %d bytes, kind %q", whole.Frame, len(data), whole.Kind)
			}
			p.Data = data[:min(int(cut), len(data))]
			tunnels.Decode(p, &part)
			sameHeaderByHeader(t, tunnels, p)
			sameFlow := part.Src == whole.Src && part.Dst == whole.Dst
			if part.Kind.Decoded() && !part.Snapped && sameFlow && part.WithoutSigns() != whole.WithoutSigns() && !link80211(link) {
				t.Errorf("cut to %d bytes: %+v, whole: %+v", cut, part, whole)
			}
		}
		againstGopacket(t, capture.LinkType(link), data)
	})
}

// link80211 are link types whose decoder looks at the end of the frame, which a cut takes away.
func link80211(link uint16) bool {
	switch capture.LinkType(link) {
	case capture.LinkTypeIEEE80211Radio, capture.LinkTypePPI, capture.LinkTypePKTAP, capture.LinkTypeUser2: // or hold it
		return true
	}
	return false
}
