package summarize

import (
	"cmp"
	"maps"
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

// UDP flows are held against the counters of their sockets by port: a socket without a peer has flows to many, several
// sockets may share a port, and one port serves many sockets one after another. All flows and sockets of a port whose times
// overlap, directly or through others, are one use of it; the kernel's sums over its sockets must be what was captured of its
// flows. Sums are all that is kept, so that neither the flows of a busy server nor the sockets of a busy client are.

// datagramSlack is how far a packet's time and that of its socket's making or end may differ: one is the capture's, the other
// the kernel's, and a packet may wait. Nanoseconds.
const datagramSlack = 100_000_000

// maxPortUses bounds the uses of ports that are kept apart; past it those of one port are one.
const maxPortUses = 1 << 16

// portUses are the uses of each local port that are not judged yet, in order of time.
type portUses struct {
	ports map[uint16][]portUse
	count int
}

// portUse is one use of a port.
type portUse struct {
	first, last int64 // of anything
	begin, end  int64 // of its flows
	tx, rx      uint64
	captured    captured
	iface       int // of one of its flows
	flows       int // whose own side the port is; on loopback a flow has another
	snapped     bool
	shares      []portShare
	kernel      datagramTotals
	sole        *DatagramCounters // the first of its sockets that was on a captured interface: who lost what if there are no flows
}

// portShare is what one app's flows had of a use, in bytes of payload, and what the kernel counted of its sockets on interfaces that
// were captured.
type portShare struct {
	app      string // its ID, "" for nobody's
	flows    int
	tx, rx   uint64
	captured captured
	kernel   Wire
	socketOf *pidmap.App // of an app that is known from its sockets
}

// ofPort says whether the flow is one of UDP that ends on a port of this host: not on one that it forwards.
func (u *FlowUse) ofPort() bool {
	return u.Flow.Key.Proto == flows.UDP && u.Flow.Locality != flows.LocalNeither && !u.translated()
}

// add takes in a flow, and says whether its verdict is to come from its port.
func (u *portUses) add(use *FlowUse) bool {
	f := &use.Flow
	if !use.ofPort() {
		return false
	}
	tx, rx := packetSum{f.TxPackets, f.TxIPBytes}, packetSum{f.RxPackets, f.RxIPBytes}
	own := portUseOf(f, f.TxPayload, f.RxPayload, captured{tx, rx})
	own.flows = 1
	own.shareOut(use)
	u.join(f.Key.Local.Port, own)
	if f.Locality == flows.LocalBoth {
		u.join(f.Key.Remote.Port, portUseOf(f, f.RxPayload, f.TxPayload, captured{rx, tx}))
	}
	return true
}

func portUseOf(f *flows.Flow, tx, rx uint64, packets captured) portUse {
	return portUse{
		first: f.First, last: f.Last, begin: f.First, end: f.Last, tx: tx, rx: rx, captured: packets, iface: f.Interface, snapped: f.Snapped,
	}
}

// shareOut gives each of the flow's owners its share.
func (u *portUse) shareOut(use *FlowUse) {
	for i := range use.Parts {
		p := &use.Parts[i]
		u.share(&portShare{app: appIDOf(&p.Owner), flows: p.Flows, tx: p.TxPayload, rx: p.RxPayload, captured: captured{
			packetSum{p.TxPackets, p.TxIPBytes}, packetSum{p.RxPackets, p.RxIPBytes},
		}})
	}
	if f := &use.Flow; len(use.Parts) == 0 {
		u.shares = []portShare{{app: appOf(use), flows: 1, tx: f.TxPayload, rx: f.RxPayload, captured: u.captured}}
	}
}

// socket takes in a socket.
func (u *portUses) socket(in *Input, c *DatagramCounters, captured interfaceNames) {
	if c.Foreign || c.Counted == nil || c.Key.Local.Port == 0 {
		return
	}
	t := datagramTotalsOf(c, captured)
	if t.tx+t.rx+t.unsent+t.group == 0 && !t.odd && !t.lost {
		return
	}
	first := c.Since - datagramSlack
	if c.Since == 0 {
		first = 0
	}
	use := portUse{first: first, last: c.Until + datagramSlack, kernel: t}
	if t.packets.TxPackets+t.packets.RxPackets > 0 {
		use.sole = c
		use.shareSocket(in, c.Cookie, &t.packets)
	}
	u.join(c.Key.Local.Port, use)
}

// join adds a use to those of the same port that it overlaps, which become one.
func (u *portUses) join(port uint16, use portUse) {
	if u.ports == nil {
		u.ports = map[uint16][]portUse{}
	}
	list := u.ports[port]
	if u.count >= maxPortUses && len(list) > 0 {
		use.first, use.last = min(use.first, list[0].first), max(use.last, list[len(list)-1].last)
	}
	from, _ := slices.BinarySearchFunc(list, use.first, func(e portUse, first int64) int { return cmp.Compare(e.last, first) })
	to := from
	for to < len(list) && list[to].first <= use.last {
		use.merge(&list[to])
		to++
	}
	u.count += 1 - (to - from)
	u.ports[port] = slices.Replace(list, from, to, use)
}

func (u *portUse) merge(o *portUse) {
	if o.end > 0 {
		if u.end == 0 {
			u.begin, u.end = o.begin, o.end
		}
		u.begin, u.end = min(u.begin, o.begin), max(u.end, o.end)
	}
	u.first, u.last = min(u.first, o.first), max(u.last, o.last)
	if u.end == o.end && o.end > 0 {
		u.iface = o.iface
	}
	u.captured.tx, u.captured.rx = u.captured.tx.add(o.captured.tx), u.captured.rx.add(o.captured.rx)
	u.tx, u.rx, u.flows, u.snapped = u.tx+o.tx, u.rx+o.rx, u.flows+o.flows, u.snapped || o.snapped
	for i := range o.shares {
		u.share(&o.shares[i])
	}
	u.kernel.add(&o.kernel)
	if u.sole == nil || o.sole != nil && o.sole.Since < u.sole.Since {
		u.sole = o.sole
	}
}

func (u *portUse) share(o *portShare) {
	i := slices.IndexFunc(u.shares, func(s portShare) bool { return s.app == o.app })
	if i < 0 {
		u.shares = append(u.shares, *o)
		return
	}
	s := &u.shares[i]
	s.flows, s.tx, s.rx = s.flows+o.flows, s.tx+o.tx, s.rx+o.rx
	s.captured.tx, s.captured.rx = s.captured.tx.add(o.captured.tx), s.captured.rx.add(o.captured.rx)
	s.kernel = s.kernel.Add(o.kernel)
	if s.socketOf == nil {
		s.socketOf = o.socketOf
	}
}

// largest is the share that a difference is booked on: that of the most bytes.
func (u *portUse) largest() *portShare {
	var most *portShare
	for i := range u.shares {
		s := &u.shares[i]
		if most == nil || s.tx+s.rx > most.tx+most.rx || s.tx+s.rx == most.tx+most.rx && s.app < most.app {
			most = s
		}
	}
	return most
}

// merge adds the uses in o, which must not be used any more.
func (u *portUses) merge(o *portUses) {
	for port, list := range o.ports {
		for i := range list {
			use := list[i]
			use.shares = slices.Clone(use.shares)
			u.join(port, use)
		}
	}
}

// of is the use of f's own port that f is part of.
func (u *portUses) of(f *flows.Flow) *portUse {
	list := u.ports[f.Key.Local.Port]
	i, _ := slices.BinarySearchFunc(list, f.First, func(e portUse, first int64) int { return cmp.Compare(e.last, first) })
	if i == len(list) {
		return nil
	}
	return &list[i]
}

// inOrder calls f with all uses by port and time.
func (u *portUses) inOrder(f func(*portUse)) {
	for _, port := range slices.Sorted(maps.Keys(u.ports)) {
		for i := range u.ports[port] {
			f(&u.ports[port][i])
		}
	}
}
