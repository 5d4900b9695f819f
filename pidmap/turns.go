package pidmap

import (
	"slices"

	"apptap/flows"
)

// maxEarlier bounds how many lives of a 5-tuple are looked at for who had it before.
const maxEarlier = 64

// joined is the owner of a flow that several sockets had in turn. If they are of several apps nobody can tell from them alone what each had: what
// they moved is not what was captured of it.
func joined(sockets []*traced, lives []*life) (Attribution, bool) {
	var shares []Share
	var turns []Turn
	for _, t := range sockets {
		a, ok := t.owner()
		if !ok {
			return Attribution{}, false
		}
		if len(a.Shares) > 0 {
			shares = append(shares, a.Shares...)
			for _, s := range a.Shares {
				turns = append(turns, Turn{Share: s, Open: t.open()})
			}
			continue
		}
		var moved Moved
		for _, u := range t.users {
			moved.Tx, moved.Rx = moved.Tx+u.moved.Tx, moved.Rx+u.moved.Rx
		}
		u := mover{program: &program{a.Process, a.App}, moved: moved}
		shares = addShare(shares, u)
		turns = append(turns, Turn{Share{a.App, a.Process, moved}, t.cookieIn(lives), t.counted, t.sole(), t.open()})
	}
	a := sharedOwner(shares)
	if !slices.ContainsFunc(shares, func(s Share) bool { return s.App.ID != a.App.ID }) {
		return a, true
	}
	return Attribution{Reason: ReasonAmbiguous, Candidates: processesOf(shares), Turns: turns}, true
}

// SocketOwner says who owned the socket of a cookie, whatever its flows, as far as kernel events tell.
func (h *History) SocketOwner(cookie uint64) Attribution {
	if t := h.traced[cookie]; t != nil {
		if a, ok := t.owner(); ok {
			return a
		}
	}
	return Attribution{Reason: h.absent}
}

// sole says whether the socket had one peer.
func (t *traced) sole() bool {
	var peer *flows.Key
	for _, l := range t.lives {
		if key := &l.socket.Key; l.socket.connected() {
			if peer != nil && *peer != *key {
				return false
			}
			peer = key
		}
	}
	return peer != nil
}

// cookieIn is that of the socket which is among lives.
func (t *traced) cookieIn(lives []*life) uint64 {
	for _, l := range lives {
		if l.traced == t {
			return l.socket.Cookie
		}
	}
	return 0
}

// open says that the socket is not known to be gone.
func (t *traced) open() bool { return slices.ContainsFunc(t.lives, (*life).open) }

// HandOvers are the 5-tuples of UDP of which it turned out since the last call that they went from one program to another. Those of a 5-tuple
// come in order of time if events do.
func (h *History) HandOvers() []flows.HandOver {
	list := h.handOvers
	h.handOvers = nil
	return list
}

// handOver notes that l has its 5-tuple after another program, once that is known. Where both had it at a time no time tells their
// packets apart.
func (h *History) handOver(l *life) {
	key := &l.socket.Key
	if l.handed || l.traced == nil || key.Proto != flows.UDP || !l.socket.connected() {
		return
	}
	list := h.connected[*key]
	var former *life
	for _, o := range list[max(0, len(list)-maxEarlier):] {
		switch {
		case o == l || o.traced == l.traced || o.firstSeen() > l.firstSeen():
		case o.end > l.firstSeen():
			return
		case former == nil || o.end > former.end:
			former = o
		}
	}
	if former == nil || former.traced != nil && former.traced.sameProgram(l.traced) {
		return
	}
	l.handed = true
	over := flows.HandOver{Key: *key, After: former.end, By: l.firstSeen(), Unsure: former.doubted || former.traced == nil}
	if !over.Unsure { // else a third program may have had it
		over.After = max(former.end, min(l.notBefore, l.firstSeen()))
	}
	h.handOvers = append(h.handOvers, over)
}

// handOverAfter notes who has the 5-tuple of l after it ended, for events that overtook that of its end.
func (h *History) handOverAfter(l *life) {
	list := h.connected[l.socket.Key]
	if l.socket.Key.Proto != flows.UDP || len(list) < 2 {
		return
	}
	for _, o := range list[max(0, len(list)-maxEarlier):] {
		if o != l && o.firstSeen() >= l.end {
			h.handOver(o)
		}
	}
}

// sameProgram says that one program alone is known to use both sockets.
func (t *traced) sameProgram(o *traced) bool {
	p, q := t.program(), o.program()
	return p != nil && q != nil && p.Key == q.Key && p.app.ID == q.app.ID
}

// program is the one that uses the socket, or made it; nil for none or several.
func (t *traced) program() *program {
	switch {
	case len(t.users) == 1:
		return t.users[0].program
	case len(t.users) == 0:
		return t.maker
	}
	return nil
}
