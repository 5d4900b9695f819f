package pipeline

import (
	"slices"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// maxTold is of how many sockets it is known at least that kernel events told of their last counters: those that end within the
// fraction of a second by which INET_DIAG may be later.
const maxTold = 16384

// told are the sockets whose last counters kernel events told of lately, by cookie. INET_DIAG tells of them once more, with less and
// after the counters may have been wiped: to keep both would take twice the memory. As long as it tells of none, as it does where no event
// was lost, nothing is remembered: its first ones may be kept twice.
type told struct {
	twice       bool
	now, before map[uint64]flows.Key
}

func (t *told) add(events []pidmap.Event) {
	if !t.twice {
		return
	}
	for i := range events {
		e := &events[i]
		if e.Kind != pidmap.SocketClosed || !e.Totals.Known || e.Socket.Cookie == 0 {
			continue
		}
		if t.now == nil || len(t.now) == maxTold {
			t.now, t.before = make(map[uint64]flows.Key, maxTold), t.now
		}
		t.now[e.Socket.Cookie] = e.Socket.Key
	}
}

// without leaves out the last counters of such sockets. It reuses the list.
func (t *told) without(counters []summarize.SocketCounters) []summarize.SocketCounters {
	return slices.DeleteFunc(counters, func(c summarize.SocketCounters) bool {
		if c.Moment != summarize.AtClose || c.Cookie == 0 {
			return false
		}
		t.twice = true
		key, known := t.now[c.Cookie]
		if !known {
			key, known = t.before[c.Cookie]
		}
		return known && (c.Key == key || c.Key.Remote.Port == 0) // 0: wiped
	})
}
