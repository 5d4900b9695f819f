package pipeline

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

func TestAppendTotals(t *testing.T) {
	key := flows.MakeKey(flows.TCP, netip.MustParseAddrPort("192.0.2.2:40000"), netip.MustParseAddrPort("198.51.100.1:443"))
	ended := pidmap.Event{
		Kind: pidmap.SocketClosed, Time: 7, Socket: pidmap.Socket{Key: key, Cookie: 3, Foreign: true},
		Totals: pidmap.Totals{Known: true, Sent: 100, Retrans: 10, Received: 50},
	}
	but := func(change func(e *pidmap.Event)) pidmap.Event { e := ended; change(&e); return e }
	got := appendTotals(nil, []pidmap.Event{
		but(func(e *pidmap.Event) { e.Totals.Known = false }),
		but(func(e *pidmap.Event) { e.Kind = pidmap.SocketUsed }),
		but(func(e *pidmap.Event) { e.Socket.Key.Proto = flows.UDP }),
		but(func(e *pidmap.Event) { e.Socket.Key.Remote = flows.Endpoint{} }), // a listener
		ended,
	})
	want := []summarize.SocketCounters{{
		Key: key, Cookie: 3, Time: 7, Moment: summarize.AtClose, BytesSent: 100, BytesRetrans: 10, BytesReceived: 50, FINKnown: true, Foreign: true,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
}
