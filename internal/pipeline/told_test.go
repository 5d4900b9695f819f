package pipeline

import (
	"net/netip"
	"slices"
	"testing"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// TestTold: of two who tell of a socket's end, INET_DIAG is left out where kernel events told all, and only there.
func TestTold(t *testing.T) {
	key := func(port uint16) flows.Key {
		return flows.MakeKey(flows.TCP, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port), netip.MustParseAddrPort("198.51.100.1:443"))
	}
	closed := func(cookie uint64, port uint16, known bool) pidmap.Event {
		return pidmap.Event{Kind: pidmap.SocketClosed, Socket: pidmap.Socket{Key: key(port), Cookie: cookie}, Totals: pidmap.Totals{Known: known}}
	}
	var told told
	told.without([]summarize.SocketCounters{{Cookie: 9, Key: key(1009), Moment: summarize.AtStart}})
	told.add([]pidmap.Event{closed(1, 1001, true)})
	if len(told.now) > 0 {
		t.Error("sockets are remembered of which nobody tells twice")
	}
	told.without([]summarize.SocketCounters{{Cookie: 9, Key: key(1009), Moment: summarize.AtClose}})
	told.add([]pidmap.Event{closed(1, 1001, true), closed(2, 1002, true), closed(3, 1003, false), closed(4, 1004, true), closed(5, 1005, true)})
	wiped := key(1002)
	wiped.Remote.Port = 0
	kept := told.without([]summarize.SocketCounters{
		{Cookie: 1, Key: key(1001), Moment: summarize.AtClose},
		{Cookie: 2, Key: wiped, Moment: summarize.AtClose},
		{Cookie: 3, Key: key(1003), Moment: summarize.AtClose}, // kernel events did not know its counters
		{Cookie: 4, Key: key(1004), Moment: summarize.AtEnd},   // no last ones
		{Cookie: 5, Key: key(2005), Moment: summarize.AtClose}, // connected once more, elsewhere
		{Cookie: 6, Key: key(1006), Moment: summarize.AtClose}, // never heard of
	})
	var cookies []uint64
	for _, c := range kept {
		cookies = append(cookies, c.Cookie)
	}
	if want := []uint64{3, 4, 5, 6}; !slices.Equal(cookies, want) {
		t.Errorf("kept the counters of sockets %v, want %v", cookies, want)
	}
	for i := range 2*maxTold - 1 {
		told.add([]pidmap.Event{closed(uint64(100+i), 1, true)})
	}
	last := uint64(100 + 2*maxTold - 2)
	if len(told.without([]summarize.SocketCounters{{Cookie: last - maxTold + 1, Key: key(1), Moment: summarize.AtClose}})) > 0 {
		t.Error("one of the newest was forgotten")
	}
	if n := len(told.now) + len(told.before); n > 2*maxTold {
		t.Errorf("%d sockets are remembered, want at most %d", n, 2*maxTold)
	}
}

// secondHost counts how often it was told that kernel events had been lost.
type secondHost struct {
	liveHost
	missed int
}

func (h *secondHost) Missed() { h.missed++ }

// TestMissed: counters that come second are told of lost events, and of nothing else.
func TestMissed(t *testing.T) {
	h := &secondHost{}
	c := Config{Counters: h}
	o := newOwner(&c, newShared(&c, func() {}))
	o.addEvents([]pidmap.Event{{Kind: pidmap.SocketsCurrent}, {Kind: pidmap.SocketsCounted}})
	if h.missed != 0 {
		t.Error("told of a loss where nothing was lost")
	}
	o.addEvents([]pidmap.Event{{Kind: pidmap.EventsLost}})
	if h.missed != 1 {
		t.Errorf("told of %d losses, want 1", h.missed)
	}
}
