package session_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// host is a machine that has sockets of few ports, some of which have packets on the interface that is captured.
type host struct {
	*rand.Rand
	now     int64
	sockets []pidmap.Socket
	made    uint64
}

const hostStep = 50_000_000 // nanoseconds from one thing that happens to the next

func (h *host) endpoint(n int) string { return fmt.Sprintf("192.0.2.1:%d", 1000+h.IntN(n)) }

// event is the next one.
func (h *host) event() pidmap.Event {
	if len(h.sockets) == 0 || h.IntN(3) == 0 {
		return h.open()
	}
	at := h.IntN(len(h.sockets))
	e := pidmap.Event{Time: h.now, Method: pidmap.MethodEBPF, Socket: h.sockets[at], Process: h.program()}
	switch h.IntN(8) {
	case 0, 1, 2:
		e.Kind, e.Process = pidmap.SocketClosed, pidmap.Process{}
		if e.Socket.Key.Proto == flows.UDP {
			e.Datagrams = &pidmap.Datagrams{Sent: 1, Arrived: 1}
		}
		h.sockets = append(h.sockets[:at], h.sockets[at+1:]...)
	case 3, 4:
		e.Kind, e.User, e.Moved = pidmap.SocketUsed, pidmap.UserKey{PID: e.Process.Key.PID}, pidmap.Moved{Tx: uint64(h.now)}
	case 5:
		e.Kind, e.Socket = pidmap.ProcessExec, pidmap.Socket{}
		e.Process.Name += "-became"
		e.Process.Path += "-became"
	case 6:
		e = pidmap.Event{Kind: pidmap.SocketsCurrent, Time: h.now}
		if h.IntN(4) == 0 {
			e = pidmap.Event{Kind: pidmap.EventsLost, Time: h.now, NotBefore: h.now - hostStep}
		}
	case 7:
		e = pidmap.Event{Kind: pidmap.FlowTranslated, Time: h.now, Translation: &pidmap.Translation{
			Original: e.Socket.Key, Reply: flows.MakeKey(e.Socket.Key.Proto, netip.MustParseAddrPort("198.51.100.1:443"), netip.MustParseAddrPort(h.endpoint(20))),
		}}
	}
	return e
}

func (h *host) program() pidmap.Process {
	n := int32(1 + h.IntN(5))
	return program(n, fmt.Sprintf("p%d", n))
}

// open makes a socket: seen by a scan, or told of by the kernel.
func (h *host) open() pidmap.Event {
	h.made++
	proto, remote := flows.TCP, "198.51.100.1:443"
	if h.IntN(2) == 0 {
		proto, remote = flows.UDP, [...]string{"198.51.100.1:53", ""}[h.IntN(2)]
	}
	s := socketOf(proto, h.made, h.endpoint(60), remote) // "": bound
	s.Foreign = h.IntN(4) == 0
	h.sockets = append(h.sockets, s)
	if h.IntN(3) == 0 {
		return pidmap.Event{Kind: pidmap.SocketSeen, Time: h.now, Method: pidmap.MethodSockDiag, Socket: s, Holders: []pidmap.Process{h.program()}}
	}
	return pidmap.Event{Kind: pidmap.SocketMade, Time: h.now, Method: pidmap.MethodEBPF, Socket: s, Process: h.program()}
}

// packet is one of a socket, of one that is not there any more, or of none.
func (h *host) packet() (*capture.Packet, flows.Key) {
	proto, remote := flows.TCP, "198.51.100.1:443"
	if h.IntN(2) == 0 {
		proto, remote = flows.UDP, "198.51.100.1:53"
	}
	src, dst := netip.MustParseAddrPort(h.endpoint(20)), netip.MustParseAddrPort(remote)
	key := flows.MakeKey(proto, src, dst)
	frame := fixtures.UDP(src, dst, []byte("frame"))
	if proto == flows.TCP {
		frame = fixtures.TCP(src, dst, "A", 1, 1, []byte("frame"))
	}
	return &capture.Packet{Data: frame, Length: len(frame), LinkType: 1, Time: h.now - h.Int64N(3*hostStep)}, key
}

// seen is a packet's flow at a time.
type seen struct {
	key flows.Key
	at  int64
}

// play has things happen on a host, and says what it told and which packets there were.
func play(t *testing.T, seed uint64) (files [][]byte, told []pidmap.Event, packets []seen) {
	h := host{Rand: rand.New(rand.NewPCG(seed, 0)), now: 1_000_000_000_000}
	var out []*bytes.Buffer
	out = append(out, new(bytes.Buffer))
	w, must := beginRun(t, out[0])
	in := summarize.Input{Window: summarize.Window{Start: h.now, End: h.now}}
	must(w.WriteState(&in, false))
	for range 1500 {
		h.now += h.Int64N(hostStep)
		switch n := h.IntN(100); {
		case n < 55:
			e := h.event()
			told = append(told, e)
			must(w.WriteEvents([]pidmap.Event{e}))
		case n < 98:
			p, key := h.packet()
			packets = append(packets, seen{key, p.Time})
			must(w.WritePacket(p))
		default:
			out = append(out, new(bytes.Buffer))
			must(w.Next(out[len(out)-1], h.now, func() error { return nil }))
		}
	}
	in.Window.End = h.now
	must(w.WriteState(&in, true))
	must(w.Close())
	for _, o := range out {
		files = append(files, o.Bytes())
	}
	return files, told, packets
}

// TestFilesHaveOwners: the files of a run name the owners of its packets as all that was told does, though they have little of the sockets
// that no packet was of.
func TestFilesHaveOwners(t *testing.T) {
	for seed := range uint64(12) {
		files, told, packets := play(t, seed)
		_, read, n, err := readParts(t, files...)
		if err != nil || n != len(packets) {
			t.Fatalf("seed %d: %d packets (%v), want %d", seed, n, err, len(packets))
		}
		if len(read) >= len(told) {
			t.Errorf("seed %d: %d events of %d are in the files", seed, len(read), len(told))
		}
		live, again := pidmap.NewHistory(pidmap.ReasonNoSocketSeen), pidmap.NewHistory(pidmap.ReasonNoSocketSeen)
		for _, e := range told {
			live.Add(e)
		}
		for _, e := range read {
			again.Add(e)
		}
		for _, p := range packets {
			for _, by := range []flows.Initiator{flows.InitiatorLocal, flows.InitiatorRemote} {
				want, got := live.Owner(p.key, by, p.at, p.at), again.Owner(p.key, by, p.at, p.at)
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d: owner of %v at %d (-told +read):\n%s", seed, p.key, p.at, diff)
				}
			}
		}
	}
}

// TestFilesAloneHaveOwners: each file by itself names the owner of a packet whose socket was opened in an earlier one, however long ago and
// whichever files are between them; so does a run of which the file that told first is missing.
func TestFilesAloneHaveOwners(t *testing.T) {
	var out [4]bytes.Buffer
	w, must := beginRun(t, &out[0])
	must(w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1, End: 1}}, false))
	other := capture.Packet{Data: fixtures.UDP(netip.MustParseAddrPort("192.0.2.1:9"), netip.MustParseAddrPort("192.0.2.2:9"), nil), LinkType: 1, Time: 1}
	other.Length = len(other.Data)
	must(w.WriteEvents([]pidmap.Event{
		{Kind: pidmap.SocketMade, Time: 1, Socket: socketOf(flows.TCP, 9, "192.0.2.1:7", "192.0.2.2:7"), Process: program(9, "first")},
		{Kind: pidmap.SocketMade, Time: 1, Socket: socketOf(flows.TCP, 1, "192.0.2.1:1", "192.0.2.2:2"), Process: program(1, "early")},
		{Kind: pidmap.ProcessExec, Time: 2, Process: program(1, "became")},
	}))
	for i := range out {
		if i > 0 {
			must(w.Next(&out[i], int64(i)*partSeconds, func() error { return nil }))
		}
		if i == 0 || i == 3 {
			must(w.WritePacket(packetOf(flows.TCP, int64(i)*partSeconds+5)))
		}
		must(w.WritePacket(&other))
	}
	must(w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1, End: 4 * partSeconds}}, true))
	must(w.Close())
	tells := func(files ...[]byte) (made, became bool) {
		_, events, _, _ := readParts(t, files...)
		for _, e := range events {
			made, became = made || e.Process.Name == "early", became || e.Process.Name == "became"
		}
		return made, became
	}
	for i, want := range []bool{true, false, false, true} {
		if made, became := tells(out[i].Bytes()); made != want || became != want {
			t.Errorf("file %d by itself: tells of the socket %v, of its program %v; want %v", i+1, made, became, want)
		}
	}
	if made, became := tells(out[1].Bytes(), out[2].Bytes(), out[3].Bytes()); !made || !became {
		t.Errorf("without the first file: tells of the socket %v, of its program %v", made, became)
	}
	_, events, _, _ := readParts(t, out[0].Bytes(), out[1].Bytes(), out[2].Bytes(), out[3].Bytes())
	if len(events) != 3 {
		t.Errorf("all files: %d events, want each of 3 once", len(events))
	}
}

// TestFilesHaveManyPeers: a file by itself names the owner of all packets of an unconnected UDP socket, also where it had more peers than are told
// again.
func TestFilesHaveManyPeers(t *testing.T) {
	var out [2]bytes.Buffer
	w, must := beginRun(t, &out[0])
	must(w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1, End: 1}}, false))
	by := program(1, "resolver")
	peer := func(n int) string { return fmt.Sprintf("198.51.100.1:%d", 1+n) }
	const peers = 200
	for n := range peers {
		must(w.WriteEvents([]pidmap.Event{{Kind: pidmap.SocketPeer, Time: int64(n + 1), Method: pidmap.MethodEBPFCreator, Process: by,
			Socket: socketOf(flows.UDP, 1, "192.0.2.1:5000", peer(n))}}))
		if n == 0 {
			must(w.WriteEvents([]pidmap.Event{{Kind: pidmap.SocketUsed, Time: 1, Method: pidmap.MethodEBPF, Process: by,
				User: pidmap.UserKey{PID: by.Key.PID}, Moved: pidmap.Moved{Tx: 1}, Socket: socketOf(flows.UDP, 1, "0.0.0.0:5000", "")}}))
		}
	}
	must(w.Next(&out[1], partSeconds, func() error { return nil }))
	local := netip.MustParseAddrPort("192.0.2.1:5000")
	packet := capture.Packet{Data: fixtures.UDP(local, netip.MustParseAddrPort(peer(0)), nil), LinkType: 1, Time: partSeconds}
	packet.Length = len(packet.Data)
	must(w.WritePacket(&packet))
	must(w.WriteEvents([]pidmap.Event{{Kind: pidmap.SocketsCurrent, Time: 2 * partSeconds}}))
	must(w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1, End: 2 * partSeconds}}, true))
	must(w.Close())
	history := pidmap.NewHistory(pidmap.ReasonNoSocketSeen)
	_, events, _, _ := readParts(t, out[1].Bytes())
	for _, e := range events {
		history.Add(e)
	}
	for n := range peers {
		key := flows.MakeKey(flows.UDP, local, netip.MustParseAddrPort(peer(n)))
		if got := history.Owner(key, flows.InitiatorLocal, partSeconds, partSeconds); got.Process.Name != by.Name {
			t.Errorf("owner of the packets to peer %d of %d: %q (%v), want %q", n+1, peers, got.Process.Name, got.Reason, by.Name)
		}
	}
}
