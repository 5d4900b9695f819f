package summarize

import (
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

// judgePorts adds the sockets and books what comes of each use of a port. Flows that are listed have their verdicts from
// what it returns.
func (y *sums) judgePorts(in *Input) map[*portUse]portOutcome {
	y.ports.sockets(in, in.Datagrams, namesOf(in.Interfaces))
	run := datagramRunOf(in)
	outcomes := make(map[*portUse]portOutcome, y.ports.count)
	y.ports.inOrder(func(u *portUse) {
		if u.flows == 0 {
			if u.end == 0 { // else it is the far end of loopback flows, which have what was lost
				y.losePort(in, &run, u)
			}
			return
		}
		o := run.judge(u)
		outcomes[u] = o
		y.book(u, &o)
	})
	return outcomes
}

// sockets takes in sockets. One that was read while it was open and ended after all counts once.
func (u *portUses) sockets(in *Input, list []DatagramCounters, captured interfaceNames) {
	ended := map[uint64]bool{}
	for i := range list {
		ended[list[i].Cookie] = ended[list[i].Cookie] || !list[i].Open
	}
	for i := range list {
		if c := &list[i]; !c.Open || !ended[c.Cookie] {
			u.socket(in, c, captured)
		}
	}
}

// book counts the flows of a use by what came of them, and says it of their apps. What differs is the largest app's.
func (y *sums) book(u *portUse, o *portOutcome) {
	y.audited.addPort(u, o)
	if o.verdict == VerdictUnavailable {
		return
	}
	largest := u.largest()
	for i := range u.shares {
		s := &u.shares[i]
		if s.app == "" || s.captured == (captured{}) { // of sockets alone
			continue
		}
		k := s.kernelUse(o)
		o.difference(k, s.app, largest.app)
		y.apps.at(s.app).kernel(k)
	}
	y.missedPort(o.missedBy)
}

// kernelUse is what the kernel says of flows if it is what was captured of them.
func (s *portShare) kernelUse(o *portOutcome) *KernelUse {
	k := &KernelUse{TxPayload: s.tx, RxPayload: s.rx, RxPayloadKnown: true, FlowsChecked: s.flows}
	if o.verdict == VerdictExact {
		k.FlowsExact = s.flows
	}
	return k
}

// difference adds to k, an app's, what the kernel counted more or less of it: what it missed, and all else if it is the largest.
func (o *portOutcome) difference(k *KernelUse, app, largest string) {
	tx, rx := o.tx, o.rx
	if app == largest {
		k.UnexplainedBytes += o.unexplained
		for i := range o.missedBy {
			if m := &o.missedBy[i]; m.app != app {
				tx, rx = tx-int64(m.missed.TxPayload), rx-int64(m.missed.RxPayload)
			}
		}
	} else if tx, rx = 0, 0; o.missedOf(app) != nil {
		m := o.missedOf(app)
		tx, rx = int64(m.TxPayload), int64(m.RxPayload)
	}
	k.TxPayload, k.RxPayload = shifted(k.TxPayload, tx), shifted(k.RxPayload, rx)
}

// shifted is n + d, at least 0.
func shifted(n uint64, d int64) uint64 {
	if d < 0 {
		return n - min(n, magnitude(d))
	}
	return n + uint64(d)
}

func (y *auditSum) addPort(u *portUse, o *portOutcome) {
	a := &y.audit
	switch o.verdict {
	case VerdictExact:
		a.Exact += u.flows
	case VerdictExplained:
		a.Explained += u.flows
	case VerdictUnexplained:
		a.Unexplained += u.flows
	default:
		a.Unavailable += u.flows
		y.miss(Unchecked{flows.UDP, o.unavailable, u.flows})
		return
	}
	a.Checked += u.flows
	a.UnexplainedBytes += o.unexplained
	for _, c := range o.causes {
		y.cause(c)
	}
}

// tell writes the outcomes into the flows of ports, the largest first. A difference stands at the largest flow of the app that
// it was booked on.
func (y *sums) tell(uses []FlowUse, outcomes map[*portUse]portOutcome) {
	type appUse struct {
		u   *portUse
		app string
	}
	told := map[appUse]bool{}
	for i := range uses {
		use := &uses[i]
		if !use.ofPort() {
			continue
		}
		u := y.ports.of(&use.Flow)
		o, ok := outcomes[u]
		if !ok {
			continue
		}
		use.Verdict, use.Unavailable = o.verdict, o.unavailable
		if o.verdict == VerdictUnavailable {
			continue
		}
		own := portShare{flows: 1, tx: use.Flow.TxPayload, rx: use.Flow.RxPayload}
		use.Kernel = own.kernelUse(&o)
		largest := u.largest().app
		for _, app := range use.appIDs() {
			if told[appUse{u, app}] {
				continue
			}
			told[appUse{u, app}] = true
			o.difference(use.Kernel, app, largest)
			if app == largest {
				use.Causes = slices.Clone(o.causes)
			}
			o.missedOf(app).addTo(&use.Missed)
		}
	}
}

// appIDs are the IDs of the apps that a flow is counted under, "" for none.
func (u *FlowUse) appIDs() (ids []string) {
	for i := range u.Parts {
		if id := appIDOf(&u.Parts[i].Owner); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		ids = []string{appOf(u)}
	}
	return ids
}

// appOf is the ID of the app that a flow is counted under, "" for none.
func appOf(use *FlowUse) string { return appIDOf(&use.Owner) }

// appIDOf is the ID of an owner's app, "" for none.
func appIDOf(owner *pidmap.Attribution) string {
	if !owner.Known() {
		return ""
	}
	return owner.App.ID
}

// SettlePorts takes in the sockets that have ended, and counts the uses of ports that are over and came out exact: none of
// whose flows are in the table any more, and that ended before. The others wait for a Build that knows all circumstances. It
// returns the sockets that are left.
func (y *Folded) SettlePorts(in *Input, inUse *flows.InUse, before int64) []DatagramCounters {
	captured := namesOf(in.Interfaces)
	left := keep(in.Datagrams, func(c DatagramCounters) bool { return c.Open })
	for i := range in.Datagrams {
		if c := &in.Datagrams[i]; !c.Open {
			y.sums.ports.socket(in, c, captured)
		}
	}
	run := datagramRunOf(in)
	run.counted = true
	for port, list := range y.sums.ports.ports {
		if inUse.Port(flows.UDP, port) {
			continue
		}
		kept := list[:0]
		for i := range list {
			if u := &list[i]; u.last >= before || !y.sums.settlePort(&run, u) {
				kept = append(kept, *u)
			}
		}
		clear(list[len(kept):])
		y.sums.ports.count -= len(list) - len(kept)
		if y.sums.ports.ports[port] = kept; len(kept) == 0 {
			delete(y.sums.ports.ports, port)
		}
	}
	return left
}

// settlePort counts a use that came out exact.
func (y *sums) settlePort(run *datagramRun, u *portUse) bool {
	o := run.judge(u)
	if o.verdict != VerdictExact {
		return false
	}
	if u.flows > 0 {
		y.book(u, &o)
	}
	return true
}
