package summarize

import (
	"testing"

	"apptap/flows"
	"apptap/pidmap"

	"github.com/google/go-cmp/cmp"
)

// TestMissed books what the capture lost: a part of a TCP flow and of a UDP one, and all of two others, each to its app. Captured and
// missed are then what the kernel counted.
func TestMissed(t *testing.T) {
	part, lost := whole(), webKey
	part.TxPayload, part.TxStream, part.TxPackets, part.TxIPBytes = 900, 800, 2, 900+2*40
	part.RxIPBytes, part.RxPackets = 5000+2*40, 2
	lost.Local.Port++
	query, gone := key(flows.UDP, "192.0.2.2:5000", "198.51.100.53:53"), key(flows.UDP, "192.0.2.2:5001", "198.51.100.53:53")
	asked := flows.Flow{Key: query, Locality: flows.LocalOne, First: 100, Last: 150, TxIPBytes: 68, Counts: flows.Counts{TxPackets: 1, TxBytes: 82, TxPayload: 40}}
	datagrams := func(k flows.Key, cookie uint64) DatagramCounters {
		d := &pidmap.Datagrams{Sent: 40, Received: 100, Arrived: 1, Taken: 1}
		d.Interfaces[0] = pidmap.InterfaceBytes{Name: "eth0", Tx: 40, Rx: 100, TxPackets: 1, RxPackets: 1, TxIP: 68, RxIP: 128}
		return DatagramCounters{Key: k, Cookie: cookie, Since: 60, Until: 160, Counted: d}
	}
	socket := with(reading(AtClose, 300), func(c *SocketCounters) {
		c.FINKnown, c.Since, c.Packets = true, 60, packetsOn("eth0", 1100, 5000)
	})
	in := Input{
		Flows: []flows.Flow{part, asked}, Live: true, Window: Window{50, 1000}, DatagramsWhole: true,
		Sockets:    []SocketCounters{socket, with(socket, func(c *SocketCounters) { c.Key, c.Cookie = lost, 8 })},
		Datagrams:  []DatagramCounters{datagrams(query, 1), datagrams(gone, 2)},
		Interfaces: []InterfaceInput{{Name: "eth0", LinkHeader: 14, DroppedKernel: 9, StatsKnown: true}},
		Owner: func(k flows.Key, _ flows.Initiator, _, _ int64) pidmap.Attribution {
			if k.Proto == flows.TCP {
				return ownedBy("web", 1)
			}
			return ownedBy("dns", 2)
		},
	}
	want := map[string]Missed{
		"web": {Flows: 1, TxPayload: 200 + 1100, TxStream: 200 + 1000, RxPayload: 5000, RxStream: 5000,
			TxPackets: 1 + 3, TxBytes: 200 + 40 + 14 + 1100 + 3*54, RxPackets: 2, RxBytes: 5000 + 2*54},
		"dns": {Flows: 1, TxPayload: 40, RxPayload: 200, TxPackets: 1, TxBytes: 68 + 14, RxPackets: 2, RxBytes: 2 * (128 + 14)},
	}
	s := Build(in)
	got := map[string]Missed{}
	var sum Missed
	for _, app := range s.Apps {
		if app.Missed != nil {
			got[app.App.Name] = *app.Missed
			sum = sum.Add(*app.Missed)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("missed (-want +got):\n%s", diff)
	}
	if s.Missed == nil || *s.Missed != sum || s.Audit.UnexplainedBytes != 0 {
		t.Errorf("in all %+v, of apps %+v, %d bytes unexplained", s.Missed, sum, s.Audit.UnexplainedBytes)
	}
	in.Interfaces[0].Filter = "tcp or udp" // of what it kept out nobody knows whether it was lost
	if s := Build(in); s.Missed == nil || s.Missed.Flows != 0 {
		t.Errorf("with a filter: missed %+v, want no whole flows", s.Missed)
	}
	in.Interfaces[0].Filter, in.Interfaces[0].DroppedKernel = "", 0
	if s := Build(in); s.Missed != nil && s.Missed.Flows != 0 {
		t.Errorf("without drops: missed %+v, want no whole flows", s.Missed)
	}
}
