package summarize

import (
	"testing"

	"apptap/flows"
	"apptap/pidmap"

	"github.com/google/go-cmp/cmp"
)

// packetsOn is what a socket had on an interface: payload, packets and bytes from the IP header on.
func packetsOn(name string, tx, rx uint64) *pidmap.Datagrams {
	d := &pidmap.Datagrams{}
	d.Interfaces[0] = pidmap.InterfaceBytes{Name: name, Tx: tx, Rx: rx, TxPackets: 3, RxPackets: 2, TxIP: tx + 3*40, RxIP: rx + 2*40}
	return d
}

// TestCounted makes flows of sockets: one that the remote side opened, one of UDP with a single peer, and none of what passed another
// interface, belongs to another namespace, or was counted twice.
func TestCounted(t *testing.T) {
	local := flows.NewLocal(prefixes("192.0.2.2/32"))
	dns := key(flows.UDP, "192.0.2.2:5000", "198.51.100.53:53")
	bare := dns
	bare.Remote = flows.Endpoint{}
	counters := func(cookie uint64, name string, change func(*SocketCounters)) SocketCounters {
		k := webKey
		k.Local.Port += uint16(cookie)
		return with(SocketCounters{Key: k, Cookie: cookie, Since: 50, Time: 90, Moment: AtClose, BytesSent: 300, BytesRetrans: 100,
			BytesReceived: 500, FINKnown: true, Packets: packetsOn(name, 300, 500)}, change)
	}
	in := Input{
		Window: Window{60, 1000}, Live: true,
		Interfaces: []InterfaceInput{{Name: "eth0", LinkHeader: 14}},
		Sockets: []SocketCounters{
			counters(1, "eth0", func(c *SocketCounters) { c.Accepted = true }), counters(2, "eth1", func(*SocketCounters) {}),
			counters(3, "eth0", func(c *SocketCounters) { c.Foreign = true }), counters(4, "eth0", func(c *SocketCounters) { c.Packets = nil }),
		},
		Datagrams: []DatagramCounters{
			{Key: bare, Cookie: 9, Since: 70, Until: 80, Peer: dns, Counted: packetsOn("eth0", 30, 60)},
			{Key: bare, Cookie: 9, Since: 70, Until: 75, Open: true, Peer: dns, Counted: packetsOn("eth0", 30, 60)},
		},
	}
	c := CountedOf(&in, &Baseline{}, local)
	type row struct {
		Key       flows.Key
		Initiator flows.Initiator
		First     int64
		flows.Counts
		TxStream, RxStream uint64
	}
	var got []row
	for _, f := range c.Flows {
		got = append(got, row{f.Key, f.Initiator, f.First, f.Counts, f.TxStream, f.RxStream})
	}
	tcp := webKey
	tcp.Local.Port++
	want := []row{
		{tcp, flows.InitiatorRemote, 60, flows.Counts{TxPackets: 3, TxBytes: 300 + 3*54, TxPayload: 300, RxPackets: 2, RxBytes: 500 + 2*54, RxPayload: 500}, 200, 500},
		{dns, flows.InitiatorUnknown, 70, flows.Counts{TxPackets: 3, TxBytes: 30 + 3*54, TxPayload: 30, RxPackets: 2, RxBytes: 60 + 2*54, RxPayload: 60}, 0, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
	if c.Packets[0] != 10 || c.Bytes[0] != want[0].Bytes()+want[1].Bytes() {
		t.Errorf("eth0 has %d bytes in %d packets, want those of both", c.Bytes[0], c.Packets[0])
	}
	in.Take(c, nil, nil)
	if s := Build(in); s.Audit.Unavailable != 2 || s.Audit.Unchecked[0].Why != OnlyCounted || s.Totals.Bytes() != c.Bytes[0] {
		t.Errorf("got %+v of %d bytes, want two flows that are compared with nothing", s.Audit, s.Totals.Bytes())
	}
}

// TestCountedWindow: a run counts from the baseline up to the count at its end, whatever the sockets have counted before and go on
// to count. The window is from 100 to 200, the last socket was asked at 110. Payload is what was sent.
func TestCountedWindow(t *testing.T) {
	const start, asked, end = 100, 110, 200
	sent := func(tx uint64) *pidmap.Datagrams { // in packets of 100 bytes
		d := &pidmap.Datagrams{}
		d.Interfaces[0] = pidmap.InterfaceBytes{Name: "eth0", Tx: tx, TxPackets: tx / 100, TxIP: tx + tx/100*40}
		return d
	}
	ended := func(since, until int64, tx uint64) SocketCounters {
		return SocketCounters{Key: webKey, Cookie: 7, Since: since, Time: until, Moment: AtClose, BytesSent: tx, FINKnown: true, Packets: sent(tx)}
	}
	countedAtEnd := SocketCounters{Key: webKey, Cookie: 7, Since: 50, Time: end + 1, Moment: AtCount, Packets: sent(500)}
	readAtEnd := SocketCounters{Key: webKey, Cookie: 7, Time: end + 2, Moment: AtEnd, BytesSent: 510}
	datagrams := func(since, until int64, open bool, tx uint64) DatagramCounters {
		return DatagramCounters{Key: key(flows.UDP, "192.0.2.2:5000", "198.51.100.53:53"), Cookie: 7, Since: since, Until: until, Open: open, Counted: sent(tx)}
	}
	type span struct{ First, Last int64 }
	tests := []struct {
		name      string
		base      *pidmap.Datagrams
		sockets   []SocketCounters
		datagrams []DatagramCounters
		payload   uint64 // 0: no flow
		span      span
	}{
		{name: "made and ended within", sockets: []SocketCounters{ended(120, 150, 300)}, payload: 300, span: span{120, 150}},
		{name: "older", base: sent(200), sockets: []SocketCounters{ended(50, 150, 300)}, payload: 100, span: span{start, 150}},
		{name: "older, and quiet since", base: sent(300), sockets: []SocketCounters{ended(50, 150, 300)}},
		{name: "older, with nothing at the start", base: sent(0), sockets: []SocketCounters{ended(50, 150, 300)}, payload: 300, span: span{start, 150}},
		{name: "ended before", sockets: []SocketCounters{ended(50, 90, 300)}},
		{name: "ended before it was asked", sockets: []SocketCounters{ended(50, asked, 300)}},
		{name: "made before and not found at the start", sockets: []SocketCounters{ended(50, 150, 300)}, payload: 300, span: span{start, 150}},
		{name: "made while others were asked", sockets: []SocketCounters{ended(105, 108, 300)}, payload: 300, span: span{105, 108}},
		{name: "made behind the end", sockets: []SocketCounters{ended(end, end+5, 300)}},
		{name: "open at the end, ended behind it", sockets: []SocketCounters{countedAtEnd, readAtEnd, ended(50, end+5, 900)}, base: sent(200),
			payload: 300, span: span{start, end}},
		{name: "open at the end, ended before its stream was read", sockets: []SocketCounters{countedAtEnd, ended(50, end+5, 900)}, base: sent(200),
			payload: 300, span: span{start, end}},
		{name: "UDP, older and open at the end", base: sent(200), payload: 300, span: span{start, end},
			datagrams: []DatagramCounters{datagrams(0, end+1, true, 500), datagrams(0, end+5, false, 900)}},
		{name: "UDP, ended before", datagrams: []DatagramCounters{datagrams(0, 90, false, 500)}},
		{name: "UDP, made behind the end", datagrams: []DatagramCounters{datagrams(end+1, end+5, false, 500)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Window: Window{start, end}, Live: true, Interfaces: []InterfaceInput{{Name: "eth0", LinkHeader: 14}}, Sockets: tt.sockets, Datagrams: tt.datagrams}
			base := Baseline{Counted: map[uint64]*pidmap.Datagrams{}, Until: asked}
			if tt.base != nil {
				base.Counted[7] = tt.base
			}
			var payload uint64
			var got span
			c := CountedOf(&in, &base, flows.NewLocal(prefixes("192.0.2.2/32")))
			for _, f := range c.Flows {
				payload, got = payload+f.TxPayload, span{f.First, f.Last}
			}
			if payload != tt.payload || got != tt.span || len(c.Flows) > 1 {
				t.Errorf("%d bytes sent in %d flows, at %+v, want %d at %+v", payload, len(c.Flows), got, tt.payload, tt.span)
			}
		})
	}
}
