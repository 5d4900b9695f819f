package summarize

import "apptap/pidmap"

// appGroup collects the flows of one app.
type appGroup struct {
	use       AppUse
	methods   methodTally
	processes groups[pidmap.ProcessKey, ProcessUse]
	others    OtherProcesses
}

// maxProcesses bounds the processes of an app that are kept apart, at about half a kilobyte each: past it the smaller half is
// added up. A shell script starts more in a day.
const maxProcesses = 1 << 13

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
	if len(g.processes.list) >= maxProcesses && !g.processes.has(process.Key) {
		g.halveProcesses()
	}
	p := g.processes.at(process.Key)
	if p.Flows == 0 {
		p.Process = *process
	}
	p.Totals.add(t)
}

func (g *appGroup) halveProcesses() {
	list := g.processes.list
	sortProcesses(list)
	g.processes = groups[pidmap.ProcessKey, ProcessUse]{}
	for i := range list {
		if i < len(list)/2 {
			*g.processes.at(list[i].Process.Key) = list[i]
			continue
		}
		g.others.Processes++
		g.others.Totals.add(&list[i].Totals)
	}
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
	g.others.Processes += o.others.Processes
	g.others.Totals.add(&o.others.Totals)
	g.kernel(o.use.Kernel)
	o.use.Missed.addTo(&g.use.Missed)
}

func (g *appGroup) result() AppUse {
	use := g.use
	use.Methods = g.methods.byName()
	use.Processes = g.processes.list
	sortProcesses(use.Processes)
	use.OtherProcesses = g.others
	return use
}

// unattributedGroup collects the flows that have no owner.
type unattributedGroup struct {
	totals  Totals
	reasons reasonTally
	missed  *Missed
	hosts   hostTable
}

func (g *unattributedGroup) add(use *FlowUse, t *Totals) {
	g.totals.add(t)
	g.reasons.add(use.Owner.Reason, t.Bytes())
	if use.Owner.Reason == pidmap.ReasonNoOwnerInFile {
		g.hosts.add(use.Flow.Key.LocalAddr().Addr(), t)
	}
}

// addPart counts what nobody is known to have had of a flow.
func (g *unattributedGroup) addPart(p *Part) {
	g.totals.add(&p.Totals)
	g.reasons.add(p.Owner.Reason, p.Bytes())
}

func (g *unattributedGroup) merge(o *unattributedGroup) {
	g.totals.add(&o.totals)
	g.reasons.merge(o.reasons)
	o.missed.addTo(&g.missed)
	g.hosts.merge(&o.hosts)
}

func (g *unattributedGroup) result() Unattributed {
	return Unattributed{
		Totals: g.totals, Reasons: g.reasons.byName(), Missed: g.missed,
		Hosts: g.hosts.list(), OtherHosts: g.hosts.others,
	}
}
