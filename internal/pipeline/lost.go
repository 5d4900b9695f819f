package pipeline

import (
	"fmt"
	"time"

	"apptap/pidmap"
)

// lostEvents is when the kernel told of sockets and programs more than could be taken.
type lostEvents struct {
	from, to int64 // nanoseconds since 1970 UTC; 0 = never
}

func (l *lostEvents) add(e *pidmap.Event) {
	from := e.Time
	if e.NotBefore != 0 {
		from = e.NotBefore
	}
	if l.to == 0 {
		l.from = from
	}
	l.from, l.to = min(l.from, from), max(l.to, e.Time)
}

// sentence is for the report, "" if nothing was lost.
func (l *lostEvents) sentence() string {
	if l.to == 0 {
		return ""
	}
	clock := func(ns int64) string { return time.Unix(0, ns).UTC().Format("15:04:05.000") }
	return fmt.Sprintf("kernel events were lost between %s and %s UTC, more than could be read: sockets of that time may have no owner, "+
		"or an ambiguous one, and no kernel counters", clock(l.from), clock(l.to))
}
