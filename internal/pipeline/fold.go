package pipeline

import (
	"fmt"

	"apptap/flows"
	"apptap/summarize"
)

// foldShare is the share of the flows that are folded at a time: each time costs a pass over all of them.
const foldShare = 8

// fold keeps the table to its bound: the flows that have been idle longest are added up by owner and destination.
// Their owners are asked for now, and whose addresses are this host's is settled the first time.
func (o *owner) fold() {
	if o.config.MaxFlows <= 0 || o.table.Len() <= o.config.MaxFlows {
		return
	}
	o.learner.wait()
	if o.folded == nil {
		o.folded = summarize.NewFolded()
		o.settleLocal()
	}
	in, local := o.input()
	o.table.Fold(o.config.MaxFlows-o.config.MaxFlows/foldShare, local, func(f *flows.Flow) {
		o.folded.Add(&in, f)
		o.stated.forget(f)
	})
	o.forget(nil)
}

// settleLocal fixes what a file has said until now of the host that captured: flows that were folded cannot be
// turned round any more.
func (o *owner) settleLocal() {
	if o.config.LocalAddrs == nil && o.config.Source.LocalFrom == "" {
		o.config.Source.Local, o.config.Source.LocalFrom = o.localAddrs()
	}
}

// foldedSentence is what the report says of folded flows.
func (o *owner) foldedSentence() string {
	return fmt.Sprintf("there were more than %d flows at a time: of the idlest %d are in every sum, but not listed or compared "+
		"with the kernel; --max-flows N keeps more, at about 250 bytes each", o.config.MaxFlows, o.folded.Flows())
}
