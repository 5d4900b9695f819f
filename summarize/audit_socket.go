package summarize

import (
	"cmp"
	"slices"

	"apptap/flows"
)

// socketLife is what is known of one socket: its counters before the capture, if it existed then, and the last ones
// known.
type socketLife struct {
	key         flows.Key
	start, last SocketCounters
	hasStart    bool
	hasLast     bool
}

// lifeKey tells lives apart. A cookie alone would do but for counters of systems that have none (0).
type lifeKey struct {
	cookie uint64
	key    flows.Key
}

// livesOf collects the readings by socket. Lives come in the order of their last reading; those without one
// have nothing to compare and are left out.
func livesOf(readings []SocketCounters) []socketLife {
	sorted := slices.Clone(readings)
	slices.SortFunc(sorted, compareReadings)
	var lives groups[lifeKey, socketLife]
	keyOf := map[uint64]flows.Key{} // of each cookie, as it was before the counters were wiped
	for _, c := range sorted {
		if !wiped(c.Key) && c.Cookie != 0 {
			keyOf[c.Cookie] = c.Key
		}
	}
	for _, c := range sorted {
		key, known := keyOf[c.Cookie]
		if !wiped(c.Key) || !known {
			key = c.Key
		}
		life := lives.at(lifeKey{c.Cookie, key})
		life.key = key
		life.read(c)
	}
	finished := slices.DeleteFunc(lives.list, func(l socketLife) bool { return !l.hasLast })
	slices.SortStableFunc(finished, func(a, b socketLife) int { return cmp.Compare(a.last.Time, b.last.Time) })
	return finished
}

// read takes in a reading; they come in order of moment, then time. The socket's end says more than the
// capture's: a later dump cannot find it again.
func (l *socketLife) read(c SocketCounters) {
	switch {
	case c.Moment == AtStart && !l.hasStart:
		l.start, l.hasStart = c, true
	case c.Moment == AtStart:
	case !l.hasLast || l.last.Moment == c.Moment || c.Moment == AtClose:
		l.last, l.hasLast = c, true
	}
}

// baseline says whether the counters at the start are to be subtracted for f. Where a SYN of the flow was captured, so was
// all that followed, even if the socket was there by the time of the first reading.
func (l *socketLife) baseline(f *flows.Flow) bool {
	return l.hasStart && !f.TxSawSYN && !f.RxSawSYN && !l.backwards()
}

// backwards says that a counter shrank, which only wiping does.
func (l *socketLife) backwards() bool {
	return l.hasStart && (l.last.BytesSent < l.start.BytesSent || l.last.BytesRetrans < l.start.BytesRetrans ||
		l.last.BytesReceived < l.start.BytesReceived)
}

// during is what the kernel counted while f was captured.
func (l *socketLife) during(f *flows.Flow) SocketCounters {
	c := l.last
	if l.baseline(f) {
		c.BytesSent -= l.start.BytesSent
		c.BytesRetrans -= l.start.BytesRetrans
		c.BytesReceived -= l.start.BytesReceived
		c.BytesAcked -= l.start.BytesAcked
	}
	return c
}

// wiped says that a key is what tcp_disconnect leaves of one: no local address and no remote port, while local port and
// remote address survive (measured on Linux 6.18).
func wiped(k flows.Key) bool {
	return k.Remote.Port == 0 && k.LocalAddr().Addr().Unmap().IsUnspecified()
}

// remnant is the part of a 5-tuple that survives wiping, as a key.
func remnant(k flows.Key) flows.Key {
	return flows.Key{
		Local:  flows.Endpoint{Port: k.Local.Port},
		Remote: flows.Endpoint{Addr: k.Remote.Addr},
		Proto:  k.Proto,
	}
}

// pairSockets finds each flow's socket: its life by index of uses, absent where none is known. Wiped sockets come first:
// they can only belong to flows that this host reset.
func pairSockets(readings []SocketCounters, uses []FlowUse) map[int]*socketLife {
	if len(readings) == 0 {
		return nil
	}
	intact, remnants := map[flows.Key][]*socketLife{}, map[flows.Key][]*socketLife{}
	lives := livesOf(readings)
	for i := range lives {
		l := &lives[i]
		if wiped(l.key) {
			remnants[remnant(l.key)] = append(remnants[remnant(l.key)], l)
		} else {
			intact[l.key] = append(intact[l.key], l)
		}
	}
	paired := make(map[int]*socketLife)
	pairBy(remnants, uses, paired, func(f *flows.Flow) (flows.Key, bool) { return remnant(f.Key), f.TxSawRST })
	pairBy(intact, uses, paired, func(f *flows.Flow) (flows.Key, bool) { return f.Key, true })
	return paired
}

// pairBy pairs the flows that have a key among lives and no socket yet.
func pairBy(
	lives map[flows.Key][]*socketLife, uses []FlowUse, paired map[int]*socketLife,
	keyOf func(*flows.Flow) (flows.Key, bool),
) {
	if len(lives) == 0 {
		return
	}
	candidates := map[flows.Key][]int{}
	for i := range uses {
		key, ok := keyOf(&uses[i].Flow)
		if ok && len(lives[key]) > 0 && paired[i] == nil {
			candidates[key] = append(candidates[key], i)
		}
	}
	for key, flowsOfKey := range candidates {
		slices.SortStableFunc(flowsOfKey, func(a, b int) int { return cmp.Compare(uses[a].Flow.First, uses[b].Flow.First) })
		pairInOrder(flowsOfKey, lives[key], uses, paired)
	}
}

// pairInOrder pairs the flows and the lives of one 5-tuple, both in order of time: two sockets never hold it at
// once. From the last on, a life goes to the latest flow that had begun when it was read. A closing reading that
// was read late, after the next flow had begun, still finds its own, since that one's life is later still. Cookies
// would be no order: the kernel hands them out in batches by processor.
func pairInOrder(flowsOfKey []int, lives []*socketLife, uses []FlowUse, paired map[int]*socketLife) {
	i := len(flowsOfKey) - 1
	for n := len(lives) - 1; n >= 0; n-- {
		life := lives[n]
		for i >= 0 && !life.mayCarry(&uses[flowsOfKey[i]].Flow) {
			i--
		}
		if i < 0 {
			return
		}
		f := &uses[flowsOfKey[i]].Flow
		// Two lives for one flow: that of the other was not captured. Which is nearer to the flow's end?
		if i == 0 && n > 0 && lives[n-1].mayCarry(f) && lives[n-1].distance(f) < life.distance(f) {
			continue
		}
		paired[flowsOfKey[i]] = life
		i--
	}
}

// mayCarry says whether the times allow that f was this socket's: it was read after f began, and did not exist before
// a SYN that was captured.
func (l *socketLife) mayCarry(f *flows.Flow) bool {
	if l.last.Time < f.First {
		return false
	}
	return !l.hasStart || l.start.Time >= f.First || !f.TxSawSYN && !f.RxSawSYN
}

// distance is the time between the end of f and the last reading.
func (l *socketLife) distance(f *flows.Flow) uint64 { return magnitude(l.last.Time - f.Last) }

// compareReadings orders readings by moment, then time, then all else.
func compareReadings(a, b SocketCounters) int {
	return cmp.Or(
		cmp.Compare(a.Moment, b.Moment), cmp.Compare(a.Time, b.Time), a.Key.Compare(b.Key), cmp.Compare(a.Cookie, b.Cookie),
		cmp.Compare(a.BytesSent, b.BytesSent), cmp.Compare(a.BytesRetrans, b.BytesRetrans),
		cmp.Compare(a.BytesReceived, b.BytesReceived), cmp.Compare(a.BytesAcked, b.BytesAcked),
		compareBool(a.Incomplete, b.Incomplete),
	)
}
