package pidmap

import (
	"cmp"
	"slices"

	"apptap/flows"
)

// Evidence is one thing that a History was told about a socket that may have had a flow.
type Evidence struct {
	Time    int64  // nanoseconds since 1970 UTC, 0 = some time in the socket's life
	What    string // "translated", "opened", "held", "made", "moved", "became", "closed", "lost" (from then on events were, perhaps that of its end)
	Method  Method // how it is known, "" where it goes without saying
	Process Process
	Moved   Moved  // "moved": bytes of payload until now
	Socket  Socket // with its key at the time
	Since   int64  // "opened", "translated": when the socket was certainly not there yet with this key, 0 = not known
}

// evidenceOrder is that of what has one time.
var evidenceOrder = []string{"translated", "opened", "made", "held", "became", "moved", "closed", "lost"}

// maxEvidence bounds what is listed for one flow.
const maxEvidence = 200

// Evidence lists what is known of the sockets that may have had a flow from key.Local, by time: those connected to its
// remote end, those bound to its port, and those behind a translation of its addresses. Nil if nothing is known.
func (h *History) Evidence(key flows.Key, first, last int64) (list []Evidence) {
	list, behind := h.translatedEvidence(nil, key, first, last)
	lives := slices.Concat(h.connected[key], behind)
	for _, b := range bindsOf(key) {
		lives = append(lives, h.serving(b, key)...)
	}
	for _, l := range lives {
		if l.firstSeen() > last+sightingGrace || !l.open() && l.end+timeWait < first {
			continue
		}
		if list = h.evidenceOf(list, l); len(list) > maxEvidence {
			list = list[:maxEvidence]
			break
		}
	}
	slices.SortStableFunc(list, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(slices.Index(evidenceOrder, a.What), slices.Index(evidenceOrder, b.What)), a.Process.Key.Compare(b.Process.Key), cmp.Compare(a.Socket.Cookie, b.Socket.Cookie))
	})
	return list
}

// evidenceOf appends what is known of one life of a socket.
func (h *History) evidenceOf(list []Evidence, l *life) []Evidence {
	add := func(e Evidence) {
		e.Socket = l.socket
		list = append(list, e)
	}
	add(Evidence{Time: l.firstSeen(), What: "opened", Since: l.notBefore})
	for i := range l.sightings {
		s := &l.sightings[i]
		for _, p := range s.holders {
			add(Evidence{Time: s.time, What: "held", Method: s.method, Process: p})
			for _, i := range h.images[p.Key] {
				if i.time > s.time && i.time <= l.end {
					add(Evidence{Time: i.time, What: "became", Process: i.process})
				}
			}
		}
	}
	if t := l.traced; t != nil {
		if t.maker != nil {
			add(Evidence{Time: l.firstSeen(), What: "made", Method: MethodEBPFCreator, Process: t.maker.Process})
		}
		for i := range t.users {
			add(Evidence{Time: min(t.heard, l.end), What: "moved", Method: MethodEBPF, Process: t.users[i].program.Process, Moved: t.users[i].moved})
		}
	}
	switch {
	case l.doubted: // who else had it after that nobody knows
		add(Evidence{Time: l.end, What: "lost"})
	case !l.open():
		add(Evidence{Time: l.end, What: "closed"})
	}
	return list
}
