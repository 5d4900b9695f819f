package pidmap

import "time"

// watchSteps are the times after its start at which a program is looked at: most clients that live a few
// milliseconds open their socket in the first of them, and what lives longer than the last is found by the other scans.
var watchSteps = [...]time.Duration{
	time.Millisecond, 4 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 60 * time.Millisecond,
}

// maxWatches bounds each step's queue: more programs than this within one step cannot be looked at in time anyhow.
const maxWatches = 1024

// watch is a program that was started a moment ago.
type watch struct {
	pid       int32
	began     time.Time
	step      int
	inherited []uint64 // sockets that it had from its start
}

func (v watch) at() time.Time { return v.began.Add(watchSteps[v.step]) }

// watches are the programs to look at, one queue a step, each in order of time.
type watches [len(watchSteps)][]watch

func (w *watches) add(v watch) {
	if len(w[v.step]) < maxWatches {
		w[v.step] = append(w[v.step], v)
	}
}

// again queues v for its next step, if there is one.
func (w *watches) again(v watch) {
	if v.step++; v.step < len(watchSteps) {
		w.add(v)
	}
}

// next is when the first of them is due.
func (w *watches) next() (at time.Time, ok bool) {
	for _, queue := range w {
		if len(queue) > 0 && (!ok || queue[0].at().Before(at)) {
			at, ok = queue[0].at(), true
		}
	}
	return at, ok
}

// due takes one that is due; earlier steps first, they are about the programs that end soonest.
func (w *watches) due(now time.Time) (watch, bool) {
	for i, queue := range w {
		if len(queue) > 0 && !queue[0].at().After(now) {
			w[i] = queue[1:]
			return queue[0], true
		}
	}
	return watch{}, false
}
