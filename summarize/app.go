package summarize

import "apptap/pidmap"

// appGroup collects the flows of one app.
type appGroup struct {
	use          AppUse
	processes    groups[pidmap.ProcessKey, ProcessUse]
	destinations destinations
}

// add counts a flow. The first one, which has the most bytes, says how the app and each process are described.
func (g *appGroup) add(use *FlowUse) {
	if g.use.Flows == 0 {
		g.use.App = use.Owner.App
		g.use.Methods = make(map[pidmap.Method]uint64)
	}
	t := totalsOf(use)
	g.use.Totals = g.use.Totals.Add(t)
	g.use.Methods[use.Owner.Method] += t.Bytes()
	p := g.processes.at(use.Owner.Process.Key)
	if p.Flows == 0 {
		p.Process = use.Owner.Process
	}
	p.Totals = p.Totals.Add(t)
	g.destinations.add(use)
	if use.Kernel == nil {
		return
	}
	if g.use.Kernel == nil {
		g.use.Kernel = new(KernelUse)
		*g.use.Kernel = *use.Kernel
		return
	}
	*g.use.Kernel = g.use.Kernel.Add(*use.Kernel)
}

func (g *appGroup) result() AppUse {
	g.use.Processes = g.processes.list
	sortProcesses(g.use.Processes)
	g.use.Destinations = g.destinations.result()
	return g.use
}

// unattributedGroup collects the flows that have no owner.
type unattributedGroup struct {
	use          Unattributed
	destinations destinations
}

func (g *unattributedGroup) add(use *FlowUse) {
	if g.use.Reasons == nil {
		g.use.Reasons = make(map[pidmap.Reason]uint64)
	}
	t := totalsOf(use)
	g.use.Totals = g.use.Totals.Add(t)
	g.use.Reasons[use.Owner.Reason] += t.Bytes()
	g.destinations.add(use)
}

func (g *unattributedGroup) result() Unattributed {
	g.use.Destinations = g.destinations.result()
	return g.use
}
