package session

import (
	"cmp"
	"iter"
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

const (
	// repeatGrace is how long a socket that is gone is told of again: its last segments may still come (TIME_WAIT of Linux).
	repeatGrace = 60_000_000_000
	// maxLiving bounds the sockets and processes that are kept to be told of again; of more the oldest are forgotten.
	maxLiving = 65536
	// maxGone bounds those of them that are gone: thousands are in a minute of a busy host, and each file would begin with all.
	maxGone = 4096
	// maxToldOfSocket bounds the events of one of them.
	maxToldOfSocket = 64
)

// living is what was told of sockets and processes that are still there.
type living struct {
	by    map[subject]*told
	count uint64
}

// subject is what events are about: a socket by its cookie, else by its inode, else by its key; a process; or the source itself.
type subject struct {
	cookie, inode uint64
	key           flows.Key
	process       pidmap.ProcessKey
	source        pidmap.EventKind
}

type told struct {
	order  uint64 // when it was first told of
	gone   int64  // 0 = it is there
	events []pidmap.Event
}

func newLiving() *living { return &living{by: map[subject]*told{}} }

func subjectOf(e *pidmap.Event) subject {
	switch e.Kind {
	case pidmap.ProcessExec, pidmap.ProcessExit:
		return subject{process: e.Process.Key}
	case pidmap.SocketsCurrent, pidmap.EventsLost:
		return subject{source: e.Kind}
	}
	switch s := &e.Socket; {
	case s.Cookie != 0:
		return subject{cookie: s.Cookie}
	case s.Inode != 0:
		return subject{inode: s.Inode}
	default:
		return subject{key: s.Key}
	}
}

// learn keeps an event until its subject is gone. What a later one says as well takes its place.
func (l *living) learn(e *pidmap.Event) {
	if l == nil {
		return
	}
	about := subjectOf(e)
	t := l.by[about]
	if t == nil {
		if len(l.by) >= maxLiving {
			l.forgetOldest()
		}
		l.count++
		t = &told{order: l.count}
		l.by[about] = t
	}
	switch e.Kind {
	case pidmap.SocketClosed, pidmap.ProcessExit:
		t.gone = max(e.Time, 1)
	case pidmap.ProcessExec, pidmap.SocketsCurrent, pidmap.EventsLost:
		t.events = t.events[:0]
	case pidmap.SocketUsed:
		t.events = slices.DeleteFunc(t.events, func(earlier pidmap.Event) bool {
			return earlier.Kind == pidmap.SocketUsed && earlier.User == e.User
		})
	}
	if len(t.events) == maxToldOfSocket {
		t.events = slices.Delete(t.events, 1, 2) // not the first, which says who made it
	}
	t.events = append(t.events, *e)
}

// forget drops what was gone by a time, and of what is gone since then all but the newest.
func (l *living) forget(by int64) {
	var gone []subject
	for about, t := range l.by {
		switch {
		case t.gone == 0:
		case t.gone <= by:
			delete(l.by, about)
		default:
			gone = append(gone, about)
		}
	}
	if len(gone) <= maxGone {
		return
	}
	slices.SortFunc(gone, func(a, b subject) int { return cmp.Compare(l.by[b].gone, l.by[a].gone) })
	for _, about := range gone[maxGone:] {
		delete(l.by, about)
	}
}

// forgetOldest makes room for many at a time, because it looks at all: first for what is gone.
func (l *living) forgetOldest() {
	list := make([]subject, 0, len(l.by))
	for about := range l.by {
		list = append(list, about)
	}
	slices.SortFunc(list, func(a, b subject) int {
		return cmp.Or(cmp.Compare(min(l.by[b].gone, 1), min(l.by[a].gone, 1)), cmp.Compare(l.by[a].order, l.by[b].order))
	})
	for _, about := range list[:len(list)/8] {
		delete(l.by, about)
	}
}

// all are the events in the order in which their subjects were first told of.
func (l *living) all() iter.Seq[*pidmap.Event] {
	list := make([]*told, 0, len(l.by))
	for _, t := range l.by {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *told) int { return cmp.Compare(a.order, b.order) })
	return func(yield func(*pidmap.Event) bool) {
		for _, t := range list {
			for i := range t.events {
				if !yield(&t.events[i]) {
					return
				}
			}
		}
	}
}
