package summarize

import "apptap/pidmap"

// Where several apps had a port what was lost is the loss of those whose sockets counted more than was captured of their flows.

// portMissed is what one app missed of a use of a port.
type portMissed struct {
	app    string // its ID, "" for nobody's
	owner  *pidmap.App
	missed Missed
}

// shareSocket adds what was counted of a socket to its owner's share, and where several used it to theirs, in proportion.
func (u *portUse) shareSocket(in *Input, cookie uint64, counted *Wire) {
	if in.SocketOwner == nil {
		return
	}
	owner := in.SocketOwner(cookie)
	if len(owner.Shares) < 2 {
		s := portShare{app: appIDOf(&owner), kernel: *counted}
		if owner.Known() {
			s.socketOf = &owner.App
		}
		u.share(&s)
		return
	}
	w := weightsOf(owner.Shares)
	tx, rx := counted.divided(w.txPayload), counted.divided(w.rxPayload)
	for i := range owner.Shares {
		u.share(&portShare{app: owner.Shares[i].App.ID, socketOf: &owner.Shares[i].App, kernel: Wire{
			TxPackets: tx[i].TxPackets, TxIPBytes: tx[i].TxIPBytes, TxPayload: tx[i].TxPayload,
			RxPackets: rx[i].RxPackets, RxIPBytes: rx[i].RxIPBytes, RxPayload: rx[i].RxPayload,
		}})
	}
}

// missedPort books what a use of a port missed, to whom it is missed by.
func (y *sums) missedPort(list []portMissed) {
	for i := range list {
		m := &list[i]
		if m.app != "" && m.owner != nil {
			at := y.apps.indexOf(m.app)
			if g := &y.apps.list[at]; g.use.App.ID == "" {
				g.use.App = *m.owner
			}
		}
		y.missed(m.app, &m.missed)
	}
}

// missedOf is what an app missed, nil for nothing.
func (o *portOutcome) missedOf(app string) *Missed {
	for i := range o.missedBy {
		if o.missedBy[i].app == app {
			return &o.missedBy[i].missed
		}
	}
	return nil
}

// divided divides each field by the same weights.
func (w *Wire) divided(by []uint64) []Wire {
	parts := make([]Wire, len(by))
	for _, of := range []func(*Wire) *uint64{
		func(w *Wire) *uint64 { return &w.TxPackets }, func(w *Wire) *uint64 { return &w.TxIPBytes }, func(w *Wire) *uint64 { return &w.TxPayload },
		func(w *Wire) *uint64 { return &w.RxPackets }, func(w *Wire) *uint64 { return &w.RxIPBytes }, func(w *Wire) *uint64 { return &w.RxPayload },
	} {
		for i, part := range proportional(*of(w), by) {
			*of(&parts[i]) = part
		}
	}
	return parts
}

// missedBy divides what a use of a port missed among its apps. What no app is sure to have missed is nobody's.
func (u *portUse) missedBy(m *Missed, header uint64) []portMissed {
	if m == nil {
		return nil
	}
	if s := u.onlyShare(); s != nil {
		return []portMissed{{s.app, s.socketOf, *m}}
	}
	lacks := make([]portMissed, len(u.shares))
	var unowned Missed // captured, and any app's
	for i := range u.shares {
		s := &u.shares[i]
		l := &lacks[i].missed
		lacks[i].app, lacks[i].owner = s.app, s.socketOf
		l.TxPayload, l.RxPayload = s.kernel.TxPayload-min(s.kernel.TxPayload, s.tx), s.kernel.RxPayload-min(s.kernel.RxPayload, s.rx)
		l.frames(&s.kernel, s.captured, header)
		if s.app == "" {
			unowned = Missed{TxPayload: s.tx, RxPayload: s.rx, TxPackets: s.captured.tx.packets, RxPackets: s.captured.rx.packets,
				TxBytes: s.captured.tx.ip + header*s.captured.tx.packets, RxBytes: s.captured.rx.ip + header*s.captured.rx.packets}
		}
	}
	left := *m
	for _, of := range missedFields {
		var all uint64
		for i := range lacks {
			if l := of(&lacks[i].missed); lacks[i].app != "" {
				*l -= min(*l, *of(&unowned))
				all += *l
			}
		}
		for i := range lacks {
			if l := of(&lacks[i].missed); lacks[i].app == "" || all > *of(&left) {
				*l = 0
			}
		}
		if all <= *of(&left) {
			*of(&left) -= all
		}
	}
	kept := lacks[:0]
	for _, l := range lacks {
		if l.missed != (Missed{}) {
			kept = append(kept, l)
		}
	}
	if left.Flows > 0 && len(kept) > 0 { // one flow at most
		kept[0].missed.Flows, left.Flows = left.Flows, 0
	}
	if left != (Missed{}) {
		kept = append(kept, portMissed{missed: left})
	}
	return kept
}

// missedFields are those of what is missed of UDP.
var missedFields = []func(*Missed) *uint64{
	func(m *Missed) *uint64 { return &m.TxPayload }, func(m *Missed) *uint64 { return &m.RxPayload },
	func(m *Missed) *uint64 { return &m.TxPackets }, func(m *Missed) *uint64 { return &m.RxPackets },
	func(m *Missed) *uint64 { return &m.TxBytes }, func(m *Missed) *uint64 { return &m.RxBytes },
}

// onlyShare is the one share of a use that has one, or the largest where nothing is known of its sockets; nil if there are several.
func (u *portUse) onlyShare() *portShare {
	if len(u.shares) == 1 {
		return &u.shares[0]
	}
	for i := range u.shares {
		if u.shares[i].kernel != (Wire{}) {
			return nil
		}
	}
	return u.largest()
}
