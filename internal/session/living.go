package session

import (
	"cmp"
	"iter"
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

const (
	// repeatGrace is how long a socket that is gone may still be asked for: its last segments may still come (TIME_WAIT of Linux).
	repeatGrace = 60_000_000_000
	// forgetEach is how much time there is between two looks at all that is gone.
	forgetEach = 10_000_000_000
	// maxLiving bounds the sockets and processes that are kept to be told of again; of more the oldest are forgotten.
	maxLiving = 65536
	// maxToldOfSocket bounds the events of one of them.
	maxToldOfSocket = 64
)

// living is what was told of sockets and processes that are there, or were until lately. A file has what its packets may be of: it is written once
// one of these comes. Of all else of a busy host no file has anything.
type living struct {
	by        map[subject]*told
	places    map[place][]*told
	seen      touchedLately
	processes map[pidmap.ProcessKey]struct{} // that files name: what becomes of them is told too
	allNamed  bool                           // they were too many
	captured  map[string]bool                // names of the interfaces
	traced    *told                          // the first subject of kernel events: to have any tells a report something
	counted   bool                           // there were counters of datagrams: likewise
	count     uint64
	forgotten int64 // when it was last looked for what is gone
}

// subject is what events are about: a socket by its cookie, else by its inode, else by its key; a process; a translated flow; or the
// source itself.
type subject struct {
	cookie, inode uint64
	key           flows.Key
	translated    bool
	process       pidmap.ProcessKey
	source        pidmap.EventKind
}

// told is one of them.
type told struct {
	about  subject
	order  uint64 // when it was first told of
	gone   int64  // 0 = it is there
	events []kept
	places []place
	in     []mark // the newest files that have it
}

// kept is an event with its number among all, and the newest file that has it, counted from 1; 0 = none.
type kept struct {
	pidmap.Event
	number uint64
	file   int
}

// mark says up to which event a file has a subject.
type mark struct {
	file int // from 1
	upTo uint64
}

func newLiving(interfaces []string) *living {
	l := &living{by: map[subject]*told{}, places: map[place][]*told{}, processes: map[pidmap.ProcessKey]struct{}{}, captured: map[string]bool{}}
	for _, name := range interfaces {
		l.captured[name] = true
	}
	return l
}

func subjectOf(e *pidmap.Event) subject {
	switch e.Kind {
	case pidmap.ProcessExec, pidmap.ProcessExit:
		return subject{process: e.Process.Key}
	case pidmap.SocketsCurrent, pidmap.EventsLost, pidmap.SocketsCounted:
		return subject{source: e.Kind}
	}
	switch s := &e.Socket; {
	case e.Translation != nil:
		return subject{key: e.Translation.Original, translated: true}
	case s.Cookie != 0:
		return subject{cookie: s.Cookie}
	case s.Inode != 0:
		return subject{inode: s.Inode}
	default:
		return subject{key: s.Key}
	}
}

// placesOf are those at which packets ask for what an event is about. Who has a socket that is older than its 5-tuple, and what became
// of a process, goes with what is told of these besides.
func placesOf(e *pidmap.Event) []place {
	s := &e.Socket
	switch {
	case e.Kind == pidmap.SocketsCurrent || e.Kind == pidmap.EventsLost || e.Kind == pidmap.SocketsCounted || s.Multipath:
		return []place{everyFile}
	case e.Translation != nil:
		return append(placesOfKey(e.Translation.Original), placesOfKey(e.Translation.Reply)...)
	case s.Key.Local.Port == 0:
		return nil
	case s.Key.Proto == flows.TCP && s.Key.Remote.Port != 0:
		return []place{pairPlace(flows.TCP, s.Key.Local.Port, s.Key.Remote.Port)}
	}
	return []place{portPlace(s.Key.Proto, s.Key.Local.Port)} // the uses of a UDP port are compared with the kernel together
}

// placesOfKey are those of a packet with these ports.
func placesOfKey(k flows.Key) []place {
	return []place{pairPlace(k.Proto, k.Local.Port, k.Remote.Port), portPlace(k.Proto, k.Local.Port), portPlace(k.Proto, k.Remote.Port)}
}

// learn keeps an event until its subject is gone. left are those that there is no room for any more.
func (l *living) learn(e *pidmap.Event) (t *told, left []*told) {
	about := subjectOf(e)
	if t = l.by[about]; t == nil {
		if len(l.by) >= maxLiving {
			left = l.forgetOldest()
		}
		t = &told{about: about}
		l.by[about] = t
	}
	l.count++
	if t.order == 0 {
		t.order = l.count
	}
	switch e.Kind {
	case pidmap.SocketClosed, pidmap.ProcessExit, pidmap.FlowUntranslated:
		t.gone = max(e.Time, 1)
	case pidmap.SocketSeen, pidmap.SocketMade, pidmap.FlowTranslated:
		t.gone = 0 // an inode or 5-tuple is there again
	case pidmap.SocketsCurrent, pidmap.EventsLost:
		t.events = t.events[:0]
	case pidmap.SocketUsed:
		t.replaceUse(e.User)
	}
	if wiped := e.Kind == pidmap.SocketClosed && e.Socket.Key.Remote.Port == 0; !wiped || len(t.places) == 0 {
		l.index(t, placesOf(e))
	}
	if len(t.events) == maxToldOfSocket {
		t.dropOne()
	}
	t.events = append(t.events, kept{Event: *e, number: l.count})
	return t, left
}

// dropOne makes room for an event: not in place of the first, which says who made the socket, and of a peer's rather than of what says who has
// the port, which owns packets of peers that nothing is told of.
func (t *told) dropOne() {
	at := 1 + max(0, slices.IndexFunc(t.events[1:], func(k kept) bool { return k.Kind == pidmap.SocketPeer }))
	t.events = slices.Delete(t.events, at, at+1)
}

// replaceUse makes room for what a user has moved until now: of what was told before the first stays, which says since when.
func (t *told) replaceUse(user pidmap.UserKey) {
	first := true
	t.events = slices.DeleteFunc(t.events, func(k kept) bool {
		if k.Kind != pidmap.SocketUsed || k.User != user {
			return false
		}
		again := !first
		first = false
		return again
	})
}

func (l *living) index(t *told, places []place) {
	for _, p := range places {
		if !slices.Contains(t.places, p) {
			t.places = append(t.places, p)
			l.places[p] = append(l.places[p], t)
		}
	}
}

// drop forgets a subject.
func (l *living) drop(t *told) {
	delete(l.by, t.about)
	for _, p := range t.places {
		list := l.places[p]
		if at := slices.Index(list, t); at >= 0 {
			list = slices.Delete(list, at, at+1)
		}
		if l.places[p] = list; len(list) == 0 {
			delete(l.places, p)
		}
	}
}

// forget drops what was gone by a time.
func (l *living) forget(by int64) {
	if by-l.forgotten < forgetEach {
		return
	}
	l.forgotten = by
	for _, t := range l.by {
		if t.gone != 0 && t.gone <= by {
			l.drop(t)
		}
	}
}

// forgetOldest makes room for many at a time, because it looks at all: first for what is gone.
func (l *living) forgetOldest() []*told {
	list := l.list()
	slices.SortStableFunc(list, func(a, b *told) int { return cmp.Compare(min(b.gone, 1), min(a.gone, 1)) })
	list = list[:len(list)/8]
	for _, t := range list {
		l.drop(t)
	}
	return list
}

// list are all subjects in the order in which they were first told of.
func (l *living) list() []*told {
	list := make([]*told, 0, len(l.by))
	for _, t := range l.by {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *told) int { return cmp.Compare(a.order, b.order) })
	return list
}

// written says whether any file has the subject.
func (t *told) written() bool { return len(t.in) > 0 }

// upTo is the last of its events that a file has; ok says that it has any.
func (t *told) upTo(file int) (number uint64, ok bool) {
	for _, m := range t.in {
		if m.file == file {
			return m.upTo, true
		}
	}
	return 0, false
}

// note says that a file has all that is known from now on; false says that it had.
func (t *told) note(file int) bool {
	last := mark{file, t.events[len(t.events)-1].number}
	for i := range t.in {
		if had := t.in[i]; had.file == file {
			t.in[i] = last
			return had != last
		}
	}
	if len(t.in) == maxEndings+1 {
		t.in = slices.Delete(t.in, 0, 1)
	}
	t.in = append(t.in, last)
	return true
}

// meets says whether packets may be the subject's.
func (t *told) meets(has func(place) bool) bool { return slices.ContainsFunc(t.places, has) }

// counts says whether the event has counters that a report may be short of without a packet: of packets on an interface that was
// captured, which may all be lost.
func (l *living) counts(e *pidmap.Event) bool {
	d := e.Datagrams
	return d != nil && (d.Others != (pidmap.InterfaceBytes{}) || l.captured[d.Interfaces[0].Name] || l.captured[d.Interfaces[1].Name])
}

// first says that a report may depend on there being any event like this one: of the kernel's, or with counters.
func (l *living) first(e *pidmap.Event) bool {
	return traces(e) && l.traced == nil || e.Datagrams != nil && !l.counted
}

func traces(e *pidmap.Event) bool {
	return e.Kind == pidmap.SocketMade || e.Kind == pidmap.SocketUsed || e.Kind == pidmap.SocketPeer
}

// wrote notes what an event of t that was written names.
func (l *living) wrote(t *told, e *pidmap.Event) {
	if l.traced == nil && traces(e) {
		l.traced = t
	}
	l.counted = l.counted || e.Datagrams != nil
	for p := range named(e) {
		if len(l.processes) == maxNumbered {
			l.allNamed = true
			return
		}
		l.processes[*p] = struct{}{}
	}
}

// names says whether any file may name a process.
func (l *living) names(p pidmap.ProcessKey) bool {
	_, ok := l.processes[p]
	return ok || l.allNamed
}

// named are the processes that an event names.
func named(e *pidmap.Event) iter.Seq[*pidmap.ProcessKey] {
	return func(yield func(*pidmap.ProcessKey) bool) {
		if e.Process.Key != (pidmap.ProcessKey{}) && !yield(&e.Process.Key) {
			return
		}
		for i := range e.Holders {
			if !yield(&e.Holders[i].Key) {
				return
			}
		}
	}
}
