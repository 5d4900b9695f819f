package summarize

import (
	"cmp"
	"slices"
	"time"

	"apptap/flows"
)

// RetryWindow is how long after a failed flow another to the same destination counts as a retry of it. Programs that back off
// double their waits up to about a minute (gRPC's connection backoff: 120 s, browsers and libcurl less).
const RetryWindow = time.Minute

// maxSeries bounds the series that are kept of one destination: an hour and more of failures, each series a RetryWindow apart.
const maxSeries = 64

// attempts are the failed flows of one destination as series: each flow of a series but the first is a retry. It does not matter
// in which order they are added.
type attempts struct {
	list    []series // by first; RetryWindow apart
	dropped series   // what retries there were in series that gave way, as flows and bytes
}

// series are failed flows of which none began later than RetryWindow after all before had ended.
type series struct {
	first, last  int64 // begin of the first and end of the last, nanoseconds since 1970 UTC
	flows        int
	bytes, start uint64 // frame bytes of all, and of the first
}

func (a *attempts) add(f *flows.Flow) {
	a.put(series{f.First, max(f.Last, f.First), 1, f.Bytes(), f.Bytes()})
}

// put adds a series, which joins those that it is near to.
func (a *attempts) put(s series) {
	begin, _ := slices.BinarySearchFunc(a.list, s.first-int64(RetryWindow), func(o series, at int64) int { return cmp.Compare(o.last, at) })
	end := begin
	for end < len(a.list) && a.list[end].first <= s.last+int64(RetryWindow) {
		s.join(&a.list[end])
		end++
	}
	a.list = slices.Replace(a.list, begin, end, s)
	if len(a.list) > maxSeries {
		a.dropped.flows += a.list[0].flows - 1
		a.dropped.bytes += a.list[0].bytes - a.list[0].start
		a.list = slices.Delete(a.list, 0, 1)
	}
}

func (s *series) join(o *series) {
	switch {
	case o.first < s.first:
		s.first, s.start = o.first, o.start
	case o.first == s.first:
		s.start = max(s.start, o.start) // whichever came first in the capture
	}
	s.last = max(s.last, o.last)
	s.flows += o.flows
	s.bytes += o.bytes
}

func (a *attempts) merge(o *attempts) {
	for _, s := range o.list {
		a.put(s)
	}
	a.dropped.flows += o.dropped.flows
	a.dropped.bytes += o.dropped.bytes
}

// retries are how many flows tried again, and their frame bytes.
func (a *attempts) retries() (flows int, bytes uint64) {
	flows, bytes = a.dropped.flows, a.dropped.bytes
	for _, s := range a.list {
		flows += s.flows - 1
		bytes += s.bytes - s.start
	}
	return flows, bytes
}
