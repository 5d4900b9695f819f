package pipeline

import (
	"net/netip"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// TestOnce holds that a batch with repeats keeps the payloads of the packets that are left.
func TestOnce(t *testing.T) {
	client, server := netip.MustParseAddrPort("192.0.2.1:5000"), netip.MustParseAddrPort("198.51.100.2:53")
	b, o, table := newBatch(), once{}, flows.NewTable()
	for n := range 3 {
		frame := fixtures.UDP(client, server, []byte{byte(n), 1, 2, 3, 4, 5, 6, 7})
		for iface := range 2 {
			p := capture.Packet{Time: int64(n), Data: frame, Length: len(frame), LinkType: capture.LinkTypeEthernet, Interface: iface}
			b.add(&p, flows.Outer, &flows.Follower{}, true)
			b.payloads.Reset()
		}
	}
	for i := range b.packets {
		b.payloads.Add(i, &flows.Payload{Bytes: []byte{byte(i)}})
	}
	o.part(b, flows.NewLocal(nil))
	if len(b.packets) != 3 || len(b.payloads.List) != 3 {
		t.Fatalf("got %d packets, %d payloads; want 3 and 3", len(b.packets), len(b.payloads.List))
	}
	for i, p := range b.payloads.List {
		if p.Packet != i || p.Bytes[0] != byte(2*i) {
			t.Errorf("payload %d: got packet %d, bytes %v; want %d, %d", i, p.Packet, p.Bytes, i, 2*i)
		}
	}
	table.AddBatch(b.packets, nil, nil)
	o.settle(table)
	if got := table.Repeated().Packets; got != 3 {
		t.Errorf("got %d seen before, want 3", got)
	}
}
