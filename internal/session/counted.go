package session

import "apptap/pidmap"

// countedSockets are the sockets whose datagrams were counted lately in what was read of a run: a file behind a missing one tells some of
// them again, and their bytes would count twice. A file tells of maxLiving at most; between a half and all of maxCounted are known.
type countedSockets struct{ now, before map[countedSocket]struct{} }

const maxCounted = 2 * maxLiving

type countedSocket struct {
	subject
	kind pidmap.EventKind
	time int64
}

// add says whether the event is new.
func (c *countedSockets) add(e *pidmap.Event) bool {
	about := countedSocket{subjectOf(e), e.Kind, e.Time}
	_, now := c.now[about]
	_, before := c.before[about]
	if now || before {
		return false
	}
	if c.now == nil || len(c.now) == maxCounted/2 {
		c.now, c.before = map[countedSocket]struct{}{}, c.now
	}
	c.now[about] = struct{}{}
	return true
}
