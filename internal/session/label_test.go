package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"
)

// labelled writes a session step by step.
type labelled struct {
	t    *testing.T
	w    *session.Writer
	file bytes.Buffer
}

func newLabelled(t *testing.T, o capture.WriterOptions) *labelled {
	t.Helper()
	l := &labelled{t: t}
	o.Interfaces = []capture.Interface{{Name: "eth0", LinkType: capture.LinkTypeEthernet}}
	var err error
	if l.w, err = session.NewWriter(&l.file, o); err != nil {
		t.Fatal(err)
	}
	in := summarize.Input{}
	in.Source.Local = []netip.Prefix{netip.MustParsePrefix("192.0.2.2/32"), netip.MustParsePrefix("2001:db8::2/128")}
	l.must(l.w.WriteState(&in, false))
	return l
}

func (l *labelled) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *labelled) tell(events ...pidmap.Event) { l.t.Helper(); l.must(l.w.WriteEvents(events)) }

func (l *labelled) packet(time int64, data []byte) {
	l.t.Helper()
	l.must(l.w.WritePacket(&capture.Packet{Time: time, Data: data, Length: len(data), LinkType: capture.LinkTypeEthernet}))
}

func (l *labelled) udp(time int64, src, dst string) {
	l.t.Helper()
	l.packet(time, fixtures.UDP(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), []byte("x")))
}

func (l *labelled) tcp(time int64, src, dst, control string) {
	l.t.Helper()
	l.packet(time, fixtures.TCP(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), control, 1, 1, nil))
}

// owners are those that another program sees: of the capture file, not of the session.
func (l *labelled) owners() (list []string) {
	l.t.Helper()
	l.must(l.w.Close())
	source, err := capture.NewReader(bytes.NewReader(l.file.Bytes()), "s.pcapng")
	l.must(err)
	var p capture.Packet
	for err = source.Next(&p); err == nil; err = source.Next(&p) {
		switch {
		case p.Owner == nil:
			list = append(list, "")
		case p.Owner.Outgoing:
			list = append(list, fmt.Sprintf("%s %d sent", p.Owner.Process.Name, p.Owner.Process.PID))
		default:
			list = append(list, fmt.Sprintf("%s %d received", p.Owner.Process.Name, p.Owner.Process.PID))
		}
	}
	if !errors.Is(err, io.EOF) {
		l.t.Fatal(err)
	}
	return list
}

func program(pid int32, name string) pidmap.Process {
	return pidmap.Process{Key: pidmap.ProcessKey{PID: pid, Start: 7}, Name: name, Path: "/usr/bin/" + name}
}

func socketOf(proto flows.Protocol, cookie uint64, local, remote string) pidmap.Socket {
	bound := remote == ""
	if bound {
		remote = local
	}
	s := pidmap.Socket{Cookie: cookie, Key: flows.MakeKey(proto, netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote))}
	if bound {
		s.Key.Remote = flows.Endpoint{}
	}
	return s
}

// TestLabels: a packet is labelled with what was known of its socket when it was written, and not where that was in doubt.
func TestLabels(t *testing.T) {
	const here, there = "192.0.2.2:40000", "198.51.100.7:443"
	curl, ssh := program(10, "curl"), program(11, "ssh")
	l := newLabelled(t, capture.WriterOptions{})
	var want []string
	expect := func(owner string) { want = append(want, owner) }

	l.tcp(1, here, there, "S") // before anything was heard
	expect("")
	l.tell(pidmap.Event{Kind: pidmap.SocketMade, Time: 2, Socket: socketOf(flows.TCP, 1, here, there), Process: curl})
	l.tcp(3, here, there, "A")
	expect("curl 10 sent")
	l.tcp(4, there, here, "A")
	expect("curl 10 received")
	l.tell(pidmap.Event{Kind: pidmap.SocketUsed, Time: 5, Socket: socketOf(flows.TCP, 1, here, there), Process: ssh})
	l.tcp(6, here, there, "A") // who uses a socket counts, not who made it
	expect("ssh 11 sent")
	l.tell(pidmap.Event{Kind: pidmap.SocketClosed, Time: 7, Socket: socketOf(flows.TCP, 1, here, there)})
	l.tcp(8, there, here, "FA") // the last words after the end
	expect("ssh 11 received")
	l.tcp(9, here, there, "S") // a new connection under the old key
	expect("")

	l.tell(pidmap.Event{Kind: pidmap.SocketSeen, Time: 10, Socket: socketOf(flows.UDP, 2, "0.0.0.0:53", ""), Holders: []pidmap.Process{curl}})
	l.udp(11, "192.0.2.2:53", "198.51.100.7:9")
	expect("curl 10 sent")
	l.udp(12, "198.51.100.7:53", "192.0.2.2:9") // another host's port
	expect("")
	l.tell(pidmap.Event{Kind: pidmap.SocketSeen, Time: 13, Socket: socketOf(flows.UDP, 3, "0.0.0.0:53", ""), Holders: []pidmap.Process{ssh}})
	l.udp(14, "192.0.2.2:53", "198.51.100.7:9") // two sockets share the port
	expect("")
	v6 := socketOf(flows.UDP, 4, "[::]:54", "")
	l.tell(pidmap.Event{Kind: pidmap.SocketSeen, Time: 15, Socket: v6, Holders: []pidmap.Process{curl}})
	l.udp(16, "[2001:db8::2]:54", "[2001:db8::7]:9")
	expect("curl 10 sent")
	l.udp(17, "192.0.2.2:54", "198.51.100.7:9") // takes no IPv4
	expect("")
	v6.DualStack = true
	l.tell(pidmap.Event{Kind: pidmap.SocketSeen, Time: 18, Socket: v6, Holders: []pidmap.Process{curl}})
	l.udp(19, "192.0.2.2:54", "198.51.100.7:9")
	expect("curl 10 sent")
	l.tell(pidmap.Event{Kind: pidmap.SocketClosed, Time: 20, Socket: v6})
	l.udp(21, "[2001:db8::2]:54", "[2001:db8::7]:9")
	expect("")

	l.tell(pidmap.Event{Kind: pidmap.SocketSeen, Time: 22, Socket: socketOf(flows.UDP, 5, "192.0.2.2:55", ""), Holders: []pidmap.Process{curl, ssh}})
	l.udp(23, "192.0.2.2:55", "198.51.100.7:9") // either of two
	expect("")
	l.packet(24, []byte("no frame"))
	expect("")
	if diff := cmp.Diff(want, l.owners()); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

// TestLabelsAreNoEvidence: a replay asks the session's own events. That the packets say the same is no second opinion.
func TestLabelsAreNoEvidence(t *testing.T) {
	l := newLabelled(t, capture.WriterOptions{WiresharkProcesses: true})
	l.tell(pidmap.Event{Kind: pidmap.SocketMade, Time: 2, Socket: socketOf(flows.UDP, 1, "192.0.2.2:1", "198.51.100.7:2"), Process: program(10, "curl")})
	l.udp(3, "192.0.2.2:1", "198.51.100.7:2")
	if got := l.owners(); !cmp.Equal(got, []string{"curl 10 sent"}) {
		t.Fatalf("owners in the file: got %q, want curl", got)
	}
	inner, err := capture.NewReader(bytes.NewReader(l.file.Bytes()), "s.pcapng")
	l.must(err)
	var p capture.Packet
	if err := session.NewSource(inner, "s.pcapng").Next(&p); err != nil || p.Owner != nil {
		t.Errorf("the session's packet: got owner %+v and %v, want none", p.Owner, err)
	}
}

// TestLabelsBounded: sockets beyond what is kept are forgotten, those that are used are not.
func TestLabelsBounded(t *testing.T) {
	l := newLabelled(t, capture.WriterOptions{})
	one := func(i int) (string, string) {
		return "192.0.2.2:7", fmt.Sprintf("198.%d.%d.%d:9", 51+i>>16, i>>8&255, i&255)
	}
	const many = 100_000
	for i := range many {
		local, remote := one(i)
		l.tell(pidmap.Event{Kind: pidmap.SocketMade, Time: 2, Socket: socketOf(flows.UDP, uint64(i+1), local, remote), Process: program(10, "curl")})
		if i%20_000 == 0 {
			local, remote = one(0)
			l.udp(3, local, remote)
		}
	}
	local, remote := one(0)
	l.udp(3, local, remote)
	local, remote = one(1)
	l.udp(4, local, remote)
	want := []string{"curl 10 sent", "curl 10 sent", "curl 10 sent", "curl 10 sent", "curl 10 sent", "curl 10 sent", ""}
	if diff := cmp.Diff(want, l.owners()); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

// BenchmarkWritePacket is what a packet costs whose socket is known, beside one that is written bare.
func BenchmarkWritePacket(b *testing.B) {
	data := fixtures.TCP(netip.MustParseAddrPort("192.0.2.2:1"), netip.MustParseAddrPort("198.51.100.7:2"), "A", 1, 1, make([]byte, 54))
	for _, known := range []bool{false, true} {
		b.Run(fmt.Sprintf("labelled=%v", known), func(b *testing.B) {
			w, err := session.NewWriter(io.Discard, capture.WriterOptions{Interfaces: []capture.Interface{{LinkType: 1}}})
			if err != nil {
				b.Fatal(err)
			}
			if known {
				err = w.WriteEvents([]pidmap.Event{{Kind: pidmap.SocketMade, Socket: socketOf(flows.TCP, 1, "192.0.2.2:1", "198.51.100.7:2"), Process: program(1, "x")}})
			}
			p := capture.Packet{Data: data, Length: len(data), LinkType: 1}
			b.ReportAllocs()
			for b.Loop() {
				err = errors.Join(err, w.WritePacket(&p))
			}
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
