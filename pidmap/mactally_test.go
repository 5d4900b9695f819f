package pidmap

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures/mac"
	"apptap/flows"
	"apptap/pidmap/ntstat"
)

// TestMacTotals: what the events of a TCP flow say of its bytes, from its first to its last.
func TestMacTotals(t *testing.T) {
	older := macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl")
	older.Counts = ntstat.Counts{RxBytes: 10, TxBytes: 20, RxPackets: 1, TxPackets: 1, RxDuplicate: 3, TxRetransmitted: 4}
	kernel := mac.NewKernel(older)
	b := newBench(t, kernel)
	baseline := Totals{Known: true, Payload: true, Sent: 20, Retrans: 4, Received: 10, Duplicate: 3, Interface: "en0"}
	now := b.after(0)
	if got := toldTotals(now, SocketSeen, 1); got != baseline {
		t.Errorf("at first sight: got %+v, want %+v", got, baseline)
	}
	kernel.Begin(macFlow(2, ntstat.TCPKernel, 50002, 402, 0, "curl"))
	if got := toldTotals(b.after(1.1), SocketSeen, 2); got != (Totals{}) {
		t.Errorf("a flow that begins: got %+v, want no baseline", got)
	}
	kernel.Count(2, ntstat.Counts{TxBytes: 500, TxPackets: 2})
	kernel.End(2, false, false)
	if got, want := toldTotals(b.after(0.1), SocketClosed, 2), (Totals{Known: true, Payload: true, Sent: 500, Interface: "en0"}); got != want {
		t.Errorf("at its end: got %+v, want %+v", got, want)
	}
	kernel.Count(1, ntstat.Counts{RxBytes: 110, TxBytes: 20, RxPackets: 2, TxPackets: 1})
	events, err := b.watcher.Scan(t.Context())
	if got, want := toldTotals(events, SocketCounted, 1), (Totals{Known: true, Payload: true, Sent: 20, Received: 110, Interface: "en0"}); err != nil || got != want {
		t.Errorf("still open: got %+v, %v; want %+v", got, err, want)
	}
}

// TestMacTotalsLost: a flow whose last counters were dropped, or that is gone without a word, says so. One of two interfaces
// says nothing.
func TestMacTotalsLost(t *testing.T) {
	kernel := mac.NewKernel()
	for ref := range uint64(4) {
		f := macFlow(ref, ntstat.TCPKernel, 50000+uint16(ref), 402, 0, "curl")
		f.Counts = ntstat.Counts{TxBytes: 9, TxPackets: 1}
		if ref == 3 {
			f.Provider, f.Key = ntstat.UDPKernel, macKey(flows.UDP, 50003)
		}
		kernel.Begin(f)
	}
	b := newBench(t, kernel)
	b.after(0)
	kernel.End(0, true, false)
	kernel.End(1, false, true)
	kernel.End(3, true, false)
	roamed := macFlow(2, ntstat.TCPKernel, 50002, 402, 0, "curl")
	roamed.Interface, roamed.Counts = 20, ntstat.Counts{TxBytes: 19, TxPackets: 2}
	kernel.End(2, false, true)
	kernel.Begin(roamed)
	kernel.End(2, false, false)
	events := b.after(1.1)
	for ref, want := range []Totals{{Lost: true}, {Lost: true}, {}} {
		if got := toldTotals(events, SocketClosed, uint64(ref)); got != want {
			t.Errorf("flow %d: got %+v, want %+v", ref, got, want)
		}
	}
	for _, e := range events {
		if e.Kind == SocketClosed && e.Socket.Cookie == 3 && (e.Datagrams == nil || !e.Datagrams.Lost) {
			t.Errorf("UDP: got %+v, want it lost", e.Datagrams)
		}
		if e.Kind == SocketsCounted {
			t.Error("told that all UDP sockets are counted, after a loss")
		}
	}
}

// TestMacDatagrams: what UDP flows moved since they were told of. Sockets that share a port may each have a copy of what arrives,
// and QUIC of user space counts its own layer: neither can be held against packets.
func TestMacDatagrams(t *testing.T) {
	unbound := func(ref uint64, port uint16) ntstat.Flow {
		f := macFlow(ref, ntstat.UDPKernel, port, 402, 0, "curl")
		f.Key.Remote = flows.Endpoint{}
		return f
	}
	older := unbound(1, 50001)
	older.Counts = ntstat.Counts{RxBytes: 1000, TxBytes: 2000, RxPackets: 10, TxPackets: 20}
	kernel := mac.NewKernel(older, unbound(2, 5353), unbound(3, 5353), macFlow(4, ntstat.QUICUser, 50004, 402, 0, "curl"), macFlow(5, ntstat.UDPUser, 50005, 402, 0, "curl"))
	b := newBench(t, kernel)
	b.after(0)
	six, seven := macFlow(6, ntstat.UDPKernel, 50006, 402, 0, "curl"), macFlow(7, ntstat.UDPKernel, 50007, 402, 0, "curl")
	six.Age = 24_000_000 * 3 / 4 // since three quarters of a second
	kernel.Start(six)
	kernel.Start(seven)
	b.after(1)
	told := b.clock
	for ref, c := range map[uint64]ntstat.Counts{
		1: {RxBytes: 1100, TxBytes: 2200, RxPackets: 11, TxPackets: 22},
		2: {RxBytes: 50, RxPackets: 1}, 3: {RxBytes: 50, RxPackets: 1}, 4: {TxBytes: 1200, TxPackets: 1}, 6: {TxBytes: 60, TxPackets: 1}, 7: {TxBytes: 70, TxPackets: 1},
	} {
		kernel.Count(ref, c)
	}
	events, err := b.watcher.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	moved := func(tx, rx, arrived uint64, odd bool) *Datagrams {
		d := &Datagrams{Odd: odd, Arrived: arrived, Taken: arrived, Sent: tx, Received: rx}
		d.Interfaces[0] = InterfaceBytes{Name: "en0", Tx: tx, Rx: rx}
		return d
	}
	type row struct {
		NotBefore int64
		Counted   *Datagrams
	}
	want := map[uint64]row{1: {0, moved(200, 100, 1, false)}, 2: {0, moved(0, 50, 1, true)}, 3: {0, moved(0, 50, 1, true)},
		6: {told - 750_000_000, moved(60, 0, 0, false)}, 7: {told, moved(70, 0, 0, false)}}
	got := map[uint64]row{}
	whole := false
	for _, e := range events {
		if e.Kind == SocketCounted {
			got[e.Socket.Cookie] = row{e.NotBefore, e.Datagrams}
		}
		whole = whole || e.Kind == SocketsCounted
	}
	if diff := cmp.Diff(want, got); diff != "" || !whole {
		t.Errorf("whole %v, counted (-want +got):\n%s", whole, diff)
	}
}

// TestMacAge: ticks of the kernel's clock as nanoseconds. A clock whose pace is not known, and ages of centuries, tell nothing.
func TestMacAge(t *testing.T) {
	for _, tt := range []struct {
		ticks, age uint64
		want       int64
	}{
		{24_000_000, 0, 0},
		{24_000_000, 36_000_000, 1_500_000_000},
		{24_000_000, 24_000_000 * 86400 * 365, 86400 * 365 * 1_000_000_000},
		{1_000_000_000, 1_234_567_891, 1_234_567_891},
		{24_000_000, 1 << 63, 0},
		{1, 1 << 40, 0},
		{0, 36_000_000, 0},
	} {
		f := macFlows{ticks: tt.ticks}
		if got := f.age(&ntstat.Flow{Age: tt.age}); got != tt.want {
			t.Errorf("%d ticks of %d a second: got %d ns, want %d", tt.age, tt.ticks, got, tt.want)
		}
	}
}

// newBench is newMacBench before it has heard anything.
func newBench(t *testing.T, kernel *mac.Kernel) *macBench {
	b := newMacBench(t, mac.NewKernel(), macTable())
	flows, err := openMacFlows(kernel, b.watcher.watch.procs)
	if err != nil {
		t.Fatal(err)
	}
	flows.ticks = b.watcher.watch.flows.ticks
	flows.interfaceName = func(index uint32) string { return map[uint32]string{14: "en0", 20: "utun3"}[index] }
	b.kernel, b.watcher.watch.flows = kernel, flows
	b.watcher.watch.again()
	return b
}

func toldTotals(events []Event, kind EventKind, ref uint64) Totals {
	for _, e := range events {
		if e.Kind == kind && e.Socket.Cookie == ref {
			return e.Totals
		}
	}
	return Totals{Interface: "no such event"}
}
