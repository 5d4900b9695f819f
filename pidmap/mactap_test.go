package pidmap

import (
	"slices"
	"testing"

	"apptap/fixtures/mac"
	"apptap/flows"
	"apptap/pidmap/ntstat"
)

func tapped(port uint16, b *macBench, pid, effective int32, name string) Tapped {
	return Tapped{Key: macKey(flows.TCP, port), Time: b.clock, PID: pid, Effective: effective, Name: name}
}

// TestMacTap: what packets say of flows that the kernel does not tell of by itself: on whose behalf, in other hands, and no
// longer than they come.
func TestMacTap(t *testing.T) {
	b := newMacBench(t, mac.NewKernel(), macTable())
	b.watcher.Tapped([]Tapped{tapped(50001, b, 301, 300, "com.apple.WebKit"), tapped(50002, b, 402, 0, "curl"), tapped(50003, b, 999, 0, "gone")})
	b.after(0.01)
	b.want(t, "on behalf of another", macKey(flows.TCP, 50001), "Safari (300) by pktap")
	b.want(t, "for itself", macKey(flows.TCP, 50002), "curl (402) by pktap")
	b.want(t, "a process that is gone", macKey(flows.TCP, 50003), "gone (999) by pktap")
	a := b.history.Owner(macKey(flows.TCP, 50001), flows.InitiatorLocal, b.clock-1, b.clock)
	if want := "process 301, com.apple.WebKit, acts on its behalf"; !slices.Contains(a.App.Why, want) {
		t.Errorf("why %q; want %q among them", a.App.Why, want)
	}
	b.after(30)
	b.watcher.Tapped([]Tapped{tapped(50001, b, 402, 0, "curl")})
	b.after(0.5)
	b.want(t, "in other hands", macKey(flows.TCP, 50001), "curl (402) by pktap")
	b.after(40)
	b.after(5)
	b.want(t, "idle", macKey(flows.TCP, 50002), "no_socket_seen")
	b.want(t, "not idle yet", macKey(flows.TCP, 50001), "curl (402) by pktap")
}

// TestMacTapGivesWay: the kernel's word on the whole flow takes the place of a packet's, and a packet's that of a scan.
func TestMacTapGivesWay(t *testing.T) {
	kernel, table := mac.NewKernel(), macTable()
	table.Set(mac.Process{PID: 301, PPID: 1, UID: 501, Name: "com.apple.WebKit", Path: webkit, Start: 31_000_000, Sockets: []mac.Socket{socket(true, 50001)}})
	b := newMacBench(t, kernel, table)
	b.after(1)
	b.watcher.Tapped([]Tapped{tapped(50001, b, 301, 300, "com.apple.WebKit")})
	b.after(1)
	b.want(t, "a packet's word", macKey(flows.TCP, 50001), "Safari (300) by pktap")
	kernel.Begin(macFlow(1, ntstat.TCPKernel, 50001, 301, 300, "com.apple.WebKit"))
	b.after(1)
	b.watcher.Tapped([]Tapped{tapped(50001, b, 301, 300, "com.apple.WebKit")})
	b.after(1)
	b.want(t, "the kernel's word", macKey(flows.TCP, 50001), "Safari (300) by ntstat")
	if n := len(b.watcher.watch.tap.flows); n != 0 {
		t.Errorf("%d flows are still known by their packets, want none", n)
	}
}

// TestMacTapTaken: what a look has taken does not change under it, whether or not there was anything.
func TestMacTapTaken(t *testing.T) {
	b := newMacBench(t, mac.NewKernel(), macTable())
	for _, before := range [][]Tapped{nil, {tapped(50001, b, 402, 0, "curl")}} {
		b.watcher.Tapped(before)
		taken := b.watcher.taken()
		b.watcher.Tapped([]Tapped{tapped(50002, b, 402, 0, "curl")})
		if len(taken) != len(before) || len(b.watcher.taken()) != 1 {
			t.Errorf("%d of %d flows taken after another was told of", len(taken), len(before))
		}
	}
}

// TestMacTapBounded: what packets say is kept of so many flows and no more, however many there are.
func TestMacTapBounded(t *testing.T) {
	b := newMacBench(t, mac.NewKernel(), macTable())
	said := make([]Tapped, 0, maxTapped+100)
	for i := range maxTapped + 100 {
		s := tapped(uint16(i), b, 402, 0, "curl")
		s.Key.Remote.Port = uint16(1 + i>>16)
		said = append(said, s)
	}
	b.watcher.Tapped(said)
	b.after(0.01)
	if n := len(b.watcher.watch.tap.flows); n != maxTapped {
		t.Errorf("%d flows kept, want %d", n, maxTapped)
	}
}
