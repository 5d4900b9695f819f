package live

import (
	"testing"
	"time"
)

// TestRests: blocks that come one after the other are let come together, as far as the ring has room.
func TestRests(t *testing.T) {
	const ms = time.Millisecond
	start := time.Unix(1000, 0)
	for _, tt := range []struct {
		name         string
		rested       time.Duration // before
		elapsed      time.Duration // since
		hold         time.Duration
		read, blocks int
		want         time.Duration
	}{
		{"blocks apart", 0, 50 * ms, 100 * ms, 1, 32, 0},
		{"one after the other", 0, 6 * ms, 100 * ms, 1, 32, 14 * ms},
		{"several in the last rest", 14 * ms, 4 * ms, 100 * ms, 3, 32, 16 * ms},
		{"the ring would become full", 14 * ms, 2 * ms, 100 * ms, 16, 32, 4 * ms},
		{"a small ring", 0, 4 * ms, 100 * ms, 1, 7, 0},
		{"owners are looked for", 0, 1 * ms, 10 * ms, 1, 32, 1 * ms},
		{"nothing was read", 0, 1 * ms, 100 * ms, 0, 32, 0},
	} {
		now := start.Add(tt.elapsed)
		r := rests{began: start.Add(-tt.rested), ended: start, read: tt.read}
		if got := r.next(now, tt.hold, tt.blocks); got != tt.want {
			t.Errorf("%s: rests for %v, want %v", tt.name, got, tt.want)
		}
		if want := (rests{began: now, ended: now.Add(tt.want)}); r != want {
			t.Errorf("%s: %+v afterwards, want %+v", tt.name, r, want)
		}
	}
	var first rests
	first.read = 1
	if got := first.next(start, 100*ms, 32); got != 0 {
		t.Errorf("at first: rests for %v, want none", got)
	}
}
