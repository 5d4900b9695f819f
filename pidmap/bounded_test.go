package pidmap

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"apptap/flows"
	"apptap/pidmap/bpf"
)

// remembers is how much is remembered, by what.
func remembers(h *History, t *translator) map[string]int {
	return map[string]int{
		"connected": len(h.connected), "bound": len(h.bound), "byIdentity": len(h.byIdentity), "early": len(h.early),
		"images": len(h.images), "exits": len(h.exits), "traced": len(h.traced), "History.processes": len(h.programs),
		"translator.processes": len(t.processes), "ended": len(t.ended), "shared": len(t.shared),
	}
}

type nothingNeeded struct{}

func (nothingNeeded) Flow(flows.Key, int64) bool       { return false }
func (nothingNeeded) Port(flows.Protocol, uint16) bool { return false }

// TestBounded opens four hundred connections a second, each by a program of its own that lives for one, and wants as much to be
// remembered after eighty seconds as after a hundred and sixty. A day is the same again: the time is the records', not the clock's.
func TestBounded(t *testing.T) {
	const perSecond, grace = 400, 65_000_000_000
	h, tr := NewHistory(ReasonNoSocketSeen), newTranslator()
	var early map[string]int
	var heap runtime.MemStats
	for second := range uint64(160) {
		for i := range uint64(perSecond) {
			for _, e := range shortLife(second*perSecond+i, second*1_000_000_000+i*2_000_000) {
				for _, told := range tr.add(nil, &e) {
					h.Add(told)
				}
			}
		}
		now := int64(second+1) * 1_000_000_000
		h.Add(Event{Kind: SocketsCurrent, Time: now})
		if second%5 == 4 {
			h.Forget(now-grace, nothingNeeded{})
		}
		if second == 79 {
			early = remembers(h, tr)
		}
	}
	for what, late := range remembers(h, tr) {
		if late > early[what] {
			t.Errorf("%s: %d after 80 s, %d after 160 s", what, early[what], late)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&heap)
	if mib := heap.HeapAlloc >> 20; mib > 200 {
		t.Errorf("%d MiB in use, want at most 200", mib)
	}
	if len(h.traced) < 60*perSecond {
		t.Errorf("%d sockets are known, want those of the last minute", len(h.traced))
	}
	runtime.KeepAlive(tr)
}

// shortLife is what the kernel tells of one program with one connection, from fork to exit.
func shortLife(n, at uint64) []bpf.Event {
	user := bpf.User{PID: int32(1000 + n%30000), Start: at, Exec: n}
	p := bpf.Process{User: user, PPID: 1, Name: "short", Cgroup: 1}
	port := uint16(10000 + n%50000)
	s := bpf.Socket{Cookie: n + 1, NetNS: 1, Created: at, Proto: 6,
		Local: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), port), Remote: netip.MustParseAddrPort("198.51.100.1:443")}
	socket := func(kind bpf.Kind, after uint64) bpf.Event {
		return bpf.Event{Kind: kind, Time: at + after, Process: p, Socket: s}
	}
	end := socket(bpf.SocketClosed, 900_000)
	end.Socket.Tx, end.Socket.Counted, end.Socket.Sent = 100, true, 100
	return []bpf.Event{
		{Kind: bpf.ProcessExec, Time: at, Process: p, Path: fmt.Sprintf("/usr/bin/program%d", n%100), Cmdline: []string{"program"}},
		socket(bpf.SocketOpened, 100_000), socket(bpf.SocketUsed, 200_000), end,
		{Kind: bpf.ProcessExit, Time: at + 950_000, Process: p},
	}
}
