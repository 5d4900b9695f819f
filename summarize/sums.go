package summarize

import (
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

// sums collects flows by app and by reason. Each flow is counted once: under its owner or under the reason why it
// has none.
type sums struct {
	totals       Totals
	apps         groups[string, appGroup]
	nobody       unattributedGroup
	destinations destinationTable
	audited      auditSum
	live         bool // UDP flows are audited
	ports        portUses
	allMissed    *Missed
	lost         []lostSocket // of which the run decides whether they count
}

// nobodysGroup is the group of destinations without an owner; those of the i-th app are group i+1.
const nobodysGroup = 0

// newSums makes empty sums that keep so many destinations apart at most.
func newSums(destinations int) *sums {
	return &sums{destinations: destinationTable{limit: destinations}}
}

// of sets what a run wants of its sums.
func (y *sums) of(in *Input) {
	y.destinations.by, y.destinations.timed, y.live = in.Destinations, in.TakeTimes, in.Live && !in.CountOnly
}

func (y *sums) add(use *FlowUse) {
	t := totalsOf(use)
	y.totals.add(&t)
	if !y.live || !y.ports.add(use) {
		y.audited.add(use)
	}
	y.missedOfFlow(use)
	if len(use.Parts) > 0 {
		y.addParts(use)
		return
	}
	group := uint32(nobodysGroup)
	if use.Owner.Known() {
		i := y.apps.indexOf(use.Owner.App.ID)
		y.apps.list[i].add(use, &t)
		group = uint32(i) + 1
	} else {
		y.nobody.add(use, &t)
	}
	y.destinations.add(group, use, &t)
}

// merge adds what o has summed, which stays as it is.
func (y *sums) merge(o *sums) {
	y.totals.add(&o.totals)
	groupOf := make([]uint32, len(o.apps.list)+1)
	for i := range o.apps.list {
		from := &o.apps.list[i]
		at := y.apps.indexOf(from.use.App.ID)
		y.apps.list[at].merge(from)
		groupOf[i+1] = uint32(at) + 1
	}
	y.nobody.merge(&o.nobody)
	y.destinations.merge(&o.destinations, groupOf)
	y.audited.merge(&o.audited)
	y.ports.merge(&o.ports)
	o.allMissed.addTo(&y.allMissed)
	y.lost = append(y.lost, o.lost...)
}

// into writes what was collected into s, with as many destinations under each app as in wants.
func (y *sums) into(s *Summary, in *Input) {
	s.Totals, s.Missed = y.totals, y.allMissed
	listed := y.destinations.listed(len(y.apps.list)+1, in.ListDestinations, in.sideBySide)
	for i := range y.apps.list {
		use := y.apps.list[i].result()
		use.Destinations, use.OtherDestinations = listed[i+1].list, listed[i+1].others
		s.Apps = append(s.Apps, use)
	}
	slices.SortFunc(s.Apps, compareApps)
	s.Unattributed = y.nobody.result()
	s.Unattributed.Destinations, s.Unattributed.OtherDestinations = listed[nobodysGroup].list, listed[nobodysGroup].others
}

func totalsOf(use *FlowUse) Totals { return Totals{use.Flow.Counts, 1} }

// Folded are the sums of flows that are no longer kept one by one. It is not safe for concurrent use.
type Folded struct{ sums *sums }

// NewFolded makes an empty Folded.
func NewFolded() *Folded { return &Folded{newSums(maxFoldedDestinations)} }

// Add counts a flow, which its owner and what it is called among the interfaces are found for in the way of Build, with
// in.Owner asked now. It is not held against the kernel's counters: the sockets' readings may still be to come.
func (y *Folded) Add(in *Input, f *flows.Flow) {
	y.sums.of(in)
	use := FlowUse{Flow: *f, Verdict: VerdictUnavailable}
	in.attributeTo(&use)
	if use.Unavailable = in.incomparable(&use, nil); use.Unavailable == noCounters {
		use.Unavailable = "the flow was folded before its socket's counters were read"
	}
	y.sums.add(&use)
}

// Flows is how many flows were folded, 0 if y is nil.
func (y *Folded) Flows() int {
	if y == nil {
		return 0
	}
	return y.sums.totals.Flows
}

// tally sums bytes by a few names.
type tally[K ~string] []struct {
	name  K
	bytes uint64
}

func (y *tally[K]) add(name K, bytes uint64) {
	for i := range *y {
		if (*y)[i].name == name {
			(*y)[i].bytes += bytes
			return
		}
	}
	*y = append(*y, struct {
		name  K
		bytes uint64
	}{name, bytes})
}

func (y *tally[K]) merge(o tally[K]) {
	for _, t := range o {
		y.add(t.name, t.bytes)
	}
}

func (y tally[K]) byName() map[K]uint64 {
	if y == nil {
		return nil
	}
	m := make(map[K]uint64, len(y))
	for _, t := range y {
		m[t.name] = t.bytes
	}
	return m
}

type (
	methodTally = tally[pidmap.Method]
	reasonTally = tally[pidmap.Reason]
)
