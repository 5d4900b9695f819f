package pidmap

import (
	"cmp"
	"slices"

	"apptap/flows"
)

// maxPeers bounds the peers that are told apart of one UDP socket; beyond them its port has to do.
const maxPeers = 1024

// traced is what kernel events told of one socket, whatever keys it had. The sockets that carry one of Multipath TCP share its
// own: whoever uses that has moved their bytes.
type traced struct {
	lives []*life
	peers int
	maker *program // nil = not known
	heard int64    // when it was last told of
	users []mover
	// counted is what was told last of a UDP socket's packets, nil for nothing. Those of TCP sockets others keep, for the audit.
	counted *Datagrams

	// firstLife and firstUser are the room of lives and users while there is one of each, as most have.
	firstLife [1]*life
	firstUser [1]mover
}

func newTraced() *traced {
	t := &traced{}
	t.lives, t.users = t.firstLife[:0], t.firstUser[:0]
	return t
}

// mover is one program that did I/O on a socket.
type mover struct {
	key     UserKey
	program *program
	moved   Moved
}

// trace takes in an event of a traced socket.
func (h *History) trace(e *Event) {
	t := h.traced[e.Socket.used()]
	if t == nil {
		t = newTraced()
		h.traced[e.Socket.used()] = t
	}
	t.heard = max(t.heard, e.Time)
	switch {
	case e.Kind == SocketUsed:
		t.use(e, h.one(&e.Process))
	case e.Process.Name != "" && (e.Kind == SocketMade || t.maker == nil):
		t.maker = h.one(&e.Process)
	}
	if e.Socket.Key.Local.Port == 0 || e.Socket.Multipath {
		return // never had an address, or one that another socket carries
	}
	if l := h.tracedLife(t, e); l != nil {
		h.markWithin(t, l, e)
		if e.Kind == SocketUsed && l.socket.DualStack != e.Socket.DualStack {
			l.socket.DualStack = true
		}
		l.preceded = l.preceded || slices.ContainsFunc(h.losses, func(o loss) bool { return o.precedes(l) })
		h.handOver(l)
	}
}

// use notes what a user has moved so far; records of several processors may overtake one another.
func (t *traced) use(e *Event, by *program) {
	for i := range t.users {
		if u := &t.users[i]; u.key == e.User {
			u.moved.Tx, u.moved.Rx = max(u.moved.Tx, e.Moved.Tx), max(u.moved.Rx, e.Moved.Rx)
			return
		}
	}
	if len(t.users) < maxUsers {
		t.users = append(t.users, mover{e.User, by, e.Moved})
	}
}

// tracedLife is the life that the event is about, nil if it needs none of its own.
func (h *History) tracedLife(t *traced, e *Event) *life {
	for _, l := range slices.Backward(t.lives) {
		if l.socket.Key != e.Socket.Key || l.socket.Cookie != e.Socket.Cookie {
			continue
		}
		// A socket that connects a second time to the same place begins another life; what was buffered may be
		// read after the end.
		if e.Kind != SocketMade || l.open() || e.Time <= l.end {
			return l
		}
		break
	}
	if e.Kind == SocketPeer {
		if t.peers == maxPeers {
			return nil
		}
		t.peers++
		l := newLife(e.Socket)
		l.traced, l.peer = t, true
		l.mark(e.Time, e.NotBefore)
		h.index(l)
		t.lives = append(t.lives, l)
		return l
	}
	if e.Socket.Foreign && !e.Socket.connected() {
		return nil // a port of another namespace says nothing of this one's
	}
	l := h.lifeAt(e.Socket, e.Time)
	if l.traced == nil {
		l.traced = t
		t.lives = append(t.lives, l)
	}
	l.socket.Kernel = l.socket.Kernel || e.Socket.Kernel
	return l
}

// tunnelOwner is the kernel for datagrams that one of its tunnels sends: from ports that no socket has, to that on which it listens itself. Without
// kernel events a socket may be there that nobody has seen.
func (h *History) tunnelOwner(key flows.Key, first, last int64) (a Attribution, ok bool) {
	key.Local.Port = key.Remote.Port
	for _, b := range bindsOf(key) {
		for _, l := range choose(h.serving(b, key), first, last, h.current) {
			if l.socket.Kernel && !l.socket.Foreign && l.traced != nil {
				p := kernelProcess()
				return Attribution{App: AppOf(p), Process: p, Method: MethodEBPFTunnel}, true
			}
		}
	}
	return a, false
}

// mark says that the socket had its key at a time, and not before another.
func (l *life) mark(time, notBefore int64) {
	if l.doubted && time > l.end {
		l.end, l.doubted = stillOpen, false
	}
	switch {
	case len(l.sightings) == 0 || time < l.firstSeen():
		l.see(sighting{time: time}, notBefore)
	case l.open():
		l.lastSeen = max(l.lastSeen, time)
	}
}

// tracedOf is what kernel events told of a socket, nil for nothing. A scan does not tell that a socket carries the packets of another: then what they
// told of its 5-tuple does.
func (h *History) tracedOf(s *Socket) *traced {
	if t := h.traced[s.used()]; t != nil || s.Cookie == 0 {
		return t
	}
	for _, l := range h.connected[s.Key] {
		if l.socket.Cookie == s.Cookie && l.traced != nil {
			return l.traced
		}
	}
	return nil
}

// closeTraced ends a traced socket; false if it is none.
func (h *History) closeTraced(e *Event) bool {
	t := h.tracedOf(&e.Socket)
	if t == nil || e.Socket.Cookie == 0 {
		return false
	}
	for _, l := range t.lives {
		if l.socket.Cookie == e.Socket.Cookie && (l.open() || l.doubted) && l.firstSeen() <= e.Time {
			l.end, l.doubted = stillOpen, false
			l.close(e.LastSeen, e.Time)
			h.handOverAfter(l)
			l.followed = slices.ContainsFunc(h.losses, func(o loss) bool { return o.follows(l) })
		}
	}
	t.count(e)
	return true
}

// count notes what was counted of a UDP socket's packets.
func (t *traced) count(e *Event) {
	if e.Datagrams != nil && e.Socket.Key.Proto == flows.UDP {
		t.counted = e.Datagrams
	}
}

// loss is a time in which events were lost.
type loss struct{ since, now int64 }

// follows says that a program that nobody knows of may have had l's key soon after it.
func (o loss) follows(l *life) bool {
	return !l.open() && o.since < l.end+answerSlack && l.end < o.now
}

// precedes says that one may have had it soon before.
func (o loss) precedes(l *life) bool { return o.since < l.notBefore && l.notBefore-coverSlack < o.now }

// maxLosses bounds those that are held for what is told of the time before them only later.
const maxLosses = 64

// doubtTraced ends what kernel events told of: among those that were lost may have been the end of any socket, and the
// beginning of another one in its place. Before since, 0 if that is not known, nothing was lost.
func (h *History) doubtTraced(since, now int64) {
	lost := loss{since, now}
	if len(h.losses) == maxLosses {
		h.losses = slices.Delete(h.losses, 0, 1)
	}
	h.losses = append(h.losses, lost)
	for _, t := range h.traced {
		t.doubt(lost)
	}
}

func (t *traced) doubt(lost loss) {
	for _, l := range t.lives {
		if l.open() && l.firstSeen() <= lost.now {
			at := lost.now
			if lost.since > 0 {
				at = min(lost.now, max(lost.since, t.heard))
			}
			l.close(0, at)
			l.doubted = true
		}
		l.followed, l.preceded = l.followed || lost.follows(l), l.preceded || lost.precedes(l)
	}
}

// markWithin marks a life of t. What is told only after events of a later time were lost comes to the same as if it had been told before.
func (h *History) markWithin(t *traced, l *life, e *Event) {
	at := slices.IndexFunc(h.losses, func(lost loss) bool { return t.heard <= lost.now })
	if at >= 0 && l.doubted {
		l.end, l.doubted = stillOpen, false
	}
	l.mark(e.Time, e.NotBefore)
	if at >= 0 {
		t.doubt(h.losses[at])
	}
}

// rejoin gives what kernel events told of a socket to the life that a scan has found it in since.
func (h *History) rejoin(l *life) {
	if t := h.tracedOf(&l.socket); t != nil && l.traced == nil && l.socket.Cookie != 0 {
		l.traced = t
		t.lives = append(t.lives, l)
	}
}

// forgetTraced keeps a socket that has no address yet but was told of lately: who made it may still be asked for.
func (h *History) forgetTraced(before int64) {
	for cookie, t := range h.traced {
		if slices.ContainsFunc(t.lives, (*life).isForgotten) {
			t.lives = slices.DeleteFunc(t.lives, (*life).isForgotten)
		}
		if len(t.lives) == 0 && t.heard < before {
			delete(h.traced, cookie)
		}
	}
}

// ownFirst leaves out sockets of other network namespaces if the host's own may have had the flow: two namespaces may
// use the same addresses.
func (h *History) ownFirst(lives []*life, first, last int64) []*life {
	isOwn := func(l *life) bool { return !l.socket.Foreign }
	if len(lives) < 2 || !slices.ContainsFunc(lives, isOwn) {
		return lives
	}
	own := slices.DeleteFunc(slices.Clone(lives), func(l *life) bool { return l.socket.Foreign })
	if certain, possible := candidates(own, first, last, h.current); len(certain)+len(possible) > 0 {
		return own
	}
	return lives
}

// tracedOwner names the owner of a flow from who did I/O on its socket, or who made it; false if kernel events do not
// tell that.
func tracedOwner(lives []*life, first, last int64) (Attribution, bool) {
	sockets := tracedSockets(lives)
	if len(sockets) == 0 {
		return Attribution{}, false
	}
	a, ok := sockets[0].owner()
	if len(sockets) > 1 {
		a, ok = joined(sockets, lives)
	}
	for _, l := range lives {
		a.Foreign = a.Foreign || ok && l.socket.Foreign
	}
	return a, ok
}

// tracedSockets lists the sockets behind lives, none if one of them was not traced.
func tracedSockets(lives []*life) (sockets []*traced) {
	for _, l := range lives {
		if l.traced == nil {
			return nil
		}
		if !slices.Contains(sockets, l.traced) {
			sockets = append(sockets, l.traced)
		}
	}
	return sockets
}

// owner is who moved the socket's bytes, else who made it.
func (t *traced) owner() (Attribution, bool) {
	var shares []Share
	for _, u := range t.users {
		if u.moved != (Moved{}) {
			shares = addShare(shares, u)
		}
	}
	switch {
	case len(shares) > 0:
		return sharedOwner(shares), true
	case t.maker != nil:
		return Attribution{App: t.maker.app, Process: t.maker.Process, Method: MethodEBPFCreator}, true
	case len(t.users) > 0: // accepted and asked in vain
		p := t.users[0].program
		return Attribution{App: p.app, Process: p.Process, Method: MethodEBPF}, true
	}
	return Attribution{}, false
}

// addShare adds what a user moved to the share of its process and app.
func addShare(shares []Share, u mover) []Share {
	p := u.program
	for i := range shares {
		if s := &shares[i]; s.Process.Key == p.Key && s.App.ID == p.app.ID {
			s.Tx, s.Rx = s.Tx+u.moved.Tx, s.Rx+u.moved.Rx
			return shares
		}
	}
	return append(shares, Share{p.app, p.Process, u.moved})
}

// sharedOwner is the attribution to one or several shares.
func sharedOwner(shares []Share) Attribution {
	slices.SortStableFunc(shares, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Tx+b.Rx, a.Tx+a.Rx), a.Process.Key.Compare(b.Process.Key), cmp.Compare(a.App.ID, b.App.ID))
	})
	a := Attribution{App: shares[0].App, Process: shares[0].Process, Method: MethodEBPF}
	if len(shares) > 1 {
		a.Shares = shares
	}
	return a
}

func processesOf(shares []Share) (list []Process) {
	for _, s := range shares {
		list = append(list, s.Process)
	}
	slices.SortFunc(list, func(a, b Process) int { return a.Key.Compare(b.Key) })
	return list
}
