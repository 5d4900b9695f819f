package summarize

import (
	"cmp"
	"slices"
	"time"

	"apptap/flows"
)

// lateness bounds how long after a socket's last packet its closing reading is still taken for that socket's alone, where
// counts do not tell: the queue is read within milliseconds, a busy machine takes longer.
const lateness = int64(time.Second)

// side is one of the two sockets that a flow may have on this host: its own, or on loopback its peer's. The peer's
// is never compared, but it is one of the lives of its 5-tuple.
type side struct {
	use  int // index
	peer bool
}

// pairing is the search for each flow's socket. Those of other network namespaces are looked for apart: such a socket has
// only flows of which neither address is this host's, and no other has those.
type pairing struct {
	uses    []FlowUse
	foreign bool
	lives   map[side]*socketLife
	parts   []*socketLife // of lives that were merged
	unclear map[int]bool  // by index of uses: several lives might be this flow's, whether or not one was chosen
}

// tuples are the 5-tuples of sockets: a flow without its own among them is paired with none.
type tuples map[flows.Key]struct{}

func tuplesOf(readings []SocketCounters) tuples {
	t := make(tuples, len(readings))
	for i := range readings {
		key := readings[i].Key
		if wiped(key) {
			key = remnant(key)
		}
		t[key] = struct{}{}
	}
	return t
}

// match says whether use's flow, or on loopback its other side, may be the flow of one of the sockets.
func (t tuples) match(use *FlowUse) bool {
	f := &use.Flow
	if len(t) == 0 || f.Key.Proto != flows.TCP {
		return false
	}
	return t.has(use.socketKey()) || f.Locality == flows.LocalBoth && t.has(f.Key.Reverse())
}

func (t tuples) has(key flows.Key) bool {
	_, whole := t[key]
	_, remains := t[remnant(key)]
	return whole || remains
}

// pairSockets finds each flow's socket, and the flows for which several sockets might be theirs. Wiped sockets come
// first: they can only belong to flows that this host reset.
func pairSockets(readings []SocketCounters, uses []FlowUse) *pairing {
	p := &pairing{uses: uses, lives: map[side]*socketLife{}, unclear: map[int]bool{}}
	if len(readings) == 0 {
		return p
	}
	lives := livesOf(readings)
	for _, p.foreign = range []bool{false, true} {
		intact, remnants := p.byKey(lives)
		p.by(remnants, func(k flows.Key, reset bool) (flows.Key, bool) { return remnant(k), reset })
		p.by(intact, func(k flows.Key, _ bool) (flows.Key, bool) { return k, true })
	}
	return p
}

// socketKey is the flow's 5-tuple as its socket has it, which is not that on the wire where this machine translates it.
func (u *FlowUse) socketKey() flows.Key {
	if u.translated() {
		return u.Owner.Translated
	}
	return u.Flow.Key
}

func (u *FlowUse) translated() bool { return u.Owner.Translated != flows.Key{} }

// foreign says that the flow's socket, if there is one on this machine, is in another network namespace.
func (u *FlowUse) foreign() bool {
	if u.translated() {
		return u.Owner.Foreign
	}
	return u.Flow.Locality == flows.LocalNeither
}

// into notes which lives flows were paired with.
func (p *pairing) into(paired map[lifeKey]bool) {
	for _, life := range p.lives {
		paired[lifeKey{life.last.Cookie, life.key}] = true
	}
	for _, life := range p.parts {
		paired[lifeKey{life.last.Cookie, life.key}] = true
	}
}

// own is the life of the socket of a flow, by index of uses; nil where none is known.
func (p *pairing) own(use int) *socketLife { return p.lives[side{use: use}] }

// byKey sorts lives by their 5-tuple, or what is left of it.
func (p *pairing) byKey(lives []*socketLife) (intact, remnants map[flows.Key][]*socketLife) {
	intact, remnants = map[flows.Key][]*socketLife{}, map[flows.Key][]*socketLife{}
	for _, l := range lives {
		switch {
		case l.last.Foreign != p.foreign:
		case wiped(l.key):
			remnants[remnant(l.key)] = append(remnants[remnant(l.key)], l)
		default:
			intact[l.key] = append(intact[l.key], l)
		}
	}
	return intact, remnants
}

// by pairs the sides that have a key among lives and no socket yet.
func (p *pairing) by(lives map[flows.Key][]*socketLife, keyOf func(k flows.Key, reset bool) (flows.Key, bool)) {
	if len(lives) == 0 {
		return
	}
	candidates := map[flows.Key][]side{}
	add := func(s side, k flows.Key, reset bool) {
		if key, ok := keyOf(k, reset); ok && len(lives[key]) > 0 && p.lives[s] == nil {
			candidates[key] = append(candidates[key], s)
		}
	}
	for i := range p.uses {
		f := &p.uses[i].Flow
		if p.uses[i].foreign() != p.foreign {
			continue
		}
		add(side{use: i}, p.uses[i].socketKey(), f.TxSawRST)
		if f.Locality == flows.LocalBoth {
			add(side{use: i, peer: true}, f.Key.Reverse(), f.RxSawRST)
		}
	}
	for key, sides := range candidates {
		slices.SortStableFunc(sides, func(a, b side) int { return cmp.Compare(p.flow(a).First, p.flow(b).First) })
		p.tuple(sides, lives[key])
	}
}

func (p *pairing) flow(s side) *flows.Flow { return &p.uses[s.use].Flow }

// tuple pairs the sides and the lives of one 5-tuple, both in order of time: two sockets never hold it at once. If
// they are equally many, each has its own, however late it was read. If not, some life or flow is missing, and only
// a pause in the use of the 5-tuple shows where.
func (p *pairing) tuple(sides []side, lives []*socketLife) {
	if p.timed(sides, lives) {
		return
	}
	sides, lives = p.possible(sides, lives)
	if p.inOrder(sides, lives) {
		return
	}
	for len(sides) > 0 {
		n, end := p.untilPause(sides)
		m := slices.IndexFunc(lives, func(l *socketLife) bool { return n < len(sides) && l.last.Time >= p.flow(sides[n]).First })
		if m < 0 {
			m = len(lives)
		}
		p.burst(sides[:n], lives[:m], end)
		sides, lives = sides[n:], lives[m:]
	}
}

// possible leaves out what the times allow no partner at all.
func (p *pairing) possible(sides []side, lives []*socketLife) ([]side, []*socketLife) {
	someSide := func(l *socketLife) bool {
		return slices.ContainsFunc(sides, func(s side) bool { return l.mayCarry(p.flow(s)) })
	}
	someLife := func(s side) bool {
		for _, l := range slices.Backward(lives) { // the latest may carry nearly any: this is no loop over all
			if l.mayCarry(p.flow(s)) {
				return true
			}
		}
		return false
	}
	return keep(sides, someLife), keep(lives, someSide)
}

func keep[T any](list []T, ok func(T) bool) (kept []T) {
	for _, x := range list {
		if ok(x) {
			kept = append(kept, x)
		}
	}
	return kept
}

// inOrder pairs as many lives as sides one by one, if the times allow it.
func (p *pairing) inOrder(sides []side, lives []*socketLife) bool {
	if len(sides) != len(lives) {
		return false
	}
	for i, s := range sides {
		if !lives[i].mayCarry(p.flow(s)) {
			return false
		}
	}
	for i, s := range sides {
		p.lives[s] = lives[i]
		if !s.peer && !p.alone(i, sides, lives) {
			p.unclear[s.use] = true
		}
	}
	return true
}

// alone says that the i-th life is the only one read between the start of its flow and that of the next. Of others the order
// may be wrong: processors report ends side by side, and two neighbours may change places (seen on Linux 6.18).
func (p *pairing) alone(i int, sides []side, lives []*socketLife) bool {
	after := i == 0 || lives[i-1].last.Time < p.flow(sides[i]).First
	if i+1 == len(sides) {
		return after
	}
	next := p.flow(sides[i+1]).First
	return after && lives[i].last.Time < next && lives[i+1].last.Time >= next
}

// untilPause counts the sides before the first pause in which a closing reading cannot have been late, and says when the
// last packet of them was captured.
func (p *pairing) untilPause(sides []side) (n int, end int64) {
	for i, s := range sides {
		if i > 0 && p.flow(s).First-end > lateness {
			return i, end
		}
		end = max(end, p.flow(s).Last)
	}
	return len(sides), end
}

// burst pairs what lies between two pauses. Of more lives than flows, those read long after the last flow's end belong to
// flows that were not captured.
func (p *pairing) burst(sides []side, lives []*socketLife, end int64) {
	if len(lives) > len(sides) {
		lives = keep(lives, func(l *socketLife) bool { return l.last.Time-end <= lateness })
	}
	if len(lives) == 0 || p.inOrder(sides, lives) {
		return
	}
	for _, s := range sides {
		if !s.peer {
			p.unclear[s.use] = true
		}
	}
}
