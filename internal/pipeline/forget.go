package pipeline

import (
	"math"
	"time"

	"apptap/flows"
)

// forgetGrace is how long after its end a socket is still remembered at least: packets that linger in a reader, and those that
// follow a socket's end (TIME_WAIT is a minute on Linux), begin flows that are older than what the table holds.
const forgetGrace = 2 * time.Minute

// forget drops the owners that no flow can ask for any more, after flows were folded: their owners were asked for
// then. What is left in the table asks for times from its first packet on, so a flow that lives for days keeps what
// ended since it began. It costs a pass over the table, as folding does.
func (o *owner) forget(local flows.Local) {
	if o.config.Owners == nil {
		return
	}
	oldest := int64(math.MaxInt64)
	for f := range o.table.All(local) {
		oldest = min(oldest, f.First)
	}
	o.history.Forget(min(oldest, o.last-int64(forgetGrace)))
}
