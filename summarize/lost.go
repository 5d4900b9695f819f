package summarize

import (
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

// Where the capture lost packets it may have lost all of a flow. What the kernel counted of such a socket is booked to its
// owner all the same: as missed, beside nothing captured. Only sockets of which packets passed an interface that was captured
// count, and only without a filter, which takes whole flows too.

// lostSocket is a TCP socket that had packets on an interface that was captured, and of which none was.
type lostSocket struct {
	key         flows.Key
	first, last int64
	missed      Missed
}

// lostSocketsOf are those among sockets whose packets were counted and that no flow was paired with. Where flows were folded it is
// not known which sockets had one.
func lostSocketsOf(in *Input, readings []SocketCounters, paired map[lifeKey]bool) (lost []lostSocket) {
	c := circumstancesOf(in)
	if in.filtered() || in.Folded != nil {
		return nil
	}
	lives := livesOf(readings)
	for _, l := range lives {
		w := l.wire(c.captured)
		if !w.known || w.here.TxPackets+w.here.RxPackets == 0 || wiped(l.key) || paired[lifeKey{l.last.Cookie, l.key}] {
			continue
		}
		if l.since >= in.Window.Start && l.since < in.Window.End {
			lost = append(lost, lostSocketOf(l, &w.here, c.header(0)))
		}
	}
	return lost
}

// filtered says that there was a filter on any interface.
func (in *Input) filtered() bool {
	return in.Filter+in.Source.Filter != "" || slices.ContainsFunc(in.Interfaces, func(i InterfaceInput) bool { return i.Filter != "" })
}

func lostSocketOf(l *socketLife, w *Wire, header uint64) lostSocket {
	s := lostSocket{key: l.key, first: l.since, last: l.last.Time}
	s.missed = Missed{Flows: 1, TxPayload: w.TxPayload, RxPayload: w.RxPayload,
		TxStream: min(w.TxPayload, l.last.BytesSent-min(l.last.BytesSent, l.last.BytesRetrans)), RxStream: min(w.RxPayload, l.last.BytesReceived)}
	s.missed.frames(w, captured{}, header)
	return s
}

// lose books what was lost of flows as a whole, if anything was.
func (y *sums) lose(in *Input, paired map[lifeKey]bool) {
	if !circumstancesOf(in).dropped {
		return
	}
	for _, s := range append(y.lost, lostSocketsOf(in, in.Sockets, paired)...) {
		y.missedOf(in, s.key, s.first, s.last, &s.missed)
		y.audited.cause(Cause{CauseCaptureDrop, int64(s.missed.Payload())})
	}
}

// losePort books a use of a port that has sockets and no flow.
func (y *sums) losePort(in *Input, run *datagramRun, u *portUse) {
	c := u.sole
	if c == nil || u.kernel.odd || u.kernel.older {
		return
	}
	k := &u.kernel
	m := run.missed(u, k.tx-min(k.tx, k.otherTx), k.rx-min(k.rx, k.otherRx))
	if m == nil {
		return
	}
	if in.SocketOwner != nil {
		y.missedPort(u.missedBy(m, run.header(u.iface)))
	} else {
		y.missedOf(in, c.Key, max(c.Since, in.Window.Start), c.Until, m)
	}
	y.audited.cause(Cause{CauseCaptureDrop, int64(m.Payload())})
}

// missedOf books m to the owner of a socket.
func (y *sums) missedOf(in *Input, key flows.Key, first, last int64, m *Missed) {
	var owner pidmap.Attribution
	if in.Owner != nil {
		owner = in.Owner(key, flows.InitiatorUnknown, first, last)
	}
	if !owner.Known() {
		y.missed("", m)
		return
	}
	at := y.apps.indexOf(owner.App.ID)
	if g := &y.apps.list[at]; g.use.App.ID == "" {
		g.use.App = owner.App
	}
	y.missed(owner.App.ID, m)
}

// missed books m to an app, "" = to nobody.
func (y *sums) missed(app string, m *Missed) {
	if m == nil {
		return
	}
	m.addTo(&y.allMissed)
	if app == "" {
		m.addTo(&y.nobody.missed)
		return
	}
	m.addTo(&y.apps.at(app).use.Missed)
}
