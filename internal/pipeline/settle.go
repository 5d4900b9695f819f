package pipeline

import (
	"time"

	"apptap/summarize"
)

const (
	// settleEach is how many new flows or events there are at least between two passes of settle, and settleShare which
	// share of the flows that were left: each pass looks at all of them.
	settleEach, settleShare = 4096, 8
	// settlePause is how much time of the records there is at least between two passes: a flow waits for a minute anyway.
	settlePause = 5 * time.Second
	// settleLag is how much older than what is known of sockets packets to come may be, where none came for as long.
	settleLag = 30 * time.Second
	// readingGrace is how long a flow that is over waits for its socket's last counters: without kernel events they come
	// when the program closes the socket, which may be long after both sides have said that they are done.
	readingGrace = 5 * time.Minute
	// flowGrace is how long after its socket's last counters a flow may still begin: they overtake packets in a buffer.
	flowGrace = 10 * time.Second
)

// settle adds flows that are over to the sums and forgets them, with their sockets and owners, so that a capture that goes on
// for days holds what the last minutes need. The report is the same as if they had been kept: nothing can be added
// to them, and what the kernel disagrees with waits for the end, when all circumstances are known, unless what explains it stays. A run that only counts
// sums up its sockets by itself: see sumCounted.
func (o *owner) settle() {
	now := o.now()
	if !o.config.Live || o.config.CountOnly || o.config.ListFlows || o.news < o.nextSettle || now-o.settledAt < int64(settlePause) {
		return
	}
	o.learner.wait()
	o.once.carry(o.table, false)
	in, local := o.input()
	over := o.table.Over(now, local)
	if o.settled == nil {
		o.settled = summarize.NewSettled()
	}
	taken := o.settled.Settle(&in, over, now-int64(readingGrace))
	o.table.Drop(over, taken)
	inUse := o.table.InUse()
	o.forget(inUse)
	o.datagrams.sockets = o.settled.SettlePorts(&in, inUse, now-int64(flowGrace))
	sockets, forgotten := summarize.Unsettled(in.Sockets, inUse, now-int64(flowGrace), now-int64(readingGrace))
	o.settled.Lose(&in, forgotten)
	o.sockets = sockets
	o.news, o.nextSettle, o.settledAt = 0, max(settleEach, o.table.Len()/settleShare), now
}

// now is a time that packets to come are hardly older than: that of the newest, or where there are none, what sockets tell.
func (o *owner) now() int64 { return max(o.last, o.heardAt-int64(settleLag)) }
