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
	c := CountedOf(&in, local)
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
