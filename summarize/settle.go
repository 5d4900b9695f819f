package summarize

import (
	"slices"

	"apptap/flows"
)

// NewSettled makes an empty Folded for Settle.
func NewSettled() *Folded { return &Folded{newSums(maxDestinations)} }

// Settle counts those of over that came out exact, or whose difference has a cause that stays, or that nothing compares with, and says
// which. The others are left to a Build that knows all circumstances of the run. Flows that ended after waited are left too if their socket's last
// counters may still come. What is left of in.Sockets are the readings of other sockets than the flows' that were taken; it reuses the list.
func (y *Folded) Settle(in *Input, over []flows.Over, waited int64) (taken []bool) {
	y.sums.of(in)
	uses := make([]FlowUse, len(over))
	for i := range over {
		uses[i] = in.attributed(&over[i].Flow)
	}
	readings := in.Sockets
	in.Sockets = readingsOf(over, uses, readings)
	pairs := auditFlows(in, uses)
	c := circumstancesOf(in)
	used := map[lifeKey]bool{}
	taken = make([]bool, len(over))
	for i := range uses {
		use := &uses[i]
		if use.Flow.Packets() == 0 { // emptied: it counts as another
			taken[i] = true
			continue
		}
		if in.explains(&use.Flow) || use.undecided() { // its owner is still to be asked about
			continue
		}
		if use.Verdict != VerdictExact && !in.neverCompared(use, waited) && !c.staysExplained(use, pairs.own(i)) {
			continue
		}
		taken[i] = true
		y.sums.add(use)
		for _, peer := range []bool{false, true} {
			if life := pairs.lives[side{i, peer}]; life != nil {
				used[lifeKey{life.last.Cookie, life.key}] = true
				if life.joined {
					pairs.into(used) // more than it takes, and only where SYNs were lost
				}
			}
		}
	}
	in.Sockets = slices.DeleteFunc(readings, func(c SocketCounters) bool { return used[lifeKey{c.Cookie, c.Key}] })
	return taken
}

// readingsOf picks the readings of sockets that may have had a flow in over, all that there are of each. It leaves out the last
// counters of those that have the 5-tuple of such a flow, but came later. Most passes settle few of the flows that there
// are: to pair all sockets each time would cost more than all else that a busy host's capture does.
func readingsOf(over []flows.Over, uses []FlowUse, readings []SocketCounters) (picked []SocketCounters) {
	next := make(map[flows.Key]int64, 4*len(over))
	for i := range over {
		o := &over[i]
		for _, key := range [...]flows.Key{o.Flow.Key, o.Flow.Key.Reverse(), uses[i].socketKey()} {
			if at := next[key]; at == 0 || o.Next > 0 && o.Next < at {
				next[key] = o.Next
			}
			next[remnant(key)] = 0
		}
	}
	cookies := map[uint64]bool{}
	for i := range readings {
		key := readings[i].Key
		if wiped(key) {
			key = remnant(key)
		}
		if _, ok := next[key]; ok {
			cookies[readings[i].Cookie] = true
		}
	}
	for i := range readings {
		c := &readings[i]
		if at := next[c.Key]; cookies[c.Cookie] && (at == 0 || c.Moment == AtStart || c.Time < at) {
			picked = append(picked, *c)
		}
	}
	return picked
}

// neverCompared says that no reading is going to come that the flow may be compared with.
func (in *Input) neverCompared(use *FlowUse, waited int64) bool {
	f := &use.Flow
	switch {
	case use.Verdict != VerdictUnavailable || use.Unavailable == notToldApart:
		return false
	case f.Key.Proto != flows.TCP || in.SocketsUnavailable != "" || f.Locality == flows.LocalNeither:
		return true
	}
	return use.Unavailable == noCounters && f.Last <= waited
}

// staysExplained says that nothing that is still to come changes what a difference was explained by: packets are known to have been
// dropped, which is the one cause that may come up later than a flow, and the kernel told the last counters of its socket. A capture that
// loses packets for days would keep every flow that lost some.
func (c *circumstances) staysExplained(use *FlowUse, life *socketLife) bool {
	if !c.dropped || use.Verdict != VerdictExplained || use.Flow.Key.Proto != flows.TCP || life == nil || life.last.Moment != AtClose || !life.last.FINKnown {
		return false
	}
	return !slices.ContainsFunc(use.Causes, func(c Cause) bool { return c.Name == CauseStillOpen })
}

// Lose keeps in mind what the kernel counted of sockets that no flow has come of, whose readings are forgotten.
func (y *Folded) Lose(in *Input, forgotten []SocketCounters) {
	y.sums.lost = append(y.sums.lost, lostSocketsOf(in, forgotten, nil)...)
}

// Unsettled are the readings that flows in the table may be compared with, or flows to come: those from the start, those
// after recent, and after waited those that do not say whose they are. The others are forgotten. It reuses the list.
func Unsettled(readings []SocketCounters, inUse *flows.InUse, recent, waited int64) (kept, forgotten []SocketCounters) {
	kept = readings[:0]
	for _, c := range readings {
		if c.Moment == AtStart || c.Time > recent || inUse.Flow(c.Key, c.Time) || wiped(c.Key) && c.Time > waited {
			kept = append(kept, c)
		} else if c.Packets != nil {
			forgotten = append(forgotten, c)
		}
	}
	clear(readings[len(kept):])
	return kept, forgotten
}
