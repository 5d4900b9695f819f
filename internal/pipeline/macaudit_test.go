package pipeline

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/fixtures/mac"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// macRun is a capture on en0 of a Mac: packets come when its kernel has told of all flows that there were, and what the kernel
// counts meanwhile is scripted.
type macRun struct {
	kernel *mac.Kernel
	table  *mac.Table
	tapeSource
	start time.Time
	clock atomic.Int64 // nanoseconds since 1970 UTC

	told   chan struct{} // closed when the first answer was heard
	once   sync.Once
	during func() // before the first packet
}

// macCounters are those of a Mac beside its statistics control: of interfaces, and here of none.
type macCounters struct{}

func (macCounters) Sockets(summarize.Moment) ([]summarize.SocketCounters, error) { return nil, nil }
func (macCounters) Overflows() uint64                                            { return 0 }
func (macCounters) RunClosed(ctx context.Context, _ func([]summarize.SocketCounters)) error {
	<-ctx.Done()
	return ctx.Err()
}
func (macCounters) Interfaces([]string) (map[string]summarize.InterfaceCounters, error) {
	return nil, nil
}

const en0, utun3 = 14, 20 // as in macWatcher's InterfaceName

func newMacRun(flows ...mac.Flow) *macRun {
	r := &macRun{kernel: mac.NewKernel(flows...), table: mac.NewTable(), start: time.Unix(1_700_000_000, 0), told: make(chan struct{})}
	r.clock.Store(r.start.UnixNano())
	r.tapeSource = tapeSource{end: capture.ErrTimeout, iface: ethernet("en0")}
	return r
}

// Next gives the packets once the flows of before are known; by then it is two seconds later.
func (r *macRun) Next(p *capture.Packet) error {
	if r.during != nil {
		<-r.told
		r.clock.Store(r.start.Add(2 * time.Second).UnixNano())
		r.during()
		r.during = nil
	}
	return r.tapeSource.Next(p)
}

// macOwners is a watcher that says when it has heard the first answer.
type macOwners struct {
	*pidmap.MacWatcher
	run *macRun
}

func (o macOwners) Run(ctx context.Context, emit func([]pidmap.Event)) error {
	return o.MacWatcher.Run(ctx, func(events []pidmap.Event) {
		emit(events)
		if slices.ContainsFunc(events, func(e pidmap.Event) bool { return e.Kind == pidmap.SocketsCurrent }) {
			o.run.once.Do(func() { close(o.run.told) })
		}
	})
}

func (r *macRun) report(t *testing.T) *summarize.Summary {
	t.Helper()
	watcher, degraded := pidmap.OpenMac(pidmap.MacSystem{
		Flows: func() (io.ReadWriteCloser, error) { return r.kernel, nil }, ProcInfo: r.table.ProcInfo,
		Refused: func(error) bool { return false }, Now: r.clock.Load,
		InterfaceName: func(index uint32) string { return map[uint32]string{en0: "en0", utun3: "utun3"}[index] },
	})
	defer watcher.Close()
	if len(degraded) > 0 {
		t.Fatalf("degraded: %q", degraded)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r.drained = stop
	return Run(ctx, Config{
		Sources: []capture.Source{r}, Live: true, ListFlows: true, Owners: macOwners{watcher, r}, Counters: macCounters{},
		AbsentReason: pidmap.ReasonNoSocketSeen, Now: func() time.Time { return time.Unix(0, r.clock.Load()) },
		LocalAddrs: func() []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(host.Addr(), 32)} },
		Source:     summarize.Source{Kind: "live", Interfaces: []string{"en0"}},
	}).Summary
}

func macLocal(port uint16) netip.AddrPort { return netip.AddrPortFrom(host.Addr(), port) }

func macFlow(ref uint64, provider mac.Provider, port uint16) mac.Flow {
	proto := flows.UDP
	if provider == mac.TCPKernel || provider == mac.TCPUser {
		proto = flows.TCP
	}
	return mac.Flow{Ref: ref, Provider: provider, Key: flows.MakeKey(proto, macLocal(port), peer), PID: 402, Name: "curl", State: 4, Interface: en0}
}

// conversation adds a TCP exchange of which every third data segment is captured twice; without is how many of its first packets
// are from before the capture. It returns what the kernel counts of it.
func (r *macRun) conversation(port uint16, without int, open bool) mac.Counts {
	packets, truth := fixtures.Conversation{
		Client: macLocal(port), Server: peer, Up: make([]byte, 9000), Down: make([]byte, 30_000), Start: r.start.Add(time.Second),
		Resend: 3, Open: open,
	}.Packets()
	r.packets = append(r.packets, packets[without:]...)
	return mac.Counts{TxBytes: truth.TxPayload, RxBytes: truth.RxPayload, TxPackets: truth.TxPackets, RxPackets: truth.RxPackets,
		TxRetransmitted: uint32(truth.TxPayload - truth.TxStream), RxDuplicate: uint32(truth.RxPayload - truth.RxStream)}
}

func (r *macRun) datagrams(port uint16, sizes ...int) {
	for i, size := range sizes {
		data := fixtures.UDP(macLocal(port), peer, make([]byte, size))
		if i%2 == 1 {
			data = fixtures.UDP(peer, macLocal(port), make([]byte, size))
		}
		r.packets = append(r.packets, capture.Packet{
			Time: r.start.Add(2*time.Second + time.Duration(i)).UnixNano(), Data: data, Length: len(data), LinkType: capture.LinkTypeEthernet})
	}
}

const handshake = 3 // packets

// TestMacAudit holds captured flows against the counters of a Mac's kernel: of a connection begun and ended meanwhile, with
// data sent and received again; of one that is older and stays open, whose first figures are no traffic of now; of UDP; and of
// those that nothing is known of, each for a reason that is named.
func TestMacAudit(t *testing.T) {
	older := macFlow(2, mac.TCPKernel, 40002)
	older.Counts = mac.Counts{RxBytes: 5000, TxBytes: 700, RxPackets: 9, TxPackets: 9, TxRetransmitted: 7, RxDuplicate: 8}
	olderUDP := macFlow(6, mac.UDPKernel, 40006)
	olderUDP.Counts = mac.Counts{RxBytes: 1 << 20, TxBytes: 1 << 20, RxPackets: 900, TxPackets: 900}
	r := newMacRun(older, olderUDP)
	r.during = func() {
		end := func(f mac.Flow, c mac.Counts, dropped bool) {
			f.Counts = mac.Counts{}
			r.kernel.Begin(f)
			r.kernel.Count(f.Ref, c)
			r.kernel.End(f.Ref, dropped, false)
		}
		end(macFlow(1, mac.TCPKernel, 40001), r.conversation(40001, 0, false), false)
		c := r.conversation(40002, handshake, true)
		r.kernel.Count(2, mac.Counts{RxBytes: 5000 + c.RxBytes, TxBytes: 700 + c.TxBytes, RxPackets: 99, TxPackets: 99,
			TxRetransmitted: 7 + c.TxRetransmitted, RxDuplicate: 8 + c.RxDuplicate})
		end(macFlow(3, mac.TCPUser, 40003), r.conversation(40003, 0, false), true)
		tunnelled := macFlow(4, mac.TCPKernel, 40004)
		tunnelled.Interface = utun3
		end(tunnelled, r.conversation(40004, 0, false), false)
		r.conversation(40005, 0, false) // the kernel tells nothing of it
		r.datagrams(40006, 100, 200)
		r.kernel.Count(6, mac.Counts{RxBytes: 1<<20 + 200, TxBytes: 1<<20 + 100, RxPackets: 901, TxPackets: 901})
		r.datagrams(40007, 1000, 500, 30)
		end(macFlow(7, mac.UDPUser, 40007), mac.Counts{TxBytes: 1030, TxPackets: 2, RxBytes: 500, RxPackets: 1}, false)
		r.datagrams(40008, 1200)
		end(macFlow(8, mac.QUICUser, 40008), mac.Counts{TxBytes: 900, TxPackets: 1}, false)
		r.datagrams(40009, 60)
		end(macFlow(9, mac.UDPKernel, 40009), mac.Counts{TxBytes: 60, TxPackets: 1}, true)
	}
	s := r.report(t)
	got := map[uint16]string{}
	for _, f := range s.Flows {
		got[f.Flow.Key.Local.Port] = strings.TrimSpace(string(f.Verdict) + " " + f.Unavailable)
	}
	const lost = "unavailable the kernel had no room to tell the last counters of its socket (ENOBUFS, closed after drop)"
	want := map[uint16]string{
		40001: "exact", 40002: "exact", 40003: lost, 40004: "unavailable its socket used utun3, which was not captured",
		40005: "unavailable the kernel reported no counters of the flow's socket", 40006: "exact", 40007: "exact",
		40008: "unavailable the kernel reported no counters of a socket on its port", 40009: lost,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if a := s.Audit; a.Verdict != summarize.VerdictExact || a.Exact != 4 || a.Unavailable != 5 {
		t.Errorf("audit %+v; want it exact, 4 flows of 9", a)
	}
	for _, f := range s.Flows {
		if k := f.Kernel; f.Flow.Key.Local.Port == 40002 && (k == nil || !k.RxPayloadKnown || k.RxPayload != f.Flow.RxPayload || k.RxStream != f.Flow.RxStream || k.TxStream != f.Flow.TxStream) {
			t.Errorf("older connection: kernel %+v of flow %+v; want payload and stream of the capture alone", k, f.Flow)
		}
	}
}

// TestMacAuditMismatch: what the kernel has and the capture has not is unexplained to the byte.
func TestMacAuditMismatch(t *testing.T) {
	r := newMacRun()
	r.during = func() {
		c := r.conversation(40001, 0, false)
		c.RxBytes += 10
		r.kernel.Begin(macFlow(1, mac.TCPKernel, 40001))
		r.kernel.Count(1, c)
		r.kernel.End(1, false, false)
	}
	if a := r.report(t).Audit; a.Verdict != summarize.VerdictUnexplained || a.UnexplainedBytes != 10 {
		t.Errorf("audit %+v; want 10 bytes unexplained", a)
	}
}

// TestMacAuditDrift: counters in a layout that is not known count as none, never as a mismatch, and the report says why.
func TestMacAuditDrift(t *testing.T) {
	older := macFlow(1, mac.TCPKernel, 40001)
	older.Counts = mac.Counts{RxBytes: 5000, TxBytes: 700}
	r := newMacRun(older)
	r.during = func() {
		r.conversation(40001, handshake, false)
		r.kernel.Drift(304, 256)
		r.kernel.End(1, false, false)
	}
	s := r.report(t)
	if a := s.Audit; a.Verdict != summarize.VerdictUnavailable || a.Unavailable != 1 {
		t.Errorf("audit %+v; want it unavailable", a)
	}
	if all := strings.Join(s.Degraded, "\n"); !strings.Contains(all, "ntstat: switched off") {
		t.Errorf("degraded %q; want the control switched off", s.Degraded)
	}
}

// TestMacTapped: what packets of a live capture say of their owners becomes an event of the process that it names, with its path.
func TestMacTapped(t *testing.T) {
	r := newMacRun()
	r.during = func() {
		r.datagrams(40001, 100, 200)
		for i := range r.packets {
			r.packets[i].Owner = &capture.Owner{Header: true, Outgoing: i == 0, Process: &capture.Process{PID: 402, Name: "dig"}}
		}
	}
	r.table = mac.NewTable(mac.Process{PID: 402, PPID: 1, Name: "dig", Path: "/usr/bin/dig", Start: 3})
	s := r.report(t)
	if len(s.Apps) != 1 || s.Apps[0].App.ID != "/usr/bin/dig" || s.Apps[0].Methods[pidmap.MethodPKTAP] != s.Totals.Bytes() || s.Totals.Flows != 1 {
		t.Errorf("apps %+v; want dig by its path, and all bytes by pktap", s.Apps)
	}
}
