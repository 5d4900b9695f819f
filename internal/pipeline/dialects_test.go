package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
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

// pcapng builds a file as another program would: little-endian, times in microseconds.
type pcapng struct{ bytes.Buffer }

func newPcapng() *pcapng {
	f := &pcapng{}
	u32 := binary.LittleEndian.AppendUint32
	f.block(0x0a0d0d0a, u32(u32(u32(u32(nil, 0x1a2b3c4d), 1), 0xffffffff), 0xffffffff))
	f.block(1, u32(u32(nil, 1), 0))
	return f
}

func (f *pcapng) block(kind uint32, body []byte) {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	length := uint32(len(body) + 12)
	head := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, kind), length)
	f.Write(append(append(head, body...), head[4:]...))
}

func option(code uint16, value []byte) []byte {
	b := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, code), uint16(len(value)))
	b = append(b, value...)
	return append(b, make([]byte, -len(b)&3)...)
}

func number(value uint32) []byte { return binary.LittleEndian.AppendUint32(nil, value) }

// udp appends a datagram with options.
func (f *pcapng) udp(second uint32, src, dst string, payload int, options ...[]byte) {
	data := fixtures.UDP(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), make([]byte, payload))
	b := number(0)
	stamp := uint64(second) * 1e6
	for _, n := range []uint32{uint32(stamp >> 32), uint32(stamp), uint32(len(data)), uint32(len(data))} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	b = append(b, data...)
	b = append(b, make([]byte, -len(b)&3)...)
	f.block(6, append(b, bytes.Join(options, nil)...))
}

func (f *pcapng) run(t *testing.T, c Config) *summarize.Summary {
	t.Helper()
	source, err := capture.NewReader(&f.Buffer, "test")
	if err != nil {
		t.Fatal(err)
	}
	c.Sources, c.AbsentReason, c.ListFlows = []capture.Source{source}, pidmap.ReasonNoOwnerInFile, true
	return Run(context.Background(), c).Summary
}

// TestRunDialects: one flow out and back, whose owner each dialect names, makes one report by app; methods says how.
func TestRunDialects(t *testing.T) {
	const local, remote = "192.0.2.2:40001", "198.51.100.7:443"
	entry := func(pid uint32, name string) []byte {
		e := append(number(pid), option(2, []byte(name))...)
		return append(append(append(number(32622), number(3)...), number(uint32(len(e)))...), e...)
	}
	comment := func(text string) []byte { return option(1, []byte(text)) }
	out, in := option(2, number(2)), option(2, number(1))
	pid := option(8, append(number(4711), 0, 0, 0, 0))
	tests := []struct {
		name    string
		begin   func(*pcapng)
		options [2][][]byte // of the packet out and the one back
		want    flowOwner
	}{
		{"Apple", func(f *pcapng) { f.block(0x80000001, append(number(4711), option(2, []byte("curl"))...)) },
			[2][][]byte{{option(0x8001, number(0)), out}, {option(0x8001, number(0)), in}}, flowOwner{App: "curl", Method: "process_block"}},
		{"Apple without directions", func(f *pcapng) { f.block(0x80000001, append(number(4711), option(2, []byte("curl"))...)) },
			[2][][]byte{{option(0x8001, number(0))}, {option(0x8001, number(0))}}, flowOwner{App: "curl", Method: "process_block"}},
		{"Wireshark", func(f *pcapng) { f.block(0xbad, entry(4711, "curl")) }, [2][][]byte{{pid}, {pid}}, flowOwner{App: "curl", Method: "wireshark_block"}},
		{"a PID alone", func(*pcapng) {}, [2][][]byte{{pid}, {pid}}, flowOwner{App: "pid:4711", Method: "packet_pid"}},
		{"ptcpdump", func(*pcapng) {}, [2][][]byte{
			{comment("PID: 4711\nCmd: /usr/bin/python3\nArgs: python3 /srv/poll.py"), out},
			{comment("PID: 4711\nCmd: /usr/bin/python3\nArgs: python3 /srv/poll.py"), in}}, flowOwner{App: "poll.py", Method: "ptcpdump_comment"}},
		{"rustnet", func(*pcapng) {}, [2][][]byte{{comment("rustnet process=curl pid=4711 direction=outgoing")}, {comment("rustnet process=curl pid=4711 direction=outgoing")}},
			flowOwner{App: "curl", Method: "rustnet_comment"}},
		{"MatrixNet", func(*pcapng) {}, [2][][]byte{{comment("Google Chrome Helper (Renderer) (pid 4711)")}, {comment("Google Chrome Helper (Renderer) (pid 4711)")}},
			flowOwner{App: "Google Chrome", Method: "matrixnet_comment"}},
		{"one packet says", func(*pcapng) {}, [2][][]byte{nil, {comment("rustnet process=curl pid=4711")}}, flowOwner{App: "curl", Method: "rustnet_comment"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newPcapng()
			test.begin(f)
			f.udp(1, local, remote, 100, test.options[0]...)
			f.udp(2, remote, local, 900, test.options[1]...)
			s := f.run(t, Config{Source: summarize.Source{Kind: "file"}})
			test.want.Flow = "udp " + local + " -> " + remote
			if diff := cmp.Diff([]flowOwner{test.want}, flowOwners(s)); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
			if len(s.Apps) != 1 || s.Apps[0].TxBytes != 142 || s.Apps[0].RxBytes != 942 || s.Unattributed.Bytes() != 0 {
				t.Errorf("got apps %+v, want one with 142 bytes out and 942 in", s.Apps)
			}
		})
	}
}

// TestRunNamedLate: a block behind the packets that give its PID names their process all the same.
func TestRunNamedLate(t *testing.T) {
	f := newPcapng()
	pid := option(8, append(number(4711), 0, 0, 0, 0))
	f.udp(1, "192.0.2.2:40001", "198.51.100.7:443", 100, pid)
	e := append(number(4711), option(2, []byte("curl"))...)
	f.block(0xbad, append(append(append(number(32622), number(3)...), number(uint32(len(e)))...), e...))
	f.udp(2, "192.0.2.2:40001", "198.51.100.7:443", 100, pid)
	f.udp(3, "192.0.2.2:40002", "198.51.100.7:443", 100, pid)
	s := f.run(t, Config{})
	if len(s.Apps) != 1 || s.Apps[0].App.Name != "curl" || len(s.Apps[0].Processes) != 1 || s.Apps[0].Flows != 2 {
		t.Errorf("got apps %+v, want two flows of one process of curl", s.Apps)
	}
}

// TestRunSidelessLoopback: a process that may be at either end of a flow within the host owns neither.
func TestRunSidelessLoopback(t *testing.T) {
	f := newPcapng()
	f.udp(1, "127.0.0.1:40001", "127.0.0.1:53", 100, option(8, append(number(4711), 0, 0, 0, 0)))
	if s := f.run(t, Config{}); len(s.Apps) != 0 || s.Unattributed.Reasons[pidmap.ReasonAmbiguous] != 142 {
		t.Errorf("got apps %+v, reasons %v, want 142 bytes that are ambiguous", s.Apps, s.Unattributed.Reasons)
	}
}

// TestRunPtcpdumpFiles: what ptcpdump wrote has its programs as apps.
func TestRunPtcpdumpFiles(t *testing.T) {
	for name, app := range map[string]string{"ptcp-0300a3-dns.pcapng": "dig", "ptcp-60b073-curl-user.pcapng": "curl", "ptcp-811c28-tcp.pcapng": "curl"} {
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
		if len(s.Apps) == 0 || s.Apps[0].App.Name != app || s.Apps[0].Methods[pidmap.MethodPtcpdump] != s.Apps[0].Bytes() {
			t.Errorf("%s: got apps %+v and %d bytes without an owner, want most for %s", name, s.Apps, s.Unattributed.Bytes(), app)
		}
		t.Logf("%s: %d apps, %d bytes without an owner: %v", name, len(s.Apps), s.Unattributed.Bytes(), s.Unattributed.Reasons)
	}
}

// TestRunLoopbackOfMac: a tap on lo0 has each packet twice, as it is sent and as it arrives. It counts once, for whom it was sent by, and
// the copy is told of. Of what arrives alone nothing was captured before.
func TestRunLoopbackOfMac(t *testing.T) {
	const client, server = "127.0.0.1:40001", "127.0.0.1:8080"
	file := func(sent bool) *pcapng {
		f := &pcapng{}
		u32 := binary.LittleEndian.AppendUint32
		f.block(0x0a0d0d0a, u32(u32(u32(u32(nil, 0x1a2b3c4d), 1), 0xffffffff), 0xffffffff))
		f.block(1, append(u32(u32(nil, 1), 0), option(2, []byte("lo0"))...))
		f.block(0x80000001, append(number(4711), option(2, []byte("curl"))...))
		f.block(0x80000001, append(number(4712), option(2, []byte("httpd"))...))
		for i := range uint32(3) {
			if sent {
				f.udp(1+i, client, server, 100, option(0x8001, number(0)), option(2, number(2)))
			}
			f.udp(1+i, client, server, 100, option(0x8001, number(1)), option(2, number(1)))
		}
		return f
	}
	const frame = 14 + 20 + 8 + 100
	s := file(true).run(t, Config{Source: summarize.Source{Kind: "file"}})
	if s.Totals.Bytes() != 3*frame || s.Totals.Packets() != 3 || s.SeenBefore.Packets != 3 || s.SeenBefore.Bytes != 3*frame {
		t.Errorf("totals %+v, seen before %+v; want three packets in each", s.Totals, s.SeenBefore)
	}
	if len(s.Flows) != 1 || s.Flows[0].Owner.App.Name != "curl" || s.Flows[0].Peer.App.Name != "httpd" {
		t.Errorf("flows %+v; want one of curl toward httpd", s.Flows)
	}
	s = file(false).run(t, Config{Source: summarize.Source{Kind: "file"}})
	if s.Totals.Packets() != 3 || s.SeenBefore.Packets != 0 {
		t.Errorf("arriving alone: totals %+v, seen before %+v; want three packets counted", s.Totals, s.SeenBefore)
	}
}
