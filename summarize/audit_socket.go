package summarize

import (
	"cmp"
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

// socketLife is what is known of one socket: its counters before the capture, if it existed then, and the last ones
// known.
type socketLife struct {
	key         flows.Key
	start, last SocketCounters
	hasStart    bool
	hasLast     bool
	packets     *pidmap.Datagrams // nil: not known
	since       int64             // when it was made, 0 = not known
	accepted    bool
	joined      bool // of several sockets, whose streams are one flow's
}

// lifeKey tells lives apart. A cookie alone would do but for counters of systems that have none (0).
type lifeKey struct {
	cookie uint64
	key    flows.Key
}

// livesOf collects the readings by socket. Lives come in the order of their last reading; those without one
// have nothing to compare and are left out.
func livesOf(readings []SocketCounters) []*socketLife {
	sorted := slices.Clone(readings)
	slices.SortFunc(sorted, compareReadings)
	lives := groups[lifeKey, socketLife]{index: make(map[lifeKey]int, len(sorted)), list: make([]socketLife, 0, len(sorted))}
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
	finished := make([]*socketLife, 0, len(lives.list))
	for i := range lives.list {
		if l := &lives.list[i]; l.hasLast {
			finished = append(finished, l)
		}
	}
	slices.SortStableFunc(finished, func(a, b *socketLife) int {
		return cmp.Or(cmp.Compare(a.last.Time, b.last.Time), cmp.Compare(a.last.Sequence, b.last.Sequence))
	})
	return finished
}

// read takes in a reading; they come in order of moment, then time. The socket's end says more than the
// capture's: a later dump cannot find it again. Of two that tell of the end, one that knows of the FIN was read before
// anything was wiped.
func (l *socketLife) read(c SocketCounters) {
	if c.Packets != nil && (l.packets == nil || c.Moment == AtClose) {
		l.packets = c.Packets
	}
	l.since, l.accepted = max(l.since, c.Since), l.accepted || c.Accepted
	switch {
	case c.Moment == AtCount:
	case c.Moment == AtStart && !l.hasStart:
		l.start, l.hasStart = c, true
	case c.Moment == AtStart:
	case l.hasLast && l.last.Moment == AtClose && l.last.FINKnown && !c.FINKnown:
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
	return l.hasStart && !l.last.Lost && (l.last.BytesSent < l.start.BytesSent || l.last.BytesRetrans < l.start.BytesRetrans ||
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
		c.BytesDuplicate -= min(c.BytesDuplicate, l.start.BytesDuplicate)
		if l.start.PeerFIN && !c.FINKnown { // it is from before, and not in the earlier figure
			c.BytesReceived -= min(c.BytesReceived, 1)
			c.FINKnown = true
		}
	}
	return c
}

// wiped says that a key is what tcp_disconnect leaves of one: no remote port, and no local address unless the socket was
// bound to it, while local port and remote address survive (net/ipv4/tcp.c; measured on Linux 6.18).
func wiped(k flows.Key) bool { return k.Remote.Port == 0 }

// remnant is the part of a 5-tuple that survives wiping, as a key.
func remnant(k flows.Key) flows.Key {
	return flows.Key{
		Local:  flows.Endpoint{Port: k.Local.Port},
		Remote: flows.Endpoint{Addr: k.Remote.Addr},
		Proto:  k.Proto,
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

// compareReadings orders readings by moment, then time, then the kernel's order, then all else.
func compareReadings(a, b SocketCounters) int {
	return cmp.Or(
		cmp.Compare(a.Moment, b.Moment), cmp.Compare(a.Time, b.Time), cmp.Compare(a.Sequence, b.Sequence),
		a.Key.Compare(b.Key), cmp.Compare(a.Cookie, b.Cookie),
		cmp.Compare(a.BytesSent, b.BytesSent), cmp.Compare(a.BytesRetrans, b.BytesRetrans),
		cmp.Compare(a.BytesReceived, b.BytesReceived), cmp.Compare(a.BytesAcked, b.BytesAcked),
		compareBool(a.Incomplete, b.Incomplete), compareBool(a.FINKnown, b.FINKnown),
		compareBool(a.PeerFIN, b.PeerFIN), compareBool(a.Foreign, b.Foreign), compareBool(a.Payload, b.Payload),
		cmp.Compare(a.BytesDuplicate, b.BytesDuplicate), cmp.Compare(a.Interface, b.Interface), compareBool(a.Lost, b.Lost),
	)
}
