package summarize

import (
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"apptap/flows"
	"apptap/pidmap"

	"github.com/google/go-cmp/cmp"
)

// dice makes random inputs; the same seed makes the same ones.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0))} }

func (r dice) yes() bool { return r.IntN(2) == 0 }

// endpoint is one of few, so that keys meet again.
func (r dice) endpoint() netip.AddrPort {
	addrs := [...]string{"192.0.2.2", "198.51.100.1", "198.51.100.2", "127.0.0.1"}
	ports := [...]uint16{443, 22, 40000, 40001, 53}
	return netip.AddrPortFrom(netip.MustParseAddr(addrs[r.IntN(len(addrs))]), ports[r.IntN(len(ports))])
}

// flow is any flow, possible or not. Small figures make equal ones likely. at are counters to draw from, so
// that some flows agree with their socket.
func (r dice) flow(sockets []SocketCounters, interfaces int) flows.Flow {
	n := func() uint64 { return r.Uint64N(4) * 100 }
	proto := flows.TCP
	if r.IntN(4) == 0 {
		proto = flows.UDP
	}
	f := flows.Flow{
		Key: flows.MakeKey(proto, r.endpoint(), r.endpoint()), Interface: r.IntN(interfaces + 1),
		Locality: flows.Locality(r.IntN(3)), Initiator: flows.Initiator(r.IntN(3)), End: flows.End(r.IntN(4)),
		First: r.Int64N(10), Counts: flows.Counts{
			TxPackets: n(), TxBytes: n(), TxPayload: n(), RxPackets: n(), RxBytes: n(), RxPayload: n(),
		},
		TxIPBytes: n(), RxIPBytes: n(), TxStream: n(), RxStream: n(), TxRetransmits: n(), SYNRTT: flows.NoRTT, ACKRTT: flows.NoRTT,
		TxSawSYN: r.yes(), RxSawSYN: r.yes(), TxSawFIN: r.yes(), RxSawFIN: r.yes(), TxSawRST: r.yes(), RxSawRST: r.yes(),
		TxGap: n(), RxGap: n(), Snapped: r.IntN(8) == 0,
	}
	f.Last = f.First + r.Int64N(5)
	f.Names = [...]flows.Names{{}, {TLS: "a.example"}, {TLS: "b.example", DNS: "a.example"}, {DNS: "a.example"}, {QUIC: "a.example"}, {HTTP: "c.example"}}[r.IntN(6)]
	if len(sockets) > 0 && r.yes() {
		c := sockets[r.IntN(len(sockets))]
		f.Key, f.TxPayload, f.TxStream, f.RxStream = c.Key, c.BytesSent, c.BytesSent-min(c.BytesSent, c.BytesRetrans), c.BytesReceived
	}
	return f
}

func (r dice) socket() SocketCounters {
	n := func() uint64 { return r.Uint64N(4) * 100 }
	c := SocketCounters{
		Key: flows.MakeKey(flows.TCP, r.endpoint(), r.endpoint()), Cookie: r.Uint64N(6), Time: r.Int64N(20), Moment: Moment(r.IntN(3)),
		BytesSent: n(), BytesRetrans: n(), BytesReceived: n(), Incomplete: r.IntN(10) == 0,
	}
	if r.IntN(8) == 0 { // wiped
		remote := r.endpoint()
		c.Key = flows.MakeKey(flows.TCP, netip.AddrPortFrom(netip.IPv4Unspecified(), r.endpoint().Port()), netip.AddrPortFrom(remote.Addr(), 0))
		c.BytesSent, c.BytesRetrans, c.BytesReceived = 0, 0, 0
	}
	return c
}

// owner answers by key alone, as a history would by key and time: one of three apps, each with two processes,
// or a reason.
func owner(key flows.Key, _ flows.Initiator, first, _ int64) pidmap.Attribution {
	switch n := int(key.Local.Port) + int(key.Remote.Port); n % 5 {
	case 0:
		return pidmap.Attribution{Reason: pidmap.ReasonNoProcess}
	case 1:
		return pidmap.Attribution{Reason: pidmap.ReasonNoSocketSeen}
	default:
		a := ownedBy([]string{"a", "b", "c"}[n%3], int32(n%2)+int32(first%2))
		if first%3 == 0 { // shared with another one
			b := ownedBy("c", 7)
			a.Shares = []pidmap.Share{
				{App: a.App, Process: a.Process, Moved: pidmap.Moved{Tx: uint64(n), Rx: uint64(first)}},
				{App: b.App, Process: b.Process, Moved: pidmap.Moved{Tx: uint64(first)}},
			}
		}
		return a
	}
}

// input is a whole random run.
func (r dice) input() Input {
	in := Input{Owner: owner, Live: r.yes(), CounterOverflows: r.Uint64N(2), DroppedUserspace: r.Uint64N(2)}
	if r.yes() {
		in.Filter = []string{"tcp", "src host 192.0.2.2"}[r.IntN(2)]
	}
	for i := range r.IntN(3) {
		in.Interfaces = append(in.Interfaces, InterfaceInput{
			Name: string(rune('a' + i)), Loopback: r.yes(), DroppedKernel: r.Uint64N(2), Readings: r.readings(),
			CapturedBytes: r.Uint64N(1000), CapturedPackets: r.Uint64N(10),
		})
	}
	for range r.IntN(12) {
		in.Sockets = append(in.Sockets, r.socket())
	}
	for range r.IntN(20) {
		in.Flows = append(in.Flows, r.flow(in.Sockets, len(in.Interfaces)))
	}
	for range r.IntN(4) {
		in.Undecoded = append(in.Undecoded, flows.Undecoded{Kind: []string{"arp", "icmp", "llc"}[r.IntN(3)], Packets: r.Uint64N(5), Bytes: r.Uint64N(500)})
	}
	return in
}

func (r dice) readings() *InterfaceReadings {
	var c InterfaceCounters
	next := func() InterfaceCounters {
		c.RxPackets, c.RxBytes = c.RxPackets+r.Uint64N(10), c.RxBytes+r.Uint64N(300)
		c.TxPackets, c.TxBytes = c.TxPackets+r.Uint64N(10), c.TxBytes+r.Uint64N(300)
		return c
	}
	return &InterfaceReadings{BeforeOpen: next(), AfterOpen: next(), BeforeClose: next(), AfterClose: next()}
}

const randomRuns = 1500

func TestConservation(t *testing.T) {
	for seed := range uint64(randomRuns) {
		in := newDice(seed).input()
		s := Build(in)
		var captured Totals
		for _, f := range in.Flows {
			captured.Flows++
			captured.TxPackets += f.Packets() // a flow seen from its other side keeps only the sum of both
			captured.TxBytes += f.Bytes()
			captured.TxPayload += f.TxPayload + f.RxPayload
		}
		same(t, seed, "totals", bothWays(s.Totals), captured)
		sum := s.Unattributed.Totals
		for i := range s.Apps {
			sum = sum.Add(s.Apps[i].Totals)
			conservedApp(t, seed, &s.Apps[i])
		}
		same(t, seed, "apps + unattributed", sum, s.Totals)
		same(t, seed, "bytes by reason", total(s.Unattributed.Reasons), s.Unattributed.Bytes())
		same(t, seed, "unattributed destinations", sumDestinations(s.Unattributed.Destinations).Add(s.Unattributed.OtherDestinations.Totals), s.Unattributed.Totals)
		conservedUndecoded(t, seed, in.Undecoded, s.Undecoded)
		if t.Failed() {
			return
		}
	}
}

func conservedApp(t *testing.T, seed uint64, a *AppUse) {
	t.Helper()
	var processes Totals
	for _, p := range a.Processes {
		processes = processes.Add(p.Totals)
	}
	same(t, seed, "processes of "+a.App.ID, processes.Add(a.OtherProcesses.Totals), a.Totals)
	same(t, seed, "destinations of "+a.App.ID, sumDestinations(a.Destinations).Add(a.OtherDestinations.Totals), a.Totals)
	same(t, seed, "bytes by method of "+a.App.ID, total(a.Methods), a.Bytes())
	if a.Flows == 0 && a.App.ID != "/bin/c" { // a flow counts once, under the one of its owners that moved most
		t.Errorf("seed %d: app %s has no flows", seed, a.App.ID)
	}
}

func conservedUndecoded(t *testing.T, seed uint64, in []flows.Undecoded, got Undecoded) {
	t.Helper()
	var want, kinds KindUse
	for _, u := range in {
		want.Packets, want.Bytes = want.Packets+u.Packets, want.Bytes+u.Bytes
	}
	for _, k := range got.Kinds {
		kinds.Packets, kinds.Bytes = kinds.Packets+k.Packets, kinds.Bytes+k.Bytes
	}
	same(t, seed, "undecoded", KindUse{Packets: got.Packets, Bytes: got.Bytes}, want)
	same(t, seed, "undecoded by kind", kinds, want)
}

func bothWays(t Totals) Totals {
	return Totals{flows.Counts{TxPackets: t.Packets(), TxBytes: t.Bytes(), TxPayload: t.TxPayload + t.RxPayload}, t.Flows}
}

func sumDestinations(list []Destination) (sum Totals) {
	for _, d := range list {
		sum = sum.Add(d.Totals)
	}
	return sum
}

func total[K comparable](m map[K]uint64) (sum uint64) {
	for _, n := range m {
		sum += n
	}
	return sum
}

func same[T comparable](t *testing.T, seed uint64, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("seed %d: %s = %+v, want %+v", seed, what, got, want)
	}
}

func TestOrderOfInputsChangesNothing(t *testing.T) {
	for seed := range uint64(randomRuns) {
		r := newDice(seed)
		in := r.input()
		want := Build(in)
		shuffled := in
		shuffled.Flows, shuffled.Sockets, shuffled.Undecoded = slices.Clone(in.Flows), slices.Clone(in.Sockets), slices.Clone(in.Undecoded)
		shuffle(r, shuffled.Flows)
		shuffle(r, shuffled.Sockets)
		shuffle(r, shuffled.Undecoded)
		if diff := cmp.Diff(want, Build(shuffled), cmp.Comparer(sameAddr)); diff != "" {
			t.Fatalf("seed %d: a shuffled input (-want +got):\n%s", seed, diff)
		}
	}
}

func shuffle[T any](r dice, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func TestOrderIsAsDocumented(t *testing.T) {
	for seed := range uint64(randomRuns) {
		s := Build(newDice(seed).input())
		for i := 1; i < len(s.Flows); i++ {
			a, b := &s.Flows[i-1].Flow, &s.Flows[i].Flow
			if a.Bytes() < b.Bytes() || a.Bytes() == b.Bytes() && (a.First > b.First || a.First == b.First && a.Key.Compare(b.Key) > 0) {
				t.Fatalf("seed %d: flow %v before %v", seed, a, b)
			}
		}
		for i := 1; i < len(s.Apps); i++ {
			if a, b := &s.Apps[i-1], &s.Apps[i]; a.Bytes() < b.Bytes() || a.Bytes() == b.Bytes() && a.App.Name > b.App.Name {
				t.Fatalf("seed %d: app %s before %s", seed, a.App.Name, b.App.Name)
			}
		}
	}
}

func TestAuditSums(t *testing.T) {
	for seed := range uint64(randomRuns) {
		s := Build(newDice(seed).input())
		explained, unexplained := uint64(0), uint64(0)
		for i := range s.Flows {
			use := &s.Flows[i]
			if use.Kernel == nil {
				if use.Verdict != VerdictUnavailable || use.Unavailable == "" || len(use.Causes) > 0 {
					t.Fatalf("seed %d: %v without counters: verdict %s, because %q", seed, use.Flow.Key, use.Verdict, use.Unavailable)
				}
				continue
			}
			checkFlowSum(t, seed, use)
			explained += sumCauses(use.Causes)
			unexplained += use.Kernel.UnexplainedBytes
		}
		same(t, seed, "explained bytes", sumCauses(s.Audit.Causes), explained)
		same(t, seed, "unexplained bytes", s.Audit.UnexplainedBytes, unexplained)
		same(t, seed, "flows", s.Audit.Checked+s.Audit.Unavailable, len(s.Flows))
		same(t, seed, "checked", s.Audit.Exact+s.Audit.Explained+s.Audit.Unexplained, s.Audit.Checked)
		checkInterfaceSums(t, seed, s.Audit.Interfaces)
		if t.Failed() {
			return
		}
	}
}

// checkFlowSum demands that causes and unexplained bytes are the differences of the relations, worked out here from what
// the Summary says.
func checkFlowSum(t *testing.T, seed uint64, use *FlowUse) {
	t.Helper()
	f, k := &use.Flow, use.Kernel
	first := int64(k.TxStream) - int64(f.TxStream)
	again := int64(k.TxPayload-k.TxStream) - int64(f.TxPayload-f.TxStream)
	rx := magnitude(int64(k.RxStream) - int64(f.RxStream))
	if k.RxPayloadKnown { // less what came after the close, which is in the stream already
		stream, all := int64(k.RxStream)-int64(f.RxStream), int64(k.RxPayload)-int64(f.RxPayload)
		if stream >= 0 || all < stream {
			rx += magnitude(all - stream)
		} else {
			rx += uint64(max(all, 0))
		}
	}
	got := sumCauses(use.Causes) + k.UnexplainedBytes
	apart, asOne := magnitude(first)+magnitude(again)+rx, magnitude(first+again)+rx
	if got != apart && (f.TxSawSYN || got != asOne) {
		t.Errorf("seed %d: %v: causes %v and %d unexplained bytes, want %d bytes in all", seed, f.Key, use.Causes, k.UnexplainedBytes, apart)
	}
	want := VerdictExact
	if k.UnexplainedBytes > 0 {
		want = VerdictUnexplained
	} else if len(use.Causes) > 0 {
		want = VerdictExplained
	}
	same(t, seed, "verdict", use.Verdict, want)
}

func sumCauses(causes []Cause) (sum uint64) {
	for _, c := range causes {
		sum += magnitude(c.Bytes)
	}
	return sum
}

func checkInterfaceSums(t *testing.T, seed uint64, list []InterfaceAudit) {
	t.Helper()
	for _, a := range list {
		if a.Unavailable != "" {
			continue
		}
		left := int64(a.KernelBytes) - int64(a.CapturedBytes) - int64(a.FilteredOut) - a.ResidualBytes
		for _, c := range a.Causes {
			left -= c.Bytes
		}
		same(t, seed, "what nothing accounts for on "+a.Name, left, 0)
	}
}

// TestRestIsSummedUp: flows that are not listed count like those that are.
func TestRestIsSummedUp(t *testing.T) {
	for seed := range uint64(300) {
		in := newDice(seed).input()
		in.Sockets = nil
		listed := Build(in)
		half := len(in.Flows) / 2
		in.Rest, in.Flows = []iter.Seq[*flows.Flow]{pointers(in.Flows[:half]), pointers(in.Flows[half:])}, nil
		summed := Build(in)
		in.Side = func(n int, do func(int)) {
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() { do(i) })
			}
			all.Wait()
		}
		if diff := cmp.Diff(summed, Build(in), cmp.Comparer(sameAddr)); diff != "" {
			t.Fatalf("seed %d: summed up side by side differs (-one after another +side by side):\n%s", seed, diff)
		}
		if len(summed.Flows) != 0 {
			t.Fatalf("seed %d: %d flows are listed, want none", seed, len(summed.Flows))
		}
		// Which of its flows describes an app or a process depends on their order, and only listed ones are sorted.
		for _, s := range []*Summary{listed, summed} {
			s.Flows = nil
			for i := range s.Apps {
				s.Apps[i].App = pidmap.App{ID: s.Apps[i].App.ID}
				for j := range s.Apps[i].Processes {
					s.Apps[i].Processes[j].Process = pidmap.Process{Key: s.Apps[i].Processes[j].Process.Key}
				}
			}
		}
		if diff := cmp.Diff(listed, summed, cmp.Comparer(sameAddr)); diff != "" {
			t.Fatalf("seed %d: summed up differs from listed (-listed +summed):\n%s", seed, diff)
		}
	}
}

func pointers(list []flows.Flow) iter.Seq[*flows.Flow] {
	return func(yield func(*flows.Flow) bool) {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}
