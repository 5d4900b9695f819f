package flows_test

import (
	"bytes"
	"net/netip"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// checkTrimmed says that a packet that was cut is decoded and followed as the whole one is.
func checkTrimmed(t *testing.T, p *capture.Packet, keep int, whole, cut *[2]flows.Follower) {
	t.Helper()
	if keep < 0 || keep > len(p.Data) {
		t.Fatalf("got %d bytes of %d", keep, len(p.Data))
	}
	short := *p
	short.Data = bytes.Clone(p.Data[:keep])
	for i, tunnels := range [...]flows.Tunnels{flows.Outer, flows.Inner} {
		var want, got flows.Observation
		var wanted, found flows.Payload
		wantPayload, wantTrace := tunnels.DecodeTraced(p, &want)
		gotPayload, gotTrace := tunnels.DecodeTraced(&short, &got)
		if want != got || wantTrace != gotTrace {
			t.Fatalf("tunnels %d, %d bytes of %d: got %+v %+v, want %+v %+v", i, keep, len(p.Data), got, gotTrace, want, wantTrace)
		}
		wants, finds := whole[i].Wants(&want, wantPayload, &wanted), cut[i].Wants(&got, gotPayload, &found)
		if wants != finds || wants && !bytes.Equal(wanted.Bytes, found.Bytes) {
			t.Fatalf("tunnels %d, %d bytes of %d: %v wanted of the cut packet, %v of the whole one", i, keep, len(p.Data), finds, wants)
		}
	}
}

// TestTrimmer trims recorded captures. Most of the bytes of bulk data go.
func TestTrimmer(t *testing.T) {
	for _, name := range []string{"demo.pcapng", "namespaces.pcapng", "encapsulations.pcapng", "times.pcap"} {
		source, err := capture.NewReader(fixtures.Open(t, name), name)
		if err != nil {
			t.Fatal(err)
		}
		var trimmer flows.Trimmer
		var whole, cut [2]flows.Follower
		var p capture.Packet
		had, kept := 0, 0
		for source.Next(&p) == nil {
			keep := trimmer.Needs(&p)
			checkTrimmed(t, &p, keep, &whole, &cut)
			had, kept = had+len(p.Data), kept+keep
		}
		if had == 0 || kept >= had {
			t.Errorf("%s: %d of %d bytes kept, want fewer", name, kept, had)
		}
		t.Logf("%s: %d of %d bytes kept", name, kept, had)
	}
}

// TestTrimmerKeeps says what is kept whole and what is cut.
func TestTrimmerKeeps(t *testing.T) {
	const all = -1
	bulk := bytes.Repeat([]byte{0xff}, 1300)
	after := func(head string) []byte { return append([]byte(head), bulk[len(head):]...) }
	client, server := netip.MustParseAddrPort("192.0.2.1:50000"), netip.MustParseAddrPort("198.51.100.1:9000")
	dns := netip.AddrPortFrom(server.Addr(), 53)
	for _, tt := range []struct {
		name  string
		frame []byte
		want  int
	}{
		{"bulk of TCP", fixtures.TCP(client, server, "A", 1, 1, bulk), 14 + 20 + 20 + 32},
		{"bulk of UDP", fixtures.UDP(client, server, bulk), 14 + 20 + 8 + 32},
		{"DNS", fixtures.UDP(client, dns, bulk), all},
		{"DNS on another port", fixtures.UDP(server, client, []byte("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01"+
			"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc6\x33\x64\x07")), all},
		{"DNS over TCP", fixtures.TCP(dns, client, "A", 1, 1, bulk), all},
		{"ServerHello", fixtures.TCP(server, client, "A", 1, 1, after("\x16\x03\x03\x05\x00\x02")), all},
		{"TLS data", fixtures.TCP(server, client, "A", 1, 1, after("\x17\x03\x03\x40\x00")), 14 + 20 + 20 + 32},
		{"several TLS records", fixtures.TCP(server, client, "A", 1, 1, after("\x17\x03\x03\x00\x40")), 14 + 20 + 20 + 32},
		{"request", fixtures.TCP(client, server, "A", 1, 1, after("GET / HTTP/1.1\r\n")), all},
		{"QUIC handshake", fixtures.UDP(client, server, after("\xe0\x00\x00\x00\x01\x08")), all},
		{"QUIC data", fixtures.UDP(client, server, after("\x40")), 14 + 20 + 8 + 32},
		{"DTLS ClientHello", fixtures.UDP(client, server, after("\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01")), all},
		{"ICMP", append(make([]byte, 12), append([]byte{8, 0, 0x45, 0, 5, 0x28, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 8, 0}, bulk...)...), 128},
		{"short", fixtures.UDP(client, server, bulk[:20]), all},
	} {
		p := packet(capture.LinkTypeEthernet, tt.frame)
		want := tt.want
		if want == all {
			want = len(tt.frame)
		}
		var trimmer flows.Trimmer
		if got := trimmer.Needs(p); got != want {
			t.Errorf("%s: got %d bytes of %d, want %d", tt.name, got, len(tt.frame), want)
		}
	}
}

// TestTrimmerKeepsTunnels: what states a name inside of a tunnel is kept, whatever tunnel it is.
func TestTrimmerKeepsTunnels(t *testing.T) {
	request := append([]byte("GET / HTTP/1.1\r\nHost: www.example\r\n"), make([]byte, 400)...)
	ip := fixtures.TCP(host4, peer4, "PA", 1, 1, request, fixtures.Link(capture.LinkTypeRaw))
	for _, w := range tunnelWrappings() {
		inside := ip
		if w.from == etherFrame {
			inside = inEthernet(0x0800, ip)
		}
		p := packet(capture.LinkTypeRaw, w.wrap(inside))
		var trimmer flows.Trimmer
		if got := trimmer.Needs(p); got != len(p.Data) {
			t.Errorf("%s: %d bytes of %d are kept, want all", w.name, got, len(p.Data))
		}
	}
}

// FuzzTrimmer: whatever a frame is, what is kept of it decodes as the whole one does.
func FuzzTrimmer(f *testing.F) {
	source, err := capture.NewReader(fixtures.Open(f, "encapsulations.pcapng"), "encapsulations.pcapng")
	if err != nil {
		f.Fatal(err)
	}
	var p capture.Packet
	for source.Next(&p) == nil {
		f.Add(p.Data, uint16(p.LinkType), uint16(p.Length))
	}
	f.Fuzz(func(t *testing.T, frame []byte, link, length uint16) {
		p := packet(capture.LinkType(link), bytes.Clone(frame))
		p.Length = max(int(length), len(frame))
		var trimmer flows.Trimmer
		var whole, cut [2]flows.Follower
		for range 2 {
			checkTrimmed(t, p, trimmer.Needs(p), &whole, &cut)
		}
	})
}
