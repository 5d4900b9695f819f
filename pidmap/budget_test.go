package pidmap

import (
	"testing"
	"time"
)

// However often scans are asked for, they take a quarter of the time and the saved burst, and keep their distance.
func TestBudget(t *testing.T) {
	for _, cost := range []time.Duration{time.Microsecond, 2 * time.Millisecond, 30 * time.Millisecond, 400 * time.Millisecond} {
		var b budget
		begin := time.Unix(1000, 0)
		var spent time.Duration
		now, last := begin, time.Time{}
		for now.Sub(begin) < 20*time.Second {
			at := b.next(now)
			if at.Before(now) {
				at = now
			}
			if !last.IsZero() && at.Sub(last) < scanGap {
				t.Fatalf("cost %v: scans %v apart, want at least %v", cost, at.Sub(last), scanGap)
			}
			last, now = at, at.Add(cost)
			b.spend(at, now)
			spent += cost
		}
		limit := time.Duration(float64(now.Sub(begin))*scanShare) + scanBurst + cost
		if spent > limit {
			t.Errorf("cost %v: %v of %v spent, want at most %v", cost, spent, now.Sub(begin), limit)
		}
		if cost > scanGap && spent < limit/2 {
			t.Errorf("cost %v: only %v spent, %v allowed", cost, spent, limit)
		}
	}
}

func TestWatches(t *testing.T) {
	begin := time.Unix(1000, 0)
	var w watches
	w.add(watch{pid: 1, began: begin})
	w.add(watch{pid: 2, began: begin.Add(2 * time.Millisecond)})
	type look struct {
		pid int32
		at  time.Duration
	}
	var got []look
	for at, ok := w.next(); ok; at, ok = w.next() {
		v, due := w.due(at)
		if !due {
			t.Fatalf("nothing due at %v", at)
		}
		got = append(got, look{v.pid, at.Sub(begin) / time.Millisecond})
		w.again(v)
	}
	want := []look{{1, 1}, {2, 3}, {1, 4}, {2, 6}, {1, 10}, {2, 12}, {1, 25}, {2, 27}, {1, 60}, {2, 62}}
	if len(got) != len(want) {
		t.Fatalf("looks %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("look %d: %v, want %v", i, got[i], want[i])
		}
	}
	for range 2 * maxWatches {
		w.add(watch{pid: 3, began: begin})
	}
	if len(w[0]) != maxWatches {
		t.Errorf("%d queued, want at most %d", len(w[0]), maxWatches)
	}
}
