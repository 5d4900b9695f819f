package session

import (
	"fmt"
	"net/netip"
	"slices"

	"apptap/capture"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// Replay is what the files of one run tell together. It gives a report what it was made from the first time.
type Replay struct {
	sources []*Source
	beside  [][]pidmap.Event // told by other files, not given out yet
}

// NewReplay joins files, in the order in which their interfaces are counted.
func NewReplay(sources []*Source) *Replay { return &Replay{sources: sources} }

// Add has events given out before those of the files, which do not say what they tell. It comes before reading, and the Replay keeps the
// slice: of many sockets it is most of the memory that a run takes.
func (r *Replay) Add(events []pidmap.Event) { r.beside = append(r.beside, events) }

// Events gives what was read of ownership since the last call. It is called by the goroutine that reads the sources.
func (r *Replay) Events() []pidmap.Event {
	if beside := r.beside; len(beside) > 0 {
		r.beside = nil
		if len(beside) == 1 {
			return beside[0]
		}
		return slices.Concat(beside...)
	}
	if len(r.sources) == 1 {
		return r.sources[0].takeEvents()
	}
	var all []pidmap.Event
	var salts []uint64
	for i, s := range r.sources {
		events := s.takeEvents()
		if len(events) == 0 {
			continue
		}
		if salts == nil {
			salts = r.salts()
		}
		if salts[i] != 0 {
			saltEvents(events, salts[i])
		}
		all = append(all, events...)
	}
	return all
}

// states are the latest of each session of each file; whole says that there is one in each that has packets: of a session that is cut
// before its first record nothing can be told.
func (r *Replay) states() (list []*stateRecord, whole bool) {
	whole = true
	for _, s := range r.sources {
		s.mu.Lock()
		known := s.records.states()
		for i := range known {
			state := *known[i]
			state.joined, state.gap = s.records.joined, s.records.gap()
			if first := s.records.first; i == 0 && first != nil && first.Part > 0 {
				state.begun, state.Start = first.Part, first.Start
			}
			list = append(list, &state)
		}
		whole = whole && (len(known) > 0 || s.records.empty)
		s.mu.Unlock()
	}
	return list, whole && len(list) > 0
}

// partial says which files of a run that wrote several were not given at its beginning and end.
func (r *Replay) partial() (sentences []string) {
	states, _ := r.states()
	for _, s := range states {
		if s.begun > 0 {
			sentences = append(sentences, fmt.Sprintf("the capture began in another file: %s not given", parts(span{0, s.begun - 1})))
		}
		if !s.Final && s.continued() && s.Part.ToldUntil != 0 {
			sentences = append(sentences, fmt.Sprintf("file %d of the run was ended early, because later ones filled quickly: owners that were told of after %s are in those",
				s.Part.Part+1, capture.At(s.Part.ToldUntil).UTC().Format("15:04:05.000 UTC")))
		}
		if !s.Final && s.continued() {
			sentences = append(sentences, fmt.Sprintf("the capture goes on in another file: file %d of the run is the last one given; replay all of them together", s.Part.Part+1))
		}
	}
	return sentences
}

// Local lists the addresses of the host whose sessions these are, and how that was known; "" if no file says.
func (r *Replay) Local() (local []netip.Prefix, from string) {
	states, _ := r.states()
	for _, s := range states {
		for _, p := range s.Local {
			if !slices.Contains(local, p) {
				local = append(local, p)
			}
		}
		from = max(from, string(s.LocalFrom))
	}
	return local, from
}

// Complete fills in what the files say of the run, as far as they have been read. Where one of them is no session the
// run is none: owners and counters are still those of the sessions. The addresses are in Local. The counters are no measure for flows of
// another host, which somebody may take for local by a flag.
func (r *Replay) Complete(in *summarize.Input) {
	r.fill(in)
	if in.Source.LocalFrom == "flag" && !r.counted(in.Source.Local) {
		in.Sockets, in.Datagrams, in.DatagramsWhole = nil, nil, false
		in.SocketsUnavailable = summarize.OtherHost
	}
}

// counted says that all of local are addresses of the host whose sessions these are, or that no file says which it has.
func (r *Replay) counted(local []netip.Prefix) bool {
	recorded, _ := r.Local()
	of := func(p netip.Prefix) bool { return slices.ContainsFunc(recorded, p.Overlaps) }
	return len(recorded) == 0 || !slices.ContainsFunc(local, func(p netip.Prefix) bool { return !of(p) })
}

func (r *Replay) fill(in *summarize.Input) {
	states, whole := r.states()
	in.Degraded = slices.Clone(in.Degraded)
	rest := make([]*summarize.InterfaceInput, len(in.Interfaces))
	for i := range in.Interfaces {
		rest[i] = &in.Interfaces[i]
	}
	for _, s := range states {
		s.complete(in)
		rest = s.completeInterfaces(rest)
	}
	for _, s := range r.sources {
		s.completeLacks(in)
	}
	in.Degraded = append(in.Degraded, r.partial()...)
	r.addCounters(in)
	if !whole {
		return
	}
	in.Live, in.SocketsUnavailable = true, ""
	in.Window = windowOf(states, in.Window.End)
	for _, s := range states {
		in.SocketsUnavailable = max(in.SocketsUnavailable, string(s.SocketsUnavailable))
	}
	in.Owner = ownerSoughtBy(in.Owner)
}

// complete fills in what stands for the whole run.
func (r *stateRecord) complete(in *summarize.Input) {
	in.Source.SnapLen = max(in.Source.SnapLen, r.SnapLen)
	in.Source.Reader, in.Source.Kept = max(in.Source.Reader, string(r.Reader)), max(in.Source.Kept, string(r.Kept))
	in.Source.TimeStamps = max(in.Source.TimeStamps, string(r.TimeStamps))
	in.Filter = both(in.Filter, string(r.Filter))
	in.Source.Filter = in.Filter
	in.CounterOverflows += r.CounterOverflows
	in.DroppedUserspace += r.DroppedUserspace
	in.Degraded = append(in.Degraded, stringsOf(r.Degraded)...)
	in.Incomplete = in.Incomplete || r.Incomplete
	in.Gap = in.Gap || r.Gap || r.gap != ""
}

// completeLacks fills in what the capture lacked that the file was made from.
func (s *Source) completeLacks(in *summarize.Input) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lacks := s.records.lacks; lacks != nil {
		in.Incomplete = true
		in.Degraded = append(in.Degraded, stringsOf(lacks.Degraded)...)
	}
}

// completeInterfaces fills in what is said of interfaces, and returns the rows that are left: one interface may be
// described once in each of several files.
func (r *stateRecord) completeInterfaces(rows []*summarize.InterfaceInput) []*summarize.InterfaceInput {
	for i := range r.Interfaces {
		said := &r.Interfaces[i]
		at := slices.IndexFunc(rows, func(row *summarize.InterfaceInput) bool { return row.Name == string(said.Name) })
		if at < 0 {
			continue
		}
		row := rows[at]
		row.Loopback, row.Filter, row.Readings = said.Loopback, string(said.Filter), said.Readings.readings()
		switch {
		case row.Readings == nil:
		case r.joined:
			row.Readings.Unavailable = "its packets are described as those of several interfaces"
		case !r.Final && r.continued():
			row.Readings.Unavailable = "the capture goes on in another file"
		case !r.Final:
			row.Readings.Unavailable = "the session ends before the capture did"
		case r.gap != "":
			row.Readings.Unavailable = r.gap
		case r.begun > 0:
			row.Readings.Unavailable = "the capture began in another file"
		}
		rows = slices.Delete(slices.Clone(rows), at, at+1)
	}
	return rows
}

func (r *Replay) addCounters(in *summarize.Input) {
	in.Sockets = slices.Clone(in.Sockets)
	salts := r.salts()
	for i, s := range r.sources {
		s.mu.Lock()
		before := len(in.Sockets)
		in.Sockets = append(in.Sockets, s.records.counters...)
		s.mu.Unlock()
		if salts[i] != 0 {
			saltCounters(in.Sockets[before:], salts[i])
		}
	}
}

// ownerSoughtBy is owner on the word of a run that looked for owners: one that is missing was not seen.
func ownerSoughtBy(owner func(flows.Key, flows.Initiator, int64, int64) pidmap.Attribution) func(flows.Key, flows.Initiator, int64, int64) pidmap.Attribution {
	if owner == nil {
		return nil
	}
	return func(key flows.Key, initiator flows.Initiator, first, last int64) pidmap.Attribution {
		a := owner(key, initiator, first, last)
		if a.Reason == pidmap.ReasonNoOwnerInFile {
			a.Reason = pidmap.ReasonNoSocketSeen
		}
		return a
	}
}

// both is the filter of packets that passed two.
func both(a, b string) string {
	switch {
	case a == b || b == "":
		return a
	case a == "":
		return b
	}
	return "(" + b + ") and (" + a + ")"
}

// windowOf is the time that sessions cover together; those that were not ended go until last, their last packet.
func windowOf(states []*stateRecord, last int64) summarize.Window {
	w := summarize.Window{Start: states[0].Start, End: states[0].End}
	for _, s := range states {
		w.Start, w.End = min(w.Start, s.Start), max(w.End, s.End)
		if !s.Final {
			w.End = max(w.End, last)
		}
	}
	return w
}
