package summarize

import "apptap/pidmap"

// appGroup collects the flows of one app.
type appGroup struct {
	use       AppUse
	methods   methodTally
	processes groups[pidmap.ProcessKey, ProcessUse]
}

// add counts a flow. The first one, which has the most bytes where flows are listed, says how the app and each
// process are described.
func (g *appGroup) add(use *FlowUse, t *Totals) {
	g.count(&use.Owner.App, t)
	g.methods.add(use.Owner.Method, t.Bytes())
	g.process(&use.Owner.Process, t)
	g.kernel(use.Kernel)
}

func (g *appGroup) count(app *pidmap.App, t *Totals) {
	if g.use.Flows == 0 {
		g.use.App = *app
	}
	g.use.Totals.add(t)
}

func (g *appGroup) process(process *pidmap.Process, t *Totals) {
	p := g.processes.at(process.Key)
	if p.Flows == 0 {
		p.Process = *process
	}
	p.Totals.add(t)
}

func (g *appGroup) kernel(k *KernelUse) {
	switch {
	case k == nil:
	case g.use.Kernel == nil:
		g.use.Kernel = new(KernelUse)
		*g.use.Kernel = *k
	default:
		*g.use.Kernel = g.use.Kernel.Add(*k)
	}
}

func (g *appGroup) merge(o *appGroup) {
	g.count(&o.use.App, &o.use.Totals)
	g.methods.merge(o.methods)
	for i := range o.processes.list {
		g.process(&o.processes.list[i].Process, &o.processes.list[i].Totals)
	}
	g.kernel(o.use.Kernel)
}

func (g *appGroup) result() AppUse {
	use := g.use
	use.Methods = g.methods.byName()
	use.Processes = g.processes.list
	sortProcesses(use.Processes)
	return use
}

// unattributedGroup collects the flows that have no owner.
type unattributedGroup struct {
	totals  Totals
	reasons reasonTally
}

func (g *unattributedGroup) add(use *FlowUse, t *Totals) {
	g.totals.add(t)
	g.reasons.add(use.Owner.Reason, t.Bytes())
}

func (g *unattributedGroup) merge(o *unattributedGroup) {
	g.totals.add(&o.totals)
	g.reasons.merge(o.reasons)
}

func (g *unattributedGroup) result() Unattributed {
	return Unattributed{Totals: g.totals, Reasons: g.reasons.byName()}
}
