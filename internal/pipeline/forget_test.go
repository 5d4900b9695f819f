package pipeline

import (
	"net/netip"
	"testing"
	"time"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// TestForgetWithFolds: owners of flows that were folded are dropped after the grace time, those of flows
// that are still there are not, and sums are the same.
func TestForgetWithFolds(t *testing.T) {
	const connections, atOnce = 3000, 64
	c := Config{
		Live: true, MaxFlows: atOnce, Owners: &liveHost{woken: make(chan struct{}, 1)}, AbsentReason: pidmap.ReasonNoSocketSeen,
		LocalAddrs: func() []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(host.Addr(), 32)} },
		Source:     summarize.Source{Kind: "live"}, Now: func() time.Time { return time.Unix(1000, 0) },
	}
	o := newOwner(&c, newShared(&c, func() {}))
	o.learnLocal()
	began := func(i int) int64 { return packets0(int64(1000 + i)) }
	keyAt := func(i int) flows.Key {
		return flows.MakeKey(flows.UDP, netip.AddrPortFrom(host.Addr(), uint16(10000+i)), peer)
	}
	for i := range connections {
		s := pidmap.Socket{Key: keyAt(i), Cookie: uint64(i + 1), Inode: uint64(i + 1)}
		chat := pidmap.Process{Key: pidmap.ProcessKey{PID: 7, Start: 1}, Name: "chat", Path: "/usr/bin/chat"}
		o.addEvents([]pidmap.Event{
			{Kind: pidmap.SocketSeen, Time: began(i), Method: pidmap.MethodSockDiag, Socket: s, Holders: []pidmap.Process{chat}},
			{Kind: pidmap.SocketClosed, Time: began(i) + int64(time.Millisecond), LastSeen: began(i), Socket: s},
		})
		o.addBatch(batchOf(s.Key, began(i)))
	}
	owned := func(i int) bool {
		return o.history.Owner(keyAt(i), flows.InitiatorLocal, began(i), began(i)).Known()
	}
	for i, want := range map[int]bool{0: false, 1000: false, connections - int(forgetGrace/time.Second): true, connections - 1: true} {
		if got := owned(i); got != want {
			t.Errorf("connection %d of %d: owner known %v, want %v", i, connections, got, want)
		}
	}
	summary := o.buildReport()
	if len(summary.Apps) != 1 || summary.Apps[0].Packets() != connections || summary.Unattributed.Packets() != 0 {
		t.Errorf("apps %+v, unattributed %+v; want all %d packets with chat", summary.Apps, summary.Unattributed, connections)
	}
}

func batchOf(key flows.Key, at int64) *batch {
	data := fixtures.UDP(key.LocalAddr(), key.RemoteAddr(), nil)
	b := newBatch()
	b.add(&capture.Packet{Time: at, Data: data, Length: len(data), LinkType: capture.LinkTypeEthernet}, 0, &flows.Follower{}, false)
	return b
}
