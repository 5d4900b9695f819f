package pipeline

import (
	"context"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/pidmap"
	"apptap/summarize"
)

// tape is a capture of packets that say whose they are.
type tape struct{ packets []capture.Packet }

// udp adds a packet of so many bytes of payload.
func (s *tape) udp(src, dst string, payload int, owner *capture.Owner) {
	data := fixtures.UDP(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), make([]byte, payload))
	s.packets = append(s.packets, capture.Packet{
		Time: int64(len(s.packets)+1) * 1e9, Data: data, Length: len(data), LinkType: capture.LinkTypeEthernet, Owner: owner,
	})
}

func (s *tape) run(c Config) *summarize.Summary {
	c.Sources = []capture.Source{&tapeSource{packets: s.packets, end: io.EOF, iface: ethernet("en0")}}
	c.AbsentReason, c.ListFlows = pidmap.ReasonNoOwnerInFile, true
	return Run(context.Background(), c).Summary
}

// flowOwner is a flow and its owners, as a test words it.
type flowOwner struct{ Flow, App, Method, Peer string }

func flowOwners(s *summarize.Summary) (list []flowOwner) {
	for i := range s.Flows {
		u := &s.Flows[i]
		o := flowOwner{u.Flow.Key.String(), u.Owner.App.Name, string(u.Owner.Method), u.Peer.App.Name}
		if !u.Owner.Known() {
			o.App = string(u.Owner.Reason)
		}
		list = append(list, o)
	}
	return list
}

func TestRunStatedOwners(t *testing.T) {
	var (
		service = &capture.Process{PID: 70, Name: "nsurlsessiond", Path: "/usr/libexec/nsurlsessiond"}
		music   = &capture.Process{PID: 80, Name: "Music", Path: "/System/Applications/Music.app/Contents/MacOS/Music"}
		server  = &capture.Process{PID: 90, Name: "httpd"}
		client  = &capture.Process{PID: 91, Name: "curl"}
		mdns    = &capture.Process{PID: 92, Name: "mDNSResponder"}
	)
	out := func(p *capture.Process) *capture.Owner { return &capture.Owner{Process: p, Outgoing: true} }
	in := func(p *capture.Process) *capture.Owner { return &capture.Owner{Process: p} }
	var s tape
	s.udp("192.0.2.2:40001", "198.51.100.7:443", 100, &capture.Owner{Process: service, Effective: music, Outgoing: true})
	s.udp("198.51.100.7:443", "192.0.2.2:40001", 900, nil)
	s.udp("127.0.0.1:50000", "127.0.0.1:80", 10, out(client))
	s.udp("127.0.0.1:50000", "127.0.0.1:80", 10, in(server))
	s.udp("127.0.0.1:80", "127.0.0.1:50000", 500, out(server))
	s.udp("192.0.2.77:5353", "224.0.0.251:5353", 60, in(mdns))
	s.udp("192.0.2.2:40002", "198.51.100.7:443", 60, nil)
	want := []flowOwner{
		{"udp 192.0.2.2:40001 -> 198.51.100.7:443", "Music", "process_block", ""},
		{"udp 127.0.0.1:50000 -> 127.0.0.1:80", "curl", "process_block", "httpd"},
		{"udp 224.0.0.251:5353 -> 192.0.2.77:5353", "mDNSResponder", "process_block", ""},
		{"udp 192.0.2.2:40002 -> 198.51.100.7:443", "no_owner_in_file", "", ""},
	}
	summary := s.run(Config{Source: summarize.Source{Kind: "file"}})
	if diff := cmp.Diff(want, flowOwners(summary)); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("192.0.2.2/32")}
	if got := summary.Source; got.LocalFrom != "process_blocks" || !cmp.Equal(got.Local, local, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })) {
		t.Errorf("local addresses: got %v from %s, want %v from process_blocks", got.Local, got.LocalFrom, local)
	}
}

// TestRunStatedShares: two processes that send on one socket each have what is theirs.
func TestRunStatedShares(t *testing.T) {
	a, b := &capture.Process{PID: 1, Name: "a"}, &capture.Process{PID: 2, Name: "b"}
	var s tape
	for i := range 200 { // more turns than are kept apart
		s.udp("192.0.2.2:40001", "198.51.100.7:443", 58, &capture.Owner{Process: []*capture.Process{a, b}[i%2], Outgoing: true})
	}
	summary := s.run(Config{})
	if len(summary.Apps) != 2 || summary.Apps[0].TxBytes != 10_000 || summary.Apps[1].TxBytes != 10_000 {
		t.Errorf("got %d apps, want a and b with 10000 bytes each: %+v", len(summary.Apps), summary.Apps)
	}
}

// TestRunStatedFolded: flows that are summed up keep their owners, and these are forgotten.
func TestRunStatedFolded(t *testing.T) {
	p := &capture.Process{PID: 1, Name: "scanner"}
	var s tape
	for i := range 3000 {
		src := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), uint16(1024+i))
		s.udp(src.String(), "198.51.100.7:443", 58, &capture.Owner{Process: p, Outgoing: true})
	}
	summary := s.run(Config{MaxFlows: 100})
	if summary.Folded.Flows == 0 || len(summary.Apps) != 1 || summary.Apps[0].Flows != 3000 {
		t.Errorf("got %d flows folded and apps %+v, want 3000 flows of one app", summary.Folded.Flows, summary.Apps)
	}
}

// TestRunMacFile: the files that a Mac wrote have an owner for every byte.
func TestRunMacFile(t *testing.T) {
	for name, app := range map[string]string{"appl-5054b7-radar-88502733.pcapng": "packetdrill", "appl-e6d0ca-radar-74957353.pcapng": "network_test"} {
		f, err := os.Open(filepath.Join("..", "..", "..", "shared", "corpus", "captures", name))
		if err != nil {
			t.Skipf("the corpus is not here: %v", err)
		}
		defer f.Close()
		source, err := capture.NewReader(f, name)
		if err != nil {
			t.Fatal(err)
		}
		s := Run(context.Background(), Config{Sources: []capture.Source{source}, AbsentReason: pidmap.ReasonNoOwnerInFile}).Summary
		if len(s.Apps) != 1 || s.Apps[0].App.Name != app || s.Unattributed.Bytes() != 0 {
			t.Errorf("%s: got apps %+v and %d bytes without an owner, want all for %s", name, s.Apps, s.Unattributed.Bytes(), app)
		}
	}
}

// TestRunPKTAP: headers in front of packets name owners too, under both link types.
func TestRunPKTAP(t *testing.T) {
	for _, link := range []capture.LinkType{capture.LinkTypePKTAP, capture.LinkTypeUser2} {
		const header, in, out = 156, 1, 2
		wrap := func(flags byte, src, dst string, payload int) capture.Packet {
			b := make([]byte, header)
			b[0], b[4], b[8], b[36] = header, 1, 1, flags
			b[52], b[84] = 70, 80 // process 70 for process 80
			copy(b[56:], "com.apple.WebKit")
			copy(b[88:], "Safari")
			b = append(b, fixtures.UDP(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), make([]byte, payload))...)
			return capture.Packet{Time: 1e9, Data: b, Length: len(b), LinkType: link}
		}
		s := tape{[]capture.Packet{
			wrap(out, "192.0.2.2:40001", "198.51.100.7:443", 10), wrap(in, "198.51.100.7:443", "192.0.2.2:40001", 900),
		}}
		want := []flowOwner{{"udp 192.0.2.2:40001 -> 198.51.100.7:443", "Safari", "pktap", ""}}
		if diff := cmp.Diff(want, flowOwners(s.run(Config{}))); diff != "" {
			t.Errorf("link type %v: flows (-want +got):\n%s", link, diff)
		}
	}
}
