package summarize

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
	"apptap/pidmap"
)

var dnsKey = key(flows.UDP, "192.0.2.2:40000", "198.51.100.1:53")

// asked is a UDP flow of 100 bytes out and 500 in.
func asked() flows.Flow {
	return flows.Flow{
		Key: dnsKey, Locality: flows.LocalOne, Initiator: flows.InitiatorLocal, First: 2e9, Last: 3e9,
		Counts: flows.Counts{TxPackets: 2, TxBytes: 184, TxPayload: 100, RxPackets: 2, RxBytes: 584, RxPayload: 500},
	}
}

// counted is what the kernel says of asked's socket.
func counted() DatagramCounters {
	return DatagramCounters{Key: dnsKey, Cookie: 7, Since: 1.9e9, Until: 3.1e9, Counted: &pidmap.Datagrams{
		Interfaces: [2]pidmap.InterfaceBytes{{Name: "eth0", Tx: 100, Rx: 500}},
		Sent:       100, Received: 500, Arrived: 2, Taken: 2,
	}}
}

// but is counted changed.
func but(change func(c *DatagramCounters)) DatagramCounters {
	c := counted()
	change(&c)
	return c
}

func TestDatagrams(t *testing.T) {
	on := func(change func(d *pidmap.Datagrams)) DatagramCounters {
		return but(func(c *DatagramCounters) { change(c.Counted) })
	}
	eth0 := func(i *InterfaceInput) func(in *Input) {
		return func(in *Input) { i.Name = "eth0"; in.Interfaces = []InterfaceInput{*i} }
	}
	tests := []struct {
		name        string
		sockets     []DatagramCounters
		flow        func(f *flows.Flow)
		change      func(in *Input)
		verdict     Verdict
		causes      []Cause
		unexplained uint64
		tx, rx      uint64 // what the kernel is said to have counted; 0: as captured
	}{
		{name: "exact", sockets: []DatagramCounters{counted()}, verdict: VerdictExact},
		{name: "still open", sockets: []DatagramCounters{but(func(c *DatagramCounters) { c.Open = true })}, verdict: VerdictExact},
		{name: "open when it was read, and ended since", verdict: VerdictExact,
			sockets: []DatagramCounters{but(func(c *DatagramCounters) { c.Open, c.Counted = true, &pidmap.Datagrams{Sent: 1} }), counted()}},
		{name: "the second of two sockets has the rest", verdict: VerdictExact, sockets: []DatagramCounters{
			on(func(d *pidmap.Datagrams) {
				d.Interfaces[0].Tx, d.Interfaces[0].Rx, d.Sent, d.Received = 60, 0, 60, 0
				d.Arrived, d.Taken = 0, 0
			}),
			but(func(c *DatagramCounters) {
				c.Cookie, c.Key = 8, key(flows.UDP, "0.0.0.0:40000", "0.0.0.0:0")
				c.Counted.Interfaces[0].Tx, c.Counted.Sent = 40, 40
			})}},
		{name: "one after it is none of its business", verdict: VerdictExact, sockets: []DatagramCounters{counted(), but(func(c *DatagramCounters) {
			c.Cookie, c.Since, c.Until = 8, 9e9, 10e9
		})}},
		{name: "read into a short buffer", verdict: VerdictExplained, causes: []Cause{{CauseTruncated, -400}},
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Received = 100 })}},
		{name: "never read", verdict: VerdictExplained, causes: []Cause{{CauseNeverRead, -200}},
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Received, d.Taken = 300, 1 })}},
		{name: "not read yet", verdict: VerdictExact,
			sockets: []DatagramCounters{but(func(c *DatagramCounters) { c.Open, c.Counted.Received, c.Counted.Taken = true, 300, 1 })}},
		{name: "no room", verdict: VerdictExplained, causes: []Cause{{CauseSocketFull, -200}},
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Received, d.Taken, d.Dropped, d.DroppedBytes = 300, 1, 1, 200 })}},
		{name: "handed over, and no packet", verdict: VerdictExplained, causes: []Cause{{CauseSendError, 30}},
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Sent = 130 })}},
		{name: "multicast", verdict: VerdictExplained, causes: []Cause{{CauseFanOut, 70}},
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Group, d.Arrived, d.Taken, d.Received = 70, 3, 3, 570 })}},
		{name: "through an interface that was not captured", verdict: VerdictExplained, causes: []Cause{{CauseOtherInterface, 40}}, tx: 140,
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Interfaces[1] = pidmap.InterfaceBytes{Name: "eth1", Tx: 40}; d.Sent = 140 })},
			change:  eth0(&InterfaceInput{})},
		{name: "dropped", verdict: VerdictExplained, causes: []Cause{{CauseCaptureDrop, 40}, {CauseCaptureDrop, 10}}, tx: 140, rx: 510,
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) {
				d.Interfaces[0].Tx, d.Interfaces[0].Rx, d.Sent, d.Received = 140, 510, 140, 510
			})}, change: eth0(&InterfaceInput{DroppedKernel: 1})},
		{name: "filtered out", verdict: VerdictExplained, causes: []Cause{{CauseFilteredOut, 40}}, tx: 140,
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Interfaces[0].Tx, d.Sent = 140, 140 })},
			change:  func(in *Input) { in.Filter = "host 198.51.100.1" }},
		{name: "snaplen", verdict: VerdictExplained, causes: []Cause{{CauseSnaplen, 40}}, tx: 140,
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Interfaces[0].Tx, d.Sent = 140, 140 })},
			flow:    func(f *flows.Flow) { f.Snapped = true }},
		{name: "older than the capture", verdict: VerdictExplained, causes: []Cause{{CauseStartedBefore, 40}}, tx: 140,
			sockets: []DatagramCounters{but(func(c *DatagramCounters) { c.Since, c.Counted.Interfaces[0].Tx, c.Counted.Sent = 0, 140, 140 })}},
		{name: "after the end of the capture", verdict: VerdictExplained, causes: []Cause{{CauseStillOpen, 40}}, tx: 140,
			sockets: []DatagramCounters{but(func(c *DatagramCounters) { c.Open, c.Counted.Interfaces[0].Tx, c.Counted.Sent = true, 140, 140 })}},
		{name: "arrived after close", verdict: VerdictExplained, causes: []Cause{{CauseArrivedAfterClose, -100}}, rx: 400,
			sockets: []DatagramCounters{but(func(c *DatagramCounters) {
				c.Until, c.Counted.Interfaces[0].Rx, c.Counted.Received = 2.5e9, 400, 400
			})}},
		{name: "more sent than captured", verdict: VerdictUnexplained, unexplained: 40, tx: 140,
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Interfaces[0].Tx, d.Sent = 140, 140 })}},
		{name: "more sent than captured, and a file of the run is missing", verdict: VerdictExplained, causes: []Cause{{CauseCaptureDrop, 40}}, tx: 140,
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Interfaces[0].Tx, d.Sent = 140, 140 })},
			change:  func(in *Input) { in.Gap = true }},
		{name: "more captured than sent", verdict: VerdictUnexplained, unexplained: 40, tx: 60,
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Interfaces[0].Tx, d.Sent = 60, 60 })}},
		{name: "more captured than sent, and perhaps not by this socket", verdict: VerdictUnavailable,
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Interfaces[0].Tx, d.Sent = 60, 60 })},
			change:  func(in *Input) { in.DatagramsWhole = false }},
		{name: "a packet from before the socket", verdict: VerdictUnavailable, flow: func(f *flows.Flow) { f.First = 1e9 },
			sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Interfaces[0].Tx, d.Sent = 60, 60 })}},
		{name: "not all could be counted", verdict: VerdictUnavailable, sockets: []DatagramCounters{on(func(d *pidmap.Datagrams) { d.Odd = true })}},
		{name: "of another namespace", verdict: VerdictUnavailable, sockets: []DatagramCounters{but(func(c *DatagramCounters) { c.Foreign = true })}},
		{name: "no socket", verdict: VerdictUnavailable},
		{name: "not this host's", verdict: VerdictUnavailable, sockets: []DatagramCounters{counted()}, flow: func(f *flows.Flow) { f.Locality = flows.LocalNeither }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := asked()
			if tt.flow != nil {
				tt.flow(&f)
			}
			in := Input{Flows: []flows.Flow{f}, Datagrams: tt.sockets, DatagramsWhole: true, Live: true, Window: Window{Start: 1e9, End: 4e9}}
			if tt.change != nil {
				tt.change(&in)
			}
			s := Build(in)
			use := &s.Flows[0]
			if use.Verdict != tt.verdict || s.Audit.Verdict != tt.verdict {
				t.Errorf("verdict = %s (%s), of the run %s, want %s", use.Verdict, use.Unavailable, s.Audit.Verdict, tt.verdict)
			}
			if diff := cmp.Diff(tt.causes, use.Causes); diff != "" {
				t.Errorf("causes (-want +got):\n%s", diff)
			}
			if tt.verdict == VerdictUnavailable {
				return
			}
			want := KernelUse{TxPayload: 100, RxPayload: 500, RxPayloadKnown: true, FlowsChecked: 1, UnexplainedBytes: tt.unexplained}
			if tt.verdict == VerdictExact {
				want.FlowsExact = 1
			}
			if tt.tx > 0 {
				want.TxPayload = tt.tx
			}
			if tt.rx > 0 {
				want.RxPayload = tt.rx
			}
			if diff := cmp.Diff(want, *use.Kernel); diff != "" || s.Audit.UnexplainedBytes != tt.unexplained {
				t.Errorf("unexplained of the run %d, want %d; kernel (-want +got):\n%s", s.Audit.UnexplainedBytes, tt.unexplained, diff)
			}
		})
	}
}

// TestDatagramsOfLoopback holds both ends of a flow within this host against their sockets; the flow is the opener's.
func TestDatagramsOfLoopback(t *testing.T) {
	f := asked()
	f.Locality = flows.LocalBoth
	server := but(func(c *DatagramCounters) {
		c.Cookie, c.Key = 9, key(flows.UDP, "0.0.0.0:53", "0.0.0.0:0")
		c.Counted.Interfaces[0].Tx, c.Counted.Interfaces[0].Rx, c.Counted.Sent, c.Counted.Received = 500, 100, 500, 100
	})
	other := asked()
	other.Key.Local, other.Key.Remote = other.Key.Remote, flows.Endpoint{Addr: other.Key.Local.Addr, Port: 5353} // the server asks too
	other.TxPayload, other.RxPayload = 11, 0
	server.Counted.Interfaces[0].Tx += 11
	server.Counted.Sent += 11
	s := Build(Input{Flows: []flows.Flow{f, other}, Datagrams: []DatagramCounters{counted(), server}, DatagramsWhole: true, Live: true, Window: Window{End: 4e9}})
	for _, use := range s.Flows {
		if use.Verdict != VerdictExact {
			t.Errorf("%v: verdict %s (%s, %v), want exact", use.Flow.Key, use.Verdict, use.Unavailable, use.Causes)
		}
	}
}

// TestDatagramsOfLoopbackLost: what was lost of a flow within this host is its opener's and counts once, not again at the far end.
func TestDatagramsOfLoopbackLost(t *testing.T) {
	f := asked()
	f.Locality = flows.LocalBoth
	client := but(func(c *DatagramCounters) { c.Counted.Interfaces[0].Tx, c.Counted.Sent = 140, 140 })
	server := but(func(c *DatagramCounters) {
		c.Cookie, c.Key = 9, key(flows.UDP, "0.0.0.0:53", "0.0.0.0:0")
		c.Counted.Interfaces[0] = pidmap.InterfaceBytes{Name: "eth0", Tx: 500, Rx: 140, TxPackets: 1, RxPackets: 1}
		c.Counted.Sent, c.Counted.Received = 500, 140
	})
	s := Build(Input{Flows: []flows.Flow{f}, Datagrams: []DatagramCounters{client, server}, DatagramsWhole: true, Live: true, Gap: true, Window: Window{End: 4e9}})
	if want := []Cause{{CauseCaptureDrop, 40}}; !cmp.Equal(want, s.Audit.Causes) {
		t.Errorf("causes %v, want %v", s.Audit.Causes, want)
	}
	if s.Missed == nil || s.Missed.Payload() != 40 {
		t.Errorf("missed %+v, want 40 bytes of payload", s.Missed)
	}
}

// TestDatagramsSettled sums up flows and sockets early, in several orders, or not at all: the audit is the same.
func TestDatagramsSettled(t *testing.T) {
	for seed := range uint64(200) {
		d := newDice(seed)
		var list []flows.Flow
		var sockets []DatagramCounters
		for i := range 30 {
			start := 1e9 + d.Int64N(20e9)
			length := d.Int64N(2e9)
			f := asked()
			f.Key.Local.Port = uint16(40000 + d.IntN(4))
			f.Key.Remote.Port = uint16(53 + i)
			f.First, f.Last = start, start+length
			list = append(list, f)
			if d.IntN(5) > 0 {
				c := counted()
				c.Key, c.Cookie, c.Since, c.Until = f.Key, uint64(i), f.First-1000, f.Last+1000
				if d.IntN(5) == 0 {
					c.Counted.Interfaces[0].Tx += 3
				}
				sockets = append(sockets, c)
			}
		}
		in := Input{Live: true, DatagramsWhole: true, Window: Window{Start: 1, End: 30e9}, Interfaces: []InterfaceInput{{Name: "eth0", DroppedKernel: 1}},
			Owner: func(k flows.Key, _ flows.Initiator, _, _ int64) pidmap.Attribution {
				return ownedBy([]string{"curl", "dig"}[k.Remote.Port%2], 1)
			}}
		whole := in
		whole.Flows, whole.Datagrams = list, sockets
		want := Build(whole)
		d.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		d.Shuffle(len(sockets), func(i, j int) { sockets[i], sockets[j] = sockets[j], sockets[i] })
		in.Settled = NewSettled()
		table := flows.NewTable()
		for len(list) > 0 {
			n, m := 1+d.IntN(len(list)), d.IntN(len(sockets)+1)
			over := make([]flows.Over, n)
			for i := range over {
				over[i].Flow = list[i]
			}
			step := in
			in.Settled.Settle(&step, over, 0)
			step.Datagrams = sockets[:m]
			before := int64(0)
			if n == len(list) && m == len(sockets) {
				before = 40e9
			}
			in.Settled.SettlePorts(&step, table.InUse(), before)
			list, sockets = list[n:], sockets[m:]
		}
		in.Datagrams = sockets
		got := Build(in)
		if diff := cmp.Diff(want.Audit, got.Audit); diff != "" {
			t.Fatalf("seed %d: audit (-at once +settled):\n%s", seed, diff)
		}
		for i := range want.Apps {
			if diff := cmp.Diff(want.Apps[i].Kernel, got.Apps[i].Kernel); diff != "" {
				t.Fatalf("seed %d: %s (-at once +settled):\n%s", seed, want.Apps[i].App.ID, diff)
			}
		}
	}
}
