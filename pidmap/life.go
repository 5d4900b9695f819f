package pidmap

import (
	"cmp"
	"math"
	"slices"

	"apptap/flows"
)

const (
	// sightingGrace is how long after a flow's last packet the first sighting of its socket may come, in
	// nanoseconds: a socket that is done sending stays for a while, and a busy scanner is late.
	sightingGrace = 2_000_000_000
	// currentGrace is how long a socket counts as open after its source last said so, in nanoseconds: three of
	// the slow scans.
	currentGrace = 3_000_000_000
	// coverSlack is how much earlier than its life can have begun a socket's first packet may seem to be, in
	// nanoseconds: time stamps of packets and times of looks are taken apart.
	coverSlack = 50_000_000
	// answerSlack is how long after a UDP socket is gone answers to it may still come, in nanoseconds: a client that does
	// not wait for them is still the flow's owner, one that comes later on the same port may not be.
	answerSlack = 500_000_000
	// timeWait is how long the kernel answers for a TCP socket after its end, in nanoseconds: TCP_TIMEWAIT_LEN of include/net/tcp.h.
	timeWait = 60_000_000_000
	// stillOpen is the end of a life that is not known to be over.
	stillOpen = math.MaxInt64
	// maxSightings bounds what one socket that changes hands for ever can cost.
	maxSightings = 64
)

// life is one incarnation of a key: one socket while it had that key.
type life struct {
	socket    Socket
	sightings []sighting // by time
	// The socket certainly existed from the first sighting to lastSeen. It did not at notBefore (0 = not
	// known), and no longer at end.
	notBefore, lastSeen, end int64
	traced                   *traced // what kernel events told of its socket, nil = nothing
	forgotten                bool    // see History.Forget
	preceded                 bool    // events were lost before it was there: who had its key then may not be known
	followed                 bool    // events were lost after its end: who had its key next may not be known
	doubted                  bool    // end is when events were lost, perhaps that of its end: it may be open all the same
	handed                   bool    // its 5-tuple was another program's before, and that is told: see History.HandOvers
	peer                     bool    // of an unconnected UDP socket with one of its peers
	// first and alone are the room of sightings, and of the list of a key's lives, while there is one: most never have another.
	first [1]sighting
	alone [1]*life
}

// sighting is who held a socket at a time.
type sighting struct {
	time    int64
	method  Method
	holders []Process
}

// newLife begins a life that has no sightings yet.
func newLife(s Socket) *life {
	l := &life{socket: s, end: stillOpen}
	l.sightings, l.alone[0] = l.first[:0], l
	return l
}

func (l *life) firstSeen() int64 { return l.sightings[0].time }

// see adds a sighting in its place in time; sources may overtake one another.
func (l *life) see(s sighting, notBefore int64) {
	at, _ := slices.BinarySearchFunc(l.sightings, s.time, func(o sighting, t int64) int { return cmp.Compare(o.time, t) })
	if len(l.sightings) == maxSightings {
		// The first one stays, it is where the life begins; the one after it makes room.
		l.sightings = slices.Delete(l.sightings, 1, 2)
		at = max(at-1, 1)
	}
	l.sightings = slices.Insert(l.sightings, at, s)
	if at == 0 && notBefore <= s.time {
		l.notBefore = notBefore
	}
	l.lastSeen = max(l.lastSeen, s.time)
	l.end = max(l.end, l.lastSeen)
}

// close says that the life was over at end and certain until lastSeen.
func (l *life) close(lastSeen, end int64) {
	if lastSeen <= end {
		l.lastSeen = max(l.lastSeen, lastSeen)
	}
	l.end = max(min(l.end, end), l.lastSeen)
}

// open says whether the socket is not known to be gone.
func (l *life) open() bool { return l.end == stillOpen }

// during returns the sightings that tell who held the socket within [first, last]: the one that held when
// it began and those that came while it lasted. Each of these holders may have moved bytes.
func (l *life) during(first, last int64) []sighting {
	from, to := 0, 0
	for i := range l.sightings {
		if l.sightings[i].time <= first {
			from = i
		}
		if l.sightings[i].time <= last {
			to = i
		}
	}
	return l.sightings[from : max(from, to)+1]
}

// stillHeldBy says whether the first sighting after a time has the process as holder, or there is none.
func (l *life) stillHeldBy(key ProcessKey, after int64) bool {
	for _, s := range l.sightings {
		if s.time > after {
			return slices.ContainsFunc(s.holders, func(p Process) bool { return p.Key == key })
		}
	}
	return true
}

// span is when a life took place, as its neighbours on the same key leave it.
type span struct {
	from, seen  int64 // it began after from and no later than seen
	until, over int64 // it lasted until until and was over at over
	doubted     bool  // what came after over may be anybody's
	slack       int64 // how much earlier than from its first packet may seem to be
}

// spanOf bounds l by the other incarnations of its key: a connected socket leaves its 5-tuple before
// another one takes it. Unconnected sockets can share a port, so they bound each other only where one was closed before
// the other was seen. current is when the sources last said that what they told still holds.
func spanOf(l *life, others []*life, current int64) span {
	s := span{from: l.notBefore, seen: l.firstSeen(), until: l.lastSeen, over: l.end, doubted: l.doubted || l.followed, slack: coverSlack}
	if l.preceded {
		s.slack = 0
	}
	if l.traced != nil && !l.open() && !l.doubted && l.socket.connected() && l.socket.Key.Proto == flows.TCP {
		s.over += timeWait
	}
	replaced := false
	for _, o := range others {
		switch {
		case o == l:
		case o.lastSeen <= s.seen && (l.socket.connected() || o.end <= s.seen):
			s.from = max(s.from, o.lastSeen)
		case l.socket.connected() && o.firstSeen() > l.lastSeen:
			s.over, replaced = min(s.over, o.firstSeen()), true
		}
	}
	if l.open() && !replaced {
		s.until = max(s.until, current)
		s.over = s.until + currentGrace
	}
	return s
}

// certain says whether the socket was there at some time of [first, last].
func (s span) certain(first, last int64) bool { return s.seen <= last && first <= s.until }

// possible says whether it may have been there, and was seen soon enough to tell.
func (s span) possible(first, last int64) bool {
	return s.from <= last && s.seen-sightingGrace <= last && first <= s.over
}

// begins says whether a life within span can have had a packet at first, ends whether at last.
func (s span) begins(first int64) bool { return s.from <= first+s.slack }
func (s span) ends(last int64) bool {
	if s.doubted {
		return last <= s.over
	}
	return last <= s.over+answerSlack
}

// throughout says whether the socket was certainly there during all of [first, last].
func (s span) throughout(first, last int64) bool { return s.seen <= first && last <= s.until }

// choose picks those of the lives of one key that [first, last] may belong to: those that certainly were
// there, else those that may have been. Lives are told apart by the times at which they were seen, never by
// cookie: the kernel hands cookies out in batches by processor, so they are not chronological.
func choose(lives []*life, first, last, current int64) []*life {
	certain, possible := candidates(lives, first, last, current)
	if len(certain) > 0 {
		return certain
	}
	return possible
}

func candidates(lives []*life, first, last, current int64) (certain, possible []*life) {
	for _, l := range lives {
		switch s := spanOf(l, lives, current); {
		case s.certain(first, last):
			certain = append(certain, l)
		case s.possible(first, last):
			possible = append(possible, l)
		}
	}
	return certain, possible
}

// chooseAll is choose for datagrams: those that certainly were there are the answer only if one of them was
// throughout, else those that may have been come to it: the port may have changed hands before the first look at the one
// or after the last look at the other. whole says whether together they can have had the whole flow.
func chooseAll(lives []*life, first, last, current int64) (chosen []*life, whole bool) {
	certain, possible := candidates(lives, first, last, current)
	if slices.ContainsFunc(certain, func(l *life) bool { return spanOf(l, lives, current).throughout(first, last) }) {
		return certain, true
	}
	chosen = append(certain, possible...)
	return chosen, covered(chosen, lives, first, last, current)
}

// covered says whether one of chosen can have had the first packet and one the last, and no program that nobody knows of any between.
func covered(chosen, lives []*life, first, last, current int64) bool {
	begins, ends := false, false
	for _, l := range chosen {
		s := spanOf(l, lives, current)
		begins, ends = begins || s.begins(first) && (s.from <= first || !answered(lives, first)), ends || s.ends(last)
		if s.doubted && slices.ContainsFunc(chosen, func(o *life) bool { return o.traced != l.traced && o.firstSeen() > l.end }) {
			return false
		}
	}
	return begins && ends
}

// answered says that one of lives had ended shortly before a time: an answer to it may have come then.
func answered(lives []*life, at int64) bool {
	return slices.ContainsFunc(lives, func(l *life) bool { return l.end <= at && at <= l.end+answerSlack })
}

func (l *life) isForgotten() bool { return l.forgotten }
