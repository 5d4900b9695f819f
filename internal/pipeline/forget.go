package pipeline

import (
	"time"

	"apptap/flows"
)

// forgetGrace is how long after its end a socket is still remembered at least: packets that linger in a reader, and those that
// follow a socket's end (TIME_WAIT is a minute on Linux), begin flows that are older than what the table holds.
const forgetGrace = 65 * time.Second

// forget drops the owners that no flow can ask for any more, after flows were taken out of the table: their owners were
// asked for then. inUse is what is left in the table, nil if nobody has looked: that is a pass over it. Another goes over the owners.
func (o *owner) forget(inUse *flows.InUse) {
	if o.config.Owners == nil {
		return
	}
	if inUse == nil {
		inUse = o.table.InUse()
	}
	before := o.now() - int64(forgetGrace)
	o.history.Forget(before, inUse)
	o.table.ForgetHandOvers(before)
}
