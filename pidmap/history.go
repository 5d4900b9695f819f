package pidmap

import (
	"maps"
	"slices"

	"apptap/flows"
)

// History is who owned which socket when. Sources' events may be added in any order and late: a flow's owner is
// looked up when a report is made. It is not safe for concurrent use: one goroutine owns it.
type History struct {
	absent  Reason
	heard   bool  // any event at all
	traces  bool  // any event of a kernel that tells of all I/O
	current int64 // latest SocketsCurrent

	connected  map[flows.Key][]*life
	bound      map[bind][]*life     // sockets without a peer: bound UDP, listening TCP
	byIdentity map[identity][]*life // of sockets that were seen; traced has the others
	early      map[identity]Event   // SocketClosed that overtook their SocketSeen
	images     map[ProcessKey][]image
	exits      map[ProcessKey]int64
	traced     map[uint64]*traced        // by cookie
	losses     []loss                    // in order of time
	programs   map[ProcessKey][]*program // see one

	translations map[flows.Key][]translation // by what is on the wire, in order of time

	handOvers []flows.HandOver // see HandOvers
}

// bind is the local half of a Key.
type bind struct {
	local flows.Endpoint
	proto flows.Protocol
	ipv6  bool
}

// image is the program that a process became by an exec.
type image struct {
	time    int64
	process Process
}

// maxEarly bounds History.early: a source may tell of the end of sockets that nobody ever saw.
const maxEarly = 4096

// NewHistory makes an empty History. absent is its answer for flows whose socket it never heard of.
func NewHistory(absent Reason) *History {
	return &History{
		absent:     absent,
		connected:  map[flows.Key][]*life{},
		bound:      map[bind][]*life{},
		byIdentity: map[identity][]*life{},
		early:      map[identity]Event{},
		images:     map[ProcessKey][]image{},
		exits:      map[ProcessKey]int64{},
		traced:     map[uint64]*traced{},
		programs:   map[ProcessKey][]*program{},

		translations: map[flows.Key][]translation{},
	}
}

// Add takes in what a source tells. The History keeps the event's slices.
func (h *History) Add(e Event) {
	h.heard = true
	switch e.Kind {
	case SocketSeen:
		l := h.seenLife(e.Socket, e.Time)
		l.see(sighting{e.Time, e.Method, e.Holders}, e.NotBefore)
		l.socket.DualStack = l.socket.DualStack || e.Socket.DualStack
		h.rejoin(l)
		if end, ok := h.early[e.Socket.identity()]; ok && e.Time <= end.Time {
			l.close(end.LastSeen, end.Time)
		}
	case SocketClosed:
		h.close(e)
	case SocketMade, SocketUsed, SocketPeer:
		h.traces = true
		h.trace(&e)
	case SocketCounted:
		if t := h.tracedOf(&e.Socket); t != nil {
			t.count(&e)
		}
	case EventsLost:
		h.doubtTraced(e.NotBefore, e.Time)
	case SocketsCurrent:
		h.current = max(h.current, e.Time)
	case FlowTranslated, FlowUntranslated:
		h.translate(&e)
	case ProcessExec:
		h.addImage(e.Process.Key, image{e.Time, e.Process})
	case ProcessExit:
		h.exits[e.Process.Key] = e.Time
	}
}

// close ends the lives of a socket.
func (h *History) close(e Event) {
	id := e.Socket.identity()
	known := h.closeTraced(&e)
	for _, l := range h.byIdentity[id] {
		if l.firstSeen() <= e.Time {
			known = true
			if l.open() {
				l.close(e.LastSeen, e.Time)
			}
		}
	}
	// Kernel events tell of every socket before its end, if at all.
	if !known && e.Method != MethodEBPF && len(h.early) < maxEarly {
		h.early[id] = e
	}
}

// seenLife finds the life that a sighting belongs to, or begins one.
func (h *History) seenLife(s Socket, time int64) *life {
	l := h.lifeAt(s, time)
	id := s.identity()
	if siblings := h.byIdentity[id]; !slices.Contains(siblings, l) {
		h.byIdentity[id] = append(siblings, l)
	}
	return l
}

// lifeAt finds the life that a socket had at a time, or begins one. A socket that has changed its key (a UDP
// socket that connects, and connects again elsewhere) has one life after the other.
func (h *History) lifeAt(s Socket, time int64) *life {
	siblings := h.siblings(&s)
	for _, l := range siblings {
		if l.socket.Key == s.Key && time <= l.end {
			return l
		}
	}
	l := newLife(s)
	for _, o := range siblings {
		if o.lastSeen <= time {
			o.close(0, time)
		} else if o.firstSeen() > time {
			l.end = min(l.end, o.firstSeen())
		}
	}
	h.index(l)
	return l
}

// siblings are the lives of a socket, but for those with peers that a UDP socket is not connected to.
func (h *History) siblings(s *Socket) []*life {
	lives := h.byIdentity[s.identity()]
	t := h.tracedOf(s)
	if t == nil || s.Cookie == 0 {
		return lives
	}
	for _, l := range t.lives {
		if l.socket.Cookie == s.Cookie && !l.peer && !slices.Contains(lives, l) {
			lives = append(slices.Clip(lives), l)
		}
	}
	return lives
}

// index makes l findable by its key.
func (h *History) index(l *life) {
	s := &l.socket
	if s.connected() {
		addLife(h.connected, s.Key, l)
	} else {
		addLife(h.bound, bind{s.Key.Local, s.Key.Proto, s.Key.IPv6}, l)
	}
}

func addLife[K comparable](lives map[K][]*life, key K, l *life) {
	list := lives[key]
	if list == nil {
		list = l.alone[:0]
	}
	lives[key] = append(list, l)
}

func (h *History) addImage(key ProcessKey, i image) {
	list := h.images[key]
	at := len(list)
	for at > 0 && list[at-1].time > i.time {
		at--
	}
	if len(list) == maxSightings {
		list, at = slices.Delete(list, 0, 1), max(at-1, 0)
	}
	h.images[key] = slices.Insert(list, at, i)
}

// Knows says whether a socket that is open now serves the local endpoint of key: one connected to its
// remote endpoint, or one bound there or to the wildcard address. It costs a few map look-ups.
func (h *History) Knows(key flows.Key) bool {
	if h == nil {
		return false
	}
	isOpen := func(l *life) bool { return l.open() }
	if slices.ContainsFunc(h.connected[key], isOpen) {
		return true
	}
	for _, b := range bindsOf(key) {
		if slices.ContainsFunc(h.serving(b, key), isOpen) {
			return true
		}
	}
	return false
}

// bindsOf lists where a socket may be bound that serves key's local endpoint, in the kernel's order of
// preference (compute_score in net/ipv4/udp.c): the address itself, its family's wildcard, the other's.
func bindsOf(key flows.Key) [3]bind {
	any4 := flows.Endpoint{Addr: [16]byte{10: 0xff, 11: 0xff}, Port: key.Local.Port}
	any6 := flows.Endpoint{Port: key.Local.Port}
	own := bind{key.Local, key.Proto, key.IPv6}
	if key.IPv6 {
		return [3]bind{own, {any6, key.Proto, true}}
	}
	return [3]bind{own, {any4, key.Proto, false}, {any6, key.Proto, true}}
}

// serving lists the lives at b that take key's family.
func (h *History) serving(b bind, key flows.Key) []*life {
	lives := h.bound[b]
	if b.ipv6 == key.IPv6 {
		return lives
	}
	var dual []*life
	for _, l := range lives {
		if l.socket.DualStack {
			dual = append(dual, l)
		}
	}
	return dual
}

// Needed says what flows may still be asked about: flows.InUse.
type Needed interface {
	Flow(key flows.Key, by int64) bool // one that began by that time
	Port(proto flows.Protocol, port uint16) bool
}

// Forget drops what was over before the given time, nanoseconds since 1970 UTC, and that no flow in needed, nor one that begins
// later, is to be asked about. It costs a pass over all that is known.
func (h *History) Forget(before int64, needed Needed) {
	inside := h.inside(needed)
	forgetLives(h.connected, func(key flows.Key, lives []*life, l *life) bool {
		return l.end < before && !inside[key] && !needed.Flow(key, l.servedUntil(lives))
	})
	forgetLives(h.bound, func(b bind, _ []*life, l *life) bool {
		return l.end < before && !needed.Port(b.proto, b.local.Port)
	})
	prune(h.byIdentity)
	h.forgetTraced(before)
	h.forgetTranslations(before, needed)
	maps.DeleteFunc(h.early, func(_ identity, e Event) bool { return e.Time < before })
	held := h.held()
	for key, time := range h.exits {
		if time < before && !held[key] {
			delete(h.exits, key)
			delete(h.images, key)
		}
	}
	clear(h.programs) // those that are in use are there again with their next event
}

// servedUntil is until when flows may have begun that l, one of the lives of its key, had.
func (l *life) servedUntil(siblings []*life) int64 {
	until := l.end + timeWait
	for _, o := range siblings {
		if o != l && o.firstSeen() >= l.end {
			until = min(until, o.firstSeen())
		}
	}
	return until
}

// held are the processes that some sighting names: what they became by exec may still be asked for.
func (h *History) held() map[ProcessKey]bool {
	held := map[ProcessKey]bool{}
	for _, lives := range h.byIdentity {
		for _, l := range lives {
			for i := range l.sightings {
				for k := range l.sightings[i].holders {
					held[l.sightings[i].holders[k].Key] = true
				}
			}
		}
	}
	return held
}

// forgetLives marks and takes out those lives of each key that are over, and looks at no list twice: most stay as they are.
func forgetLives[K comparable](lives map[K][]*life, over func(key K, of []*life, l *life) bool) {
	for key, list := range lives {
		some := false
		for _, l := range list {
			l.forgotten = over(key, list, l)
			some = some || l.forgotten
		}
		if some {
			pruneKey(lives, key, list)
		}
	}
}

func prune[K comparable](lives map[K][]*life) {
	for key, list := range lives {
		pruneKey(lives, key, list)
	}
}

func pruneKey[K comparable](lives map[K][]*life, key K, list []*life) {
	if list = slices.DeleteFunc(list, (*life).isForgotten); len(list) == 0 {
		delete(lives, key)
	} else {
		lives[key] = list
	}
}

// program is a process as kernel events told of it, with its app: to name that costs more than all else that is asked of a flow.
type program struct {
	Process
	app App
}

// one is a copy of p that all who hold the same share: a Process is larger than all else that is kept of a socket.
func (h *History) one(p *Process) *program {
	list := h.programs[p.Key]
	for _, q := range list {
		if q.same(p) {
			return q
		}
	}
	kept := &program{*p, appOf(*p)}
	if len(list) < maxSightings {
		h.programs[p.Key] = append(list, kept)
	}
	return kept
}
