package summarize

import (
	"net/netip"
	"testing"

	"apptap/flows"
	"apptap/pidmap"

	"github.com/google/go-cmp/cmp"
)

var webKey = key(flows.TCP, "192.0.2.2:40000", "198.51.100.1:443")

// whole is a flow captured from SYN to FIN: 1000 bytes out, 100 of them twice, 5000 in.
func whole() flows.Flow {
	return flows.Flow{
		Key: webKey, Locality: flows.LocalOne, Initiator: flows.InitiatorLocal, End: flows.EndFIN, First: 100, Last: 200,
		Counts:   flows.Counts{TxPackets: 9, TxBytes: 1600, TxPayload: 1100, RxPackets: 9, RxBytes: 5500, RxPayload: 5000},
		TxStream: 1000, RxStream: 5000,
		TxSawSYN: true, RxSawSYN: true, TxSawFIN: true, RxSawFIN: true,
	}
}

// reading is what the kernel says of whole, without the FIN.
func reading(moment Moment, time int64) SocketCounters {
	return SocketCounters{
		Key: webKey, Cookie: 7, Time: time, Moment: moment,
		BytesSent: 1100, BytesRetrans: 100, BytesReceived: 5000, BytesAcked: 1002,
	}
}

// flowCheck is one flow, the counters of its socket, and what must come of them.
type flowCheck struct {
	name        string
	flow        func(f *flows.Flow)
	sockets     []SocketCounters
	change      func(in *Input)
	verdict     Verdict
	causes      []Cause
	unexplained uint64
	kernel      *KernelUse // without the counts of flows; nil: not compared
}

func (tt flowCheck) run(t *testing.T) {
	f := whole()
	if tt.flow != nil {
		tt.flow(&f)
	}
	in := Input{Flows: []flows.Flow{f}, Sockets: tt.sockets, Live: true}
	if tt.change != nil {
		tt.change(&in)
	}
	s := Build(in)
	use := s.Flows[0]
	if use.Verdict != tt.verdict || s.Audit.Verdict != tt.verdict {
		t.Errorf("verdict = %s, of the run %s, want %s", use.Verdict, s.Audit.Verdict, tt.verdict)
	}
	if diff := cmp.Diff(tt.causes, use.Causes); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
	if use.Kernel == nil {
		if tt.verdict != VerdictUnavailable || use.Unavailable == "" {
			t.Fatalf("no counters, verdict %s because %q, want counters", use.Verdict, use.Unavailable)
		}
		return
	}
	if use.Kernel.UnexplainedBytes != tt.unexplained || s.Audit.UnexplainedBytes != tt.unexplained {
		t.Errorf("unexplained = %d, of the run %d, want %d", use.Kernel.UnexplainedBytes, s.Audit.UnexplainedBytes, tt.unexplained)
	}
	if tt.kernel != nil {
		got := KernelUse{TxPayload: use.Kernel.TxPayload, TxStream: use.Kernel.TxStream, RxStream: use.Kernel.RxStream}
		if diff := cmp.Diff(*tt.kernel, got); diff != "" {
			t.Errorf("kernel (-want +got):\n%s", diff)
		}
	}
}

// with is a reading changed.
func with(c SocketCounters, change func(c *SocketCounters)) SocketCounters {
	change(&c)
	return c
}

func TestFlowExact(t *testing.T) {
	exact := &KernelUse{TxPayload: 1100, TxStream: 1000, RxStream: 5000}
	before := with(reading(AtStart, 50), func(c *SocketCounters) {
		c.BytesSent, c.BytesRetrans, c.BytesReceived = 600, 20, 70
	})
	after := with(reading(AtClose, 210), func(c *SocketCounters) {
		c.BytesSent, c.BytesRetrans, c.BytesReceived = 1700, 120, 5070
	})
	tests := []flowCheck{
		{name: "the FIN met the TIME_WAIT remnant", sockets: []SocketCounters{reading(AtClose, 210)}, kernel: exact},
		{name: "the socket took in the FIN", kernel: exact,
			sockets: []SocketCounters{with(reading(AtClose, 210), func(c *SocketCounters) { c.BytesReceived++ })}},
		{name: "still there at the end", sockets: []SocketCounters{reading(AtEnd, 210)}, kernel: exact},
		{name: "what was before is subtracted", kernel: exact, sockets: []SocketCounters{before, after},
			flow: func(f *flows.Flow) { f.TxSawSYN, f.RxSawSYN = false, false }},
		{name: "first dump after the SYN: all of it was captured", kernel: exact,
			sockets: []SocketCounters{with(reading(AtStart, 150), func(c *SocketCounters) { c.BytesSent = 10 }), reading(AtClose, 210)}},
		{name: "the closing reading says more than the dump at the end", kernel: exact, sockets: []SocketCounters{
			with(reading(AtEnd, 220), func(c *SocketCounters) { c.BytesSent = 5 }), reading(AtClose, 210)}},
		{name: "a gap or a drop alone is no difference", sockets: []SocketCounters{reading(AtClose, 210)},
			flow:   func(f *flows.Flow) { f.TxGap, f.RxGap, f.Snapped = 9, 9, true },
			change: func(in *Input) { in.DroppedUserspace, in.Filter = 1, "tcp[13] != 0" }},
	}
	for _, tt := range tests {
		tt.verdict = VerdictExact
		t.Run(tt.name, tt.run)
	}
}

func TestFlowCauses(t *testing.T) {
	sent := func(n uint64) SocketCounters {
		return with(reading(AtClose, 210), func(c *SocketCounters) { c.BytesSent += n })
	}
	received := func(n int) SocketCounters {
		return with(reading(AtClose, 210), func(c *SocketCounters) { c.BytesReceived += uint64(n) })
	}
	atEnd := func(c SocketCounters) SocketCounters { c.Moment = AtEnd; return c }
	midStream := func(f *flows.Flow) { f.TxSawSYN, f.RxSawSYN = false, false }
	reset := func(f *flows.Flow) { f.TxSawRST, f.RxSawFIN, f.End = true, false, flows.EndRST }
	wipedKey := flows.MakeKey(flows.TCP, netip.MustParseAddrPort("0.0.0.0:40000"), netip.MustParseAddrPort("198.51.100.1:0"))
	zeroed := SocketCounters{Key: webKey, Cookie: 7, Time: 210, Moment: AtClose}
	lost := []Cause{{CauseCounterLost, -1000}, {CauseCounterLost, -100}, {CauseCounterLost, -5000}}
	drops := func(in *Input) { in.Interfaces = []InterfaceInput{{Name: "eth0", DroppedKernel: 1}} }
	tests := []flowCheck{
		{name: "started before, no reading of then", sockets: []SocketCounters{with(sent(900), func(c *SocketCounters) { c.BytesRetrans += 30; c.BytesReceived += 70 })},
			flow: midStream, causes: []Cause{{CauseStartedBefore, 900}, {CauseStartedBefore, 69}}},
		{name: "started before, bytes under way at the first reading", flow: midStream,
			sockets: []SocketCounters{with(reading(AtStart, 50), func(c *SocketCounters) { c.BytesSent, c.BytesRetrans, c.BytesReceived = 0, 0, 40 }), reading(AtClose, 210)},
			causes:  []Cause{{CauseStartedBefore, -40}}},
		{name: "still open, sent after the last packet", sockets: []SocketCounters{atEnd(sent(80))},
			flow: func(f *flows.Flow) { f.End = flows.EndOpen }, causes: []Cause{{CauseStillOpen, 80}}},
		{name: "still open, received out of order", sockets: []SocketCounters{atEnd(received(-60))},
			flow: func(f *flows.Flow) { f.End = flows.EndOpen }, causes: []Cause{{CauseStillOpen, -60}}},
		{name: "still open, the peer's FIN came and closed it when the capture was over", sockets: []SocketCounters{received(1)},
			flow:   func(f *flows.Flow) { f.RxSawFIN, f.End = false, flows.EndOpen },
			change: func(in *Input) { in.Window = Window{50, 205} }, causes: []Cause{{CauseStillOpen, 1}}},
		{name: "arrived after close, answered by RST", sockets: []SocketCounters{received(-1448)}, flow: reset,
			causes: []Cause{{CauseArrivedAfterClose, -1448}}},
		{name: "arrived after close, later than the socket's end", sockets: []SocketCounters{with(received(-1448), func(c *SocketCounters) { c.Time = 190 })},
			causes: []Cause{{CauseArrivedAfterClose, -1448}}},
		{name: "arrived after close, what closed it was dropped", sockets: []SocketCounters{received(-1448)},
			flow:   func(f *flows.Flow) { f.TxSawFIN, f.RxSawFIN, f.End = false, false, flows.EndOpen },
			change: drops, causes: []Cause{{CauseArrivedAfterClose, -1448}}},
		{name: "arrived after close of a socket that never sent", causes: []Cause{{CauseArrivedAfterClose, -5000}},
			flow:    func(f *flows.Flow) { reset(f); f.TxPayload, f.TxStream = 0, 0 },
			sockets: []SocketCounters{zeroed}},
		{name: "drops, first transmissions", sockets: []SocketCounters{sent(500)}, change: drops, causes: []Cause{{CauseCaptureDrop, 500}}},
		{name: "drops, a retransmission", change: drops, causes: []Cause{{CauseCaptureDrop, 500}},
			sockets: []SocketCounters{with(sent(500), func(c *SocketCounters) { c.BytesRetrans += 500 })}},
		{name: "drops between reader and table", sockets: []SocketCounters{sent(500)}, causes: []Cause{{CauseCaptureDrop, 500}},
			change: func(in *Input) { in.DroppedUserspace = 1 }},
		{name: "a gap in the stream", sockets: []SocketCounters{received(700)}, causes: []Cause{{CauseCaptureDrop, 699}},
			flow: func(f *flows.Flow) { f.RxGap = 1400 }},
		{name: "snaplen", sockets: []SocketCounters{sent(500)}, flow: func(f *flows.Flow) { f.Snapped = true }, causes: []Cause{{CauseSnaplen, 500}}},
		{name: "filtered out", sockets: []SocketCounters{received(500)}, causes: []Cause{{CauseFilteredOut, 499}},
			change: func(in *Input) { in.Filter = "dst port 443 or tcp[13] & 2 != 0" }},
		{name: "filtered out, the SYN among it", sockets: []SocketCounters{sent(500)}, flow: midStream,
			change: func(in *Input) { in.Filter = "tcp dst port 443" }, causes: []Cause{{CauseFilteredOut, 500}}},
		{name: "drops, the SYN among them", sockets: []SocketCounters{sent(500)}, flow: midStream, change: drops, causes: []Cause{{CauseCaptureDrop, 500}}},
		{name: "started before, and drops", flow: midStream, change: drops, causes: []Cause{{CauseStartedBefore, 500}},
			sockets: []SocketCounters{with(reading(AtStart, 50), func(c *SocketCounters) { c.BytesSent, c.BytesRetrans, c.BytesReceived = 0, 0, 0 }), sent(500)}},
		{name: "what came in took another interface", sockets: []SocketCounters{reading(AtClose, 210)}, causes: []Cause{{CauseOtherInterface, 5000}},
			flow: func(f *flows.Flow) {
				f.RxPackets, f.RxPayload, f.RxStream, f.RxSawSYN, f.RxSawFIN = 0, 0, 0, false, false
			}},
		{name: "what went out took another interface", sockets: []SocketCounters{reading(AtClose, 210)}, causes: []Cause{{CauseOtherInterface, 1100}},
			flow: func(f *flows.Flow) {
				f.TxPackets, f.TxPayload, f.TxStream, f.TxSawSYN, f.TxSawFIN = 0, 0, 0, false, false
			}},
		{name: "filtered out on one interface", sockets: []SocketCounters{sent(5)}, causes: []Cause{{CauseFilteredOut, 5}},
			change: func(in *Input) { in.Interfaces = []InterfaceInput{{Filter: "outbound"}} }},
		{name: "counters wiped, key intact", sockets: []SocketCounters{zeroed}, flow: reset, causes: lost},
		{name: "counters and key wiped", sockets: []SocketCounters{with(zeroed, func(c *SocketCounters) { c.Key = wipedKey })}, flow: reset, causes: lost},
		{name: "counters wiped of a socket known from the start", causes: lost,
			flow:    func(f *flows.Flow) { reset(f); midStream(f); f.TxSawRST = false },
			sockets: []SocketCounters{reading(AtStart, 50), with(zeroed, func(c *SocketCounters) { c.Key = wipedKey })}},
	}
	for _, tt := range tests {
		tt.verdict = VerdictExplained
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "counters wiped of a socket known from the start" {
				// Nothing tells first and repeated bytes apart: the stream's start was not captured.
				tt.causes = []Cause{{CauseCounterLost, -1100}, {CauseCounterLost, -5000}}
			}
			tt.run(t)
		})
	}
}

func TestFlowUnexplained(t *testing.T) {
	plus := func(change func(c *SocketCounters)) []SocketCounters {
		return []SocketCounters{with(reading(AtClose, 210), change)}
	}
	tests := []flowCheck{
		{name: "the kernel sent more", sockets: plus(func(c *SocketCounters) { c.BytesSent += 11 }), unexplained: 11},
		{name: "the kernel sent less", sockets: plus(func(c *SocketCounters) { c.BytesSent -= 11 }), unexplained: 11},
		{name: "sent again or for the first time", sockets: plus(func(c *SocketCounters) { c.BytesRetrans += 11 }), unexplained: 22},
		{name: "received more than the FIN", sockets: plus(func(c *SocketCounters) { c.BytesReceived += 12 }), unexplained: 11},
		{name: "one byte more without a FIN", sockets: plus(func(c *SocketCounters) { c.BytesReceived++ }), unexplained: 1,
			flow: func(f *flows.Flow) { f.RxSawFIN = false }},
		{name: "closed while the capture went on, a byte more without a FIN", sockets: plus(func(c *SocketCounters) { c.BytesReceived++ }), unexplained: 1,
			flow: func(f *flows.Flow) { f.RxSawFIN, f.End = false, flows.EndOpen }, change: func(in *Input) { in.Window = Window{50, 250} }},
		{name: "received less while nothing was reset", sockets: plus(func(c *SocketCounters) { c.BytesReceived -= 12 }), unexplained: 12},
		{name: "drops do not add packets", sockets: plus(func(c *SocketCounters) { c.BytesSent -= 11 }), unexplained: 11,
			change: func(in *Input) { in.DroppedUserspace, in.Filter = 1, "src host 192.0.2.2" }},
		{name: "another interface would have taken all packets", unexplained: 4999, sockets: plus(func(c *SocketCounters) {}),
			flow: func(f *flows.Flow) { f.RxPackets, f.RxPayload, f.RxStream, f.RxSawFIN = 1, 1, 1, false }},
		{name: "a filter that takes whole flows", sockets: plus(func(c *SocketCounters) { c.BytesSent += 11 }), unexplained: 11,
			change: func(in *Input) { in.Filter = "tcp port 443" }},
		{name: "more than the gap", sockets: plus(func(c *SocketCounters) { c.BytesSent += 30 }), unexplained: 20,
			flow: func(f *flows.Flow) { f.TxGap = 10 }, causes: []Cause{{CauseCaptureDrop, 10}}},
		{name: "mid-stream, and the kernel has less", sockets: plus(func(c *SocketCounters) { c.BytesReceived -= 1 }), unexplained: 1,
			flow: func(f *flows.Flow) { f.TxSawSYN, f.RxSawSYN = false, false }},
		{name: "ended, and only the dump at the end knows it", unexplained: 5,
			sockets: plus(func(c *SocketCounters) { c.BytesSent += 5; c.Moment = AtEnd })},
		{name: "zero counters without a RST", sockets: []SocketCounters{{Key: webKey, Cookie: 7, Time: 210, Moment: AtClose}}, unexplained: 6100},
	}
	for _, tt := range tests {
		tt.verdict = VerdictUnexplained
		t.Run(tt.name, tt.run)
	}
}

func TestFlowUnavailable(t *testing.T) {
	tests := []flowCheck{
		{name: "no counters at all"},
		{name: "a file", change: func(in *Input) { in.Live, in.SocketsUnavailable = false, "a file has no kernel counters" }},
		{name: "UDP", flow: func(f *flows.Flow) { f.Key.Proto = flows.UDP },
			sockets: []SocketCounters{with(reading(AtClose, 210), func(c *SocketCounters) { c.Key.Proto = flows.UDP })}},
		{name: "counters of another 5-tuple", sockets: []SocketCounters{with(reading(AtClose, 210), func(c *SocketCounters) { c.Key.Local.Port++ })}},
		{name: "the peer's socket", sockets: []SocketCounters{with(reading(AtClose, 210), func(c *SocketCounters) { c.Key = c.Key.Reverse() })}},
		{name: "a reading from before the flow", sockets: []SocketCounters{reading(AtClose, 99)}},
		{name: "only a reading at the start", sockets: []SocketCounters{reading(AtStart, 150)}},
		{name: "the queue overflowed", change: func(in *Input) { in.CounterOverflows = 3 }},
		{name: "an old kernel", sockets: []SocketCounters{with(reading(AtClose, 210), func(c *SocketCounters) { c.Incomplete = true })}},
		{name: "a socket that lived on before its own SYN", sockets: []SocketCounters{reading(AtStart, 50), reading(AtEnd, 210)}},
	}
	for _, tt := range tests {
		tt.verdict = VerdictUnavailable
		t.Run(tt.name, tt.run)
	}
}

// TestUncountedUDP: of a file the reason is the file, not the kernel.
func TestUncountedUDP(t *testing.T) {
	f := whole()
	f.Key.Proto = flows.UDP
	const file = "a file has no kernel counters"
	for _, tt := range []struct {
		live      bool
		why, want string
	}{{true, "", noDatagramCounters}, {true, "no INET_DIAG", noDatagramCounters}, {false, file, file}, {false, "", noDatagramCounters}} {
		s := Build(Input{Flows: []flows.Flow{f}, Live: tt.live, SocketsUnavailable: tt.why})
		if got := s.Flows[0].Unavailable; got != tt.want {
			t.Errorf("live %t, TCP %q: %q, want %q", tt.live, tt.why, got, tt.want)
		}
	}
}

func TestKernelUseOfApp(t *testing.T) {
	exact, short := whole(), whole()
	short.Key.Local.Port++
	in := Input{Flows: []flows.Flow{exact, short}, Live: true, Owner: func(flows.Key, flows.Initiator, int64, int64) pidmap.Attribution { return ownedBy("curl", 1) }}
	in.Sockets = []SocketCounters{reading(AtClose, 210), with(reading(AtClose, 210), func(c *SocketCounters) { c.Key, c.Cookie, c.BytesSent = short.Key, 8, 1105 })}
	want := &KernelUse{TxPayload: 2205, TxStream: 2005, RxStream: 10000, FlowsChecked: 2, FlowsExact: 1, UnexplainedBytes: 5}
	if diff := cmp.Diff(want, Build(in).Apps[0].Kernel); diff != "" {
		t.Errorf("kernel (-want +got):\n%s", diff)
	}
}
