package pipeline

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// busyHost plays connections of three programs to an owner, 50 a second, over local ports that are used again and again. Some
// are reset, some have counters that disagree or none, some never end, and some are UDP.
type busyHost struct {
	*owner
	t         *testing.T
	most      int // flows in the table at a time
	mostOfAll int // readings of sockets
}

func newBusyHost(t *testing.T) *busyHost {
	c := Config{
		Live: true, Owners: &liveHost{woken: make(chan struct{}, 1)}, AbsentReason: pidmap.ReasonNoSocketSeen, TakeTimes: true,
		LocalAddrs: func() []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(host.Addr(), 32)} },
		Source:     summarize.Source{Kind: "live"}, Now: func() time.Time { return time.Unix(1000, 0) },
	}
	h := &busyHost{owner: newOwner(&c, newShared(&c, func() {})), t: t}
	h.learnLocal()
	return h
}

func (h *busyHost) connect(i int) {
	const request, answer = 100, 300
	local := netip.AddrPortFrom(host.Addr(), uint16(10000+i%700))
	at := packets0(2000) + int64(i)*int64(20*time.Millisecond)
	program := []string{"mail", "chat", "sync"}[i%3]
	proto := flows.TCP
	if i%31 == 0 {
		proto = flows.UDP
	}
	socket := pidmap.Socket{Key: flows.MakeKey(proto, local, peer), Cookie: uint64(i + 1), Inode: uint64(i + 1)}
	process := pidmap.Process{Key: pidmap.ProcessKey{PID: int32(i%3 + 7), Start: 1}, Name: program, Path: "/usr/bin/" + program}
	events := []pidmap.Event{
		{Kind: pidmap.SocketMade, Method: pidmap.MethodEBPF, Time: at - 1000, NotBefore: at - 2000, Socket: socket, Process: process},
		{Kind: pidmap.SocketUsed, Method: pidmap.MethodEBPF, Time: at, Socket: socket, Process: process,
			User: pidmap.UserKey{PID: process.Key.PID, Start: 1}, Moved: pidmap.Moved{Tx: request, Rx: answer}},
	}
	if closed := (pidmap.Event{Kind: pidmap.SocketClosed, Method: pidmap.MethodEBPF, Time: at + 8_000_000, Socket: socket}); i%89 != 0 {
		closed.Totals = pidmap.Totals{Known: proto == flows.TCP && i%83 != 0, Sent: request, Received: answer}
		if i%97 == 0 {
			closed.Totals.Sent += 10
		}
		events = append(events, closed)
	}
	h.addEvents(events)
	h.addBatch(h.packets(i, local, at, make([]byte, request), make([]byte, answer)))
	h.most, h.mostOfAll = max(h.most, h.table.Len()), max(h.mostOfAll, len(h.sockets))
}

func (h *busyHost) packets(i int, local netip.AddrPort, at int64, request, answer []byte) *batch {
	b, follower := newBatch(), &flows.Follower{}
	say := func(frame []byte) {
		at += 1_000_000
		b.add(&capture.Packet{Time: at, Data: frame, Length: len(frame), LinkType: capture.LinkTypeEthernet}, 0, follower, false)
	}
	if i%31 == 0 {
		say(fixtures.UDP(local, peer, request))
		say(fixtures.UDP(peer, local, answer))
		return b
	}
	isn := uint32(i * 1000)
	say(fixtures.TCP(local, peer, "S", isn, 0, nil))
	say(fixtures.TCP(peer, local, "SA", 5, isn+1, nil))
	say(fixtures.TCP(local, peer, "PA", isn+1, 6, request))
	say(fixtures.TCP(peer, local, "PA", 6, isn+101, answer))
	switch {
	case i%89 == 0:
	case i%53 == 0:
		say(fixtures.TCP(local, peer, "RA", isn+101, 306, nil))
	default:
		say(fixtures.TCP(peer, local, "FA", 306, isn+101, nil))
		say(fixtures.TCP(local, peer, "FA", isn+101, 307, nil))
		say(fixtures.TCP(peer, local, "A", 307, isn+102, nil))
	}
	return b
}

// lose has the interface's capture tell that it dropped packets.
func (h *busyHost) lose(packets uint64) {
	r := &reader{}
	r.state.Store(&sourceState{[]capture.Interface{{Name: "eth0", LinkType: capture.LinkTypeEthernet, Stats: capture.Stats{DroppedKernel: packets, Known: true}}}})
	h.readers = []*reader{r}
}

// TestSettle: the report is the same whether flows are settled when they are over or kept to the end, and what is kept does
// not grow with time. Where packets were dropped, those that lack some are settled too.
func TestSettle(t *testing.T) {
	var whole, lossy int
	t.Run("nothing dropped", func(t *testing.T) { whole = testSettle(t, 0) })
	t.Run("dropped", func(t *testing.T) { lossy = testSettle(t, 5) })
	if lossy > whole-100 {
		t.Errorf("%d flows wait for the end where packets were dropped, and %d where none were: those that lack some are kept", lossy, whole)
	}
}

// testSettle returns how many flows were not settled.
func testSettle(t *testing.T, dropped uint64) (waiting int) {
	const connections = 15_000 // five minutes
	settled, kept := newBusyHost(t), newBusyHost(t)
	settled.lose(dropped)
	kept.lose(dropped)
	kept.nextSettle = math.MaxInt
	for i := range connections {
		settled.connect(i)
		kept.connect(i)
	}
	if settled.settled == nil || settled.settled.Flows() < connections/2 {
		t.Fatalf("few flows were settled: %+v", settled.settled)
	}
	if settled.flows() != connections || kept.flows() != connections {
		t.Errorf("counts %d and %d flows of %d", settled.flows(), kept.flows(), connections)
	}
	if settled.most > connections*2/3 || settled.mostOfAll > connections*2/3 || kept.most != connections {
		t.Errorf("up to %d flows and %d readings are kept of %d", settled.most, settled.mostOfAll, kept.most)
	}
	waiting = settled.table.Len()
	got, want := settled.buildReport(), kept.buildReport()
	if want.Audit.Exact == 0 || want.Audit.Explained == 0 && dropped > 0 || want.Audit.Unexplained == 0 && dropped == 0 ||
		want.Audit.Unavailable == 0 || want.Unattributed.Flows != 0 || len(want.Apps) != 3 {
		t.Fatalf("not all there is to be told: %+v", want.Audit)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("kept to the end (-), settled (+):\n%s", diff)
	}
	return waiting
}

// TestSettleWithoutPackets: a capture of an idle interface does not keep what kernel events tell of all others.
func TestSettleWithoutPackets(t *testing.T) {
	const perSecond = 100
	h := newDayHost()
	for second := range 300 {
		at := packets0(2000) + int64(second)*int64(time.Second)
		for i := range perSecond {
			n := second*perSecond + i
			local, remote := h.tuple(n)
			h.addEvents(eventsOf(n, at, flows.MakeKey(flows.TCP, local, remote)))
		}
		h.addEvents([]pidmap.Event{{Kind: pidmap.SocketsCurrent, Time: at}})
		h.publish()
	}
	if n := len(h.sockets); n == 0 || n > 150*perSecond {
		t.Errorf("%d readings are kept of %d, want those of two minutes", n, 300*perSecond)
	}
}
