package pipeline

import (
	"sync"

	"apptap/flows"
)

// learner reads names out of batches that are accounted for, beside the owner: three stages then share the cores, and none
// of them has more to do than half of all. Live, batches come one at a time and the owner reads them itself: another goroutine
// would only have to be woken.
type learner struct {
	table *flows.Table
	run   *shared
	queue chan *batch // nil if the owner reads them
	under sync.WaitGroup
}

// maxUnlearned is how many batches may wait.
const maxUnlearned = 8

func newLearner(table *flows.Table, run *shared) *learner {
	l := &learner{table: table, run: run}
	if run.live {
		return l
	}
	l.queue = make(chan *batch, maxUnlearned)
	go func() {
		for b := range l.queue {
			l.learn(b)
			l.under.Done()
		}
	}()
	return l
}

// take reads a batch, now or soon, and gives it back.
func (l *learner) take(b *batch) {
	if l.queue == nil {
		l.learn(b)
		return
	}
	l.under.Add(1)
	l.queue <- b
}

func (l *learner) learn(b *batch) {
	l.table.Learn(b.packets, b.payloads.List, &b.lessons)
	l.run.release(b)
}

// wait returns when all that was taken has been read: the table wants that before it is asked for flows.
func (l *learner) wait() { l.under.Wait() }

// end waits too, and takes nothing more.
func (l *learner) end() {
	l.wait()
	if l.queue != nil {
		close(l.queue)
	}
}
