package pipeline

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

func TestDatagramCounters(t *testing.T) {
	key := flows.MakeKey(flows.UDP, netip.MustParseAddrPort("192.0.2.2:40000"), netip.MustParseAddrPort("198.51.100.1:53"))
	counted := &pidmap.Datagrams{Sent: 9}
	ended := pidmap.Event{Kind: pidmap.SocketClosed, Time: 7, NotBefore: 3, Socket: pidmap.Socket{Key: key, Cookie: 5, Foreign: true}, Datagrams: counted}
	open, silent := ended, ended
	open.Kind, silent.Datagrams = pidmap.SocketCounted, nil
	var d datagramCounters
	d.add([]pidmap.Event{ended, open, silent})
	want := []summarize.DatagramCounters{{Key: key, Cookie: 5, Since: 3, Until: 7, Foreign: true, Counted: counted}}
	want = append(want, want[0])
	want[1].Open = true
	if diff := cmp.Diff(want, d.sockets); diff != "" {
		t.Errorf("sockets (-want +got):\n%s", diff)
	}
	for _, step := range []struct {
		kind pidmap.EventKind
		want bool
	}{{pidmap.SocketsCurrent, false}, {pidmap.SocketsCounted, true}, {pidmap.EventsLost, false}} {
		if d.add([]pidmap.Event{{Kind: step.kind}}); d.whole() != step.want {
			t.Errorf("after event %d: whole = %v, want %v", step.kind, d.whole(), step.want)
		}
	}
}
