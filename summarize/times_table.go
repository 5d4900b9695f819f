package summarize

import (
	"slices"

	"apptap/flows"
)

const (
	// maxTimed bounds the destinations whose times are kept, at about a kilobyte each; those that come later have none.
	maxTimed = 1 << 14
	// maxLogged bounds the durations that wait to be sorted by destination, at 16 bytes each.
	maxLogged = 1 << 18
)

// timeTable keeps the times of destinations, by a number of its own. Durations are written one behind the other and sorted
// by destination when there are many: to find the place of each at once is a cache miss or two, for a dozen of them a flow.
type timeTable struct {
	list   []*timeSum // nil where a destination was given up; numbers are not used again
	kept   int
	log    []logged
	sorted []sample // scratch of compact
	ends   []int    // likewise, by number
}

type logged struct {
	sample sample
	number uint32
}

// begin makes the times of one more destination, nil if there is no room.
func (t *timeTable) begin() *timeSum {
	if t.kept == maxTimed {
		return nil
	}
	s := &timeSum{table: t, number: uint32(len(t.list))}
	t.list = append(t.list, s)
	t.kept++
	return s
}

// drop gives a destination up.
func (t *timeTable) drop(s *timeSum) {
	t.list[s.number] = nil
	t.kept--
}

func (t *timeTable) note(number uint32, one sample) {
	switch len(t.log) {
	case maxLogged:
		t.compact()
	case cap(t.log): // twice as much each time: append would copy all of it a dozen times more
		t.log = slices.Grow(t.log, max(len(t.log), 1<<8))
	}
	t.log = append(t.log, logged{one, number})
}

// compact takes what was logged to its destinations.
func (t *timeTable) compact() {
	if len(t.log) == 0 {
		return
	}
	if cap(t.ends) < len(t.list) {
		t.ends = make([]int, 2*len(t.list))
	}
	if cap(t.sorted) < len(t.log) {
		t.sorted = make([]sample, len(t.log), cap(t.log))
	}
	ends, sorted := t.ends[:len(t.list)], t.sorted[:len(t.log)]
	clear(ends)
	for i := range t.log {
		ends[t.log[i].number]++
	}
	sum := 0
	for n := range ends { // first where each begins
		ends[n], sum = sum, sum+ends[n]
	}
	for i := range t.log {
		at := &ends[t.log[i].number]
		sorted[*at] = t.log[i].sample
		*at++
	}
	begin := 0
	for n, end := range ends {
		if s := t.list[n]; s != nil && end > begin {
			s.take(sorted[begin:end])
		}
		begin = end
	}
	t.log = t.log[:0]
}

// tells says that a flow has anything to tell of its times.
func tells(f *flows.Flow) bool {
	if f.Timing != nil || f.Handshake() != flows.HandshakeUnknown || f.TxRetransmits+f.RxRetransmits > 0 || f.TxSawRST || f.RxSawRST {
		return true
	}
	_, failed := failureOf(f)
	return failed
}

// add takes a flow that tells something.
func (s *timeSum) addFlow(f *flows.Flow) {
	s.connect(f)
	if f.Timing != nil {
		s.exchange(f, f.Timing)
	}
	if how, failed := failureOf(f); failed {
		s.counts.Failed.add(f, how)
		s.attempts.add(f)
	}
}

// timedFlow is a flow that waits to be added: the Flow that was given is gone by then.
type timedFlow struct {
	flow   flows.Flow
	timing flows.Timing
}

func (d *destinationTable) remember(f *flows.Flow) {
	d.timedFlows = append(d.timedFlows, timedFlow{flow: *f})
	if f.Timing != nil {
		d.timedFlows[len(d.timedFlows)-1].timing = *f.Timing
	}
}

// take adds the times that wait to those of a destination.
func (d *destinationTable) take(w *waitingSum, at int) {
	s := d.timesOf(at)
	if s == nil {
		return
	}
	if w.timed > 0 {
		f := &d.timedFlows[w.timed-1]
		if f.flow.Timing != nil {
			f.flow.Timing = &f.timing
		}
		s.addFlow(&f.flow)
	}
	if w.merged != nil {
		s.merge(w.merged)
		d.mergedTo[w.merged.number] = s.number + 1
	}
}

// timesOf are the times of a destination that has or is to have some, nil if there is no room.
func (d *destinationTable) timesOf(at int) *timeSum {
	if at >= len(d.timesAt) {
		d.timesAt = append(d.timesAt, make([]*timeSum, d.length-len(d.timesAt))...)
	}
	if d.timesAt[at] == nil {
		d.timesAt[at] = d.times.begin()
	}
	return d.timesAt[at]
}

// knownTimes are the times of a destination, nil if it has none.
func (d *destinationTable) knownTimes(at int) *timeSum {
	if at < len(d.timesAt) {
		return d.timesAt[at]
	}
	return nil
}

// mergeLog adds what o has logged, whose number n is mergedTo[n]-1 here.
func (d *destinationTable) mergeLog(o *timeTable) {
	for i := range o.log {
		if to := d.mergedTo[o.log[i].number]; to > 0 {
			d.times.note(to-1, o.log[i].sample)
		}
	}
}
