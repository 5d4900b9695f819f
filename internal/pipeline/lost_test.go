package pipeline

import (
	"slices"
	"testing"

	"apptap/pidmap"
)

// TestLostEvents: that kernel events were lost is in the report, with the time of it, and nothing is where none were.
func TestLostEvents(t *testing.T) {
	lost := func(sure, noticed int64) pidmap.Event {
		return pidmap.Event{Kind: pidmap.EventsLost, NotBefore: sure, Time: noticed}
	}
	const second = 1_000_000_000
	tests := map[string]struct {
		events []pidmap.Event
		want   string
	}{
		"none":                    {[]pidmap.Event{{Kind: pidmap.SocketsCurrent, Time: 5 * second}}, ""},
		"once":                    {[]pidmap.Event{lost(61*second, 62*second)}, "between 00:01:01.000 and 00:01:02.000 UTC"},
		"since when is not known": {[]pidmap.Event{lost(0, 62*second)}, "between 00:01:02.000 and 00:01:02.000 UTC"},
		"twice":                   {[]pidmap.Event{lost(70*second, 71*second), lost(61*second, 62*second)}, "between 00:01:01.000 and 00:01:11.000 UTC"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var c Config
			o := newOwner(&c, newShared(&c, func() {}))
			o.addEvents(tt.events)
			in, _ := o.input()
			want := []string(nil)
			if tt.want != "" {
				want = []string{"kernel events were lost " + tt.want + ", more than could be read: sockets of that time may have no owner, or an ambiguous one, and no kernel counters"}
			}
			if !slices.Equal(in.Degraded, want) {
				t.Errorf("degraded %q, want %q", in.Degraded, want)
			}
		})
	}
}
