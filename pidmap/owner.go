package pidmap

import (
	"cmp"
	"slices"

	"apptap/flows"
)

// Owner says who owned a flow that lasted from first to last (nanoseconds since 1970 UTC). In this order
// it believes the socket of the very 5-tuple, that of the 5-tuple to which the kernel translates it, a UDP socket bound to the local port, and, where the
// remote side opened a TCP flow, the socket that listened there. What was merely near in time or address owns nothing.
// A nil History answers ReasonNoOwnerInFile.
func (h *History) Owner(key flows.Key, initiator flows.Initiator, first, last int64) Attribution {
	if h == nil {
		return Attribution{Reason: ReasonNoOwnerInFile}
	}
	if a, ok := h.translatedOwner(key, first, last); ok {
		return a
	}
	if key.Proto == flows.UDP {
		return h.datagramOwner(key, first, last)
	}
	lives := choose(h.ownFirst(h.connected[key], first, last), first, last, h.current)
	a := h.attribute(lives, first, last, MethodSockDiag)
	switch {
	case a.Reason == ReasonAmbiguous || a.Known():
		return a
	case initiator == flows.InitiatorRemote:
		// A connected socket that nobody holds yet may still wait to be accepted.
		return h.listenerOwner(key, first, last, a)
	}
	return a
}

// listenerOwner asks the listening sockets; where there are none, or none has an owner, it is otherwise.
func (h *History) listenerOwner(key flows.Key, first, last int64, otherwise Attribution) Attribution {
	for _, b := range bindsOf(key) {
		if lives := choose(h.serving(b, key), first, last, h.current); len(lives) > 0 {
			return h.attribute(lives, first, last, MethodSockDiagListener)
		}
	}
	return otherwise
}

// datagramOwner asks the connected sockets and, where they cannot have had the whole flow, those bound to its
// port too: a port changes hands within a flow without a trace on the wire. A flow of which some packets
// belong to no socket that was ever seen is ambiguous, whoever had the rest.
func (h *History) datagramOwner(key flows.Key, first, last int64) Attribution {
	lives, whole := chooseAll(h.ownFirst(h.connected[key], first, last), first, last, h.current)
	if whole {
		return h.attribute(lives, first, last, MethodSockDiag)
	}
	method := MethodSockDiag
	for _, b := range bindsOf(key) {
		serving := h.serving(b, key)
		bound, all := chooseAll(serving, first, last, h.current)
		if len(bound) == 0 {
			continue
		}
		lives, method = append(lives, bound...), MethodSockDiagBound
		if whole = all; whole {
			break
		}
	}
	if len(lives) == 0 {
		if a, ok := h.tunnelOwner(key, first, last); ok {
			return a
		}
	}
	a := h.attribute(lives, first, last, method)
	if !whole && a.Known() {
		candidates := []Process{a.Process} // and whoever had the rest, whom nobody saw
		if len(a.Shares) > 0 {
			candidates = processesOf(a.Shares)
		}
		return Attribution{Reason: ReasonAmbiguous, Candidates: candidates}
	}
	return a
}

// attribute names the owner of a flow that belongs to one of lives.
func (h *History) attribute(lives []*life, first, last int64, method Method) Attribution {
	if len(lives) == 0 {
		return Attribution{Reason: h.absent}
	}
	if a, ok := tracedOwner(lives, first, last); ok {
		if method == MethodSockDiagListener && a.Known() {
			a.Method = MethodEBPFListener
		}
		return a
	}
	holders, told := h.holders(lives, first, last)
	if len(holders) == 0 {
		return Attribution{Reason: ReasonNoProcess}
	}
	if told != MethodSockDiag {
		method = told // only a scan's answer is worth less where the socket had no peer
	}
	app := appOf(holders[0])
	for _, p := range holders[1:] {
		if appOf(p).ID != app.ID {
			return Attribution{Reason: ReasonAmbiguous, Candidates: holders}
		}
	}
	owner := holders[0]
	if len(holders) > 1 {
		owner = youngest(holders)
		app = appOf(owner)
	}
	if told == MethodSockDiag && !h.traces && !settled(holders, first) && !watched(lives, last, h.current) {
		return Attribution{Reason: ReasonAmbiguous, Candidates: holders}
	}
	return Attribution{App: app, Process: owner, Method: method}
}

const (
	// settledAge is how long before a flow a program has to have been there for one look at its socket to do, in nanoseconds.
	settledAge = 2_000_000_000
	// watchedSpan is for how long any other has to have been seen with it, in nanoseconds: longer than one lost SYN keeps a program from
	// handing on what it opened.
	watchedSpan = 3_000_000_000
)

// settled says whether one of the holders was there long before the flow. One that has only just begun may be about to hand on
// what it has opened, or may have been given what others have used: a look sees a moment.
func settled(holders []Process, first int64) bool {
	return slices.ContainsFunc(holders, func(p Process) bool {
		return p.StartTime == 0 || p.StartTime < first-settledAge
	})
}

// watched says whether the lives were looked at for long, until shortly before the flow's end, and had the same holders.
func watched(lives []*life, last, current int64) bool {
	return !slices.ContainsFunc(lives, func(l *life) bool {
		until := spanOf(l, []*life{l}, current).until
		return until-l.firstSeen() < watchedSpan || last-until > currentGrace
	})
}

// holders collects who held lives within [first, last], sorted by key, and by which method that is known.
// A process that was seen as programs of different apps is there once for each: either may have moved the bytes.
func (h *History) holders(lives []*life, first, last int64) ([]Process, Method) {
	found := map[heldAs]Process{}
	seenAt := map[heldAs]int64{}
	method, methodAt := MethodSockDiag, int64(0)
	for _, l := range lives {
		for _, s := range l.during(first, last) {
			for _, p := range s.holders {
				for _, i := range h.imagesWithin(l, p, s.time, first, last) {
					as := heldAs{p.Key, appOf(i.process).ID}
					if at, ok := seenAt[as]; !ok || at <= i.time {
						found[as], seenAt[as] = i.process, i.time
					}
				}
			}
			if len(s.holders) > 0 && s.time >= methodAt {
				method, methodAt = s.method, s.time
			}
		}
	}
	holders := make([]Process, 0, len(found))
	for _, p := range found {
		holders = append(holders, p)
	}
	slices.SortFunc(holders, func(a, b Process) int {
		return cmp.Or(a.Key.Compare(b.Key), cmp.Compare(a.Path, b.Path), slices.Compare(a.Cmdline, b.Cmdline))
	})
	return holders, method
}

// heldAs is a process as one of the apps that it was.
type heldAs struct {
	process ProcessKey
	app     string
}

// imagesWithin is what p, seen as holder of l at the time seen, was within [first, last]: the program of
// that time and those that it became. A program of after the sighting may have moved bytes too, unless the socket was
// gone by then or the next look at it found it closed on exec.
func (h *History) imagesWithin(l *life, p Process, seen, first, last int64) []image {
	images := []image{{seen, h.imageAt(p, seen, first)}}
	for _, i := range h.images[p.Key] {
		if max(seen, first) < i.time && i.time <= min(last, l.end) && l.stillHeldBy(p.Key, i.time) {
			images = append(images, i)
		}
	}
	return images
}

// imageAt is the program that p, seen at the time seen, ran when the flow began at first: an exec between
// the two replaced what was seen.
func (h *History) imageAt(p Process, seen, first int64) Process {
	for _, i := range h.images[p.Key] {
		if seen < i.time && i.time <= first {
			p = i.process
		}
	}
	return p
}

// youngest picks one of several processes of one app that hold a socket: the last one started that is no
// other holder's parent. A server opens the socket and hands it down to the worker that serves it; the shell or master that
// only passed it on is the older one. Start times of one clock tick are told apart by parenthood, then by PID.
func youngest(holders []Process) Process {
	parents := map[int32]bool{}
	for _, p := range holders {
		parents[p.PPID] = true
	}
	return slices.MaxFunc(holders, func(a, b Process) int {
		return cmp.Or(
			cmp.Compare(a.Key.Start, b.Key.Start),
			-compareBool(parents[a.Key.PID], parents[b.Key.PID]),
			cmp.Compare(a.Key.PID, b.Key.PID),
		)
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
