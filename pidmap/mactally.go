package pidmap

import (
	"maps"
	"slices"

	"apptap/flows"
	"apptap/pidmap/ntstat"
)

// tally is what the kernel's statistics control counts of one flow: bytes of payload, what was sent or arrived again included.
type tally struct {
	provider ntstat.Provider
	since    int64         // when it began, or where that is not known was told of first, nanoseconds since 1970 UTC
	older    bool          // it was there when the control was asked for the first time
	first    ntstat.Counts // when it was told of first: what it moved before
	last     ntstat.Counts
	iface    uint32 // index of the interface that it used last, 0 = none yet
	counts   bool   // there are any
	final    bool   // last is of its end
	odd      bool   // what it counted cannot be held against its packets
}

// count takes in what a message says. The control counts from the flow's beginning, so of one that is older its first figures are
// no traffic of now.
func (t *tally) count(f *ntstat.Flow, final bool) {
	if !f.HasCounts {
		return
	}
	if !t.counts {
		t.first = f.Counts
	}
	moved := f.Counts != t.last
	if t.iface != 0 && f.Interface != 0 && f.Interface != t.iface && t.counts && t.last != (ntstat.Counts{}) && moved {
		t.odd = true // which interface had which bytes is not told
	}
	if f.Interface != 0 {
		t.iface = f.Interface
	}
	t.last, t.counts, t.final = f.Counts, true, t.final || final
}

// rekey notes that a UDP socket that had counted goes on from another port: no port's flows are all of it.
func (t *tally) rekey(old, key flows.Key) {
	if old != (flows.Key{}) && key.Proto == flows.UDP && old.Local.Port != key.Local.Port {
		t.odd = true
	}
}

// comparable says whether the figures are of TCP segments' and UDP datagrams' payload. What user space counts of QUIC is QUIC's.
func (t *tally) comparable() bool { return t.provider != ntstat.QUICUser }

// moved says whether any packet was counted.
func moved(c ntstat.Counts) bool { return c.RxPackets+c.TxPackets+c.RxBytes+c.TxBytes > 0 }

// baseline is what a TCP flow had counted before it was told of, for its first event. One that began since has none.
func (f *macFlows) baseline(t *toldFlow) Totals {
	if !t.counts || t.event.Socket.Key.Proto != flows.TCP || !t.older && !moved(t.first) {
		return Totals{}
	}
	return f.totals(t, t.first)
}

func (f *macFlows) totals(t *toldFlow, c ntstat.Counts) Totals {
	return Totals{Known: true, Payload: true, Sent: c.TxBytes, Retrans: uint64(c.TxRetransmitted),
		Received: c.RxBytes, Duplicate: uint64(c.RxDuplicate), Interface: f.nameOf(t.iface)}
}

// fill says in an event about t what it has counted, or that this is lost.
func (f *macFlows) fill(e *Event, t *toldFlow, lost bool) {
	switch e.NotBefore = 0; {
	case !t.comparable():
	case e.Socket.Key.Proto == flows.UDP:
		f.fillDatagrams(e, t, lost)
	case !e.Socket.Listening && lost:
		e.Totals = Totals{Lost: true}
	case !e.Socket.Listening && t.counts && !t.odd:
		e.Totals = f.totals(t, t.last)
	}
}

// fillDatagrams tells of a UDP flow what it moved since it was told of.
func (f *macFlows) fillDatagrams(e *Event, t *toldFlow, lost bool) {
	if !t.older {
		e.NotBefore = t.since
	}
	if lost {
		e.Datagrams = &Datagrams{Lost: true}
		return
	}
	c, before := t.last, t.first
	if !t.older {
		before = ntstat.Counts{}
	}
	if !moved(c) || c == before {
		return
	}
	tx, rx := c.TxBytes-min(c.TxBytes, before.TxBytes), c.RxBytes-min(c.RxBytes, before.RxBytes)
	arrived := c.RxPackets - min(c.RxPackets, before.RxPackets)
	e.Datagrams = &Datagrams{
		Interfaces: [...]InterfaceBytes{0: {Name: f.nameOf(t.iface), Tx: tx, Rx: rx}, 1: {}},
		Odd:        t.odd, Arrived: arrived, Taken: arrived, Sent: tx, Received: rx,
	}
}

// counted tells what the flows that are open have counted, and, unless something was lost or is not told of, that these are all.
func (f *macFlows) counted(dst []Event, now int64) []Event {
	for _, ref := range slices.Sorted(maps.Keys(f.told)) {
		t := f.told[ref]
		e := Event{Kind: SocketCounted, Time: t.seen, Method: MethodNtstat, Socket: t.event.Socket}
		if f.fill(&e, t, false); e.Totals.Known || e.Datagrams != nil {
			dst = append(dst, e)
		}
	}
	if f.lost > 0 || f.polling || f.refused[ntstat.UDPKernel] != nil || f.refused[ntstat.UDPUser] != nil {
		return dst
	}
	return append(dst, Event{Kind: SocketsCounted, Time: now, Method: MethodNtstat})
}

func (f *macFlows) nameOf(index uint32) string {
	if index == 0 || f.interfaceName == nil {
		return ""
	}
	name, ok := f.names[index]
	if !ok {
		if f.names == nil {
			f.names = map[uint32]string{}
		}
		name = f.interfaceName(index)
		f.names[index] = name
	}
	return name
}
