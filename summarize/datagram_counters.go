package summarize

import (
	"apptap/flows"
	"apptap/pidmap"
)

// DatagramCounters is what the kernel counted of one UDP socket since tracing began, or the socket did.
type DatagramCounters struct {
	Key    flows.Key // local -> remote as the socket has it; Remote is zero without a peer
	Cookie uint64
	// Since is when the socket was made, 0 = before tracing began; Until when it ended or, if it is still Open, was read.
	// Nanoseconds since 1970 UTC.
	Since, Until int64
	Open         bool
	Peer         flows.Key // of a socket without a peer of its own that had only one; the zero Key for none or several
	Foreign      bool      // in another network namespace than apptap
	Counted      *pidmap.Datagrams
}

// datagramTotals are sums over sockets that used the same port, in bytes of payload.
type datagramTotals struct {
	sockets           int
	since, until      int64
	older, open, odd  bool   // of any: made before tracing began, open at the end, with counters that do not compare
	lost              bool   // of any: the last counters were
	tx, rx            uint64 // between the sockets and the interfaces
	otherTx, otherRx  uint64 // of which on interfaces that were not captured
	full, cut, unread uint64 // that arrived, and for which there was no room, that did not fit the reader's buffer, that nobody read
	group             uint64 // multicast and broadcast that arrived
	packets           Wire   // on interfaces that were captured; multicast and broadcast too
	unsent            uint64 // that programs handed over and that never became packets
}

// datagramTotalsOf sorts what one socket counted.
func datagramTotalsOf(c *DatagramCounters, captured interfaceNames) datagramTotals {
	d := c.Counted
	t := datagramTotals{
		sockets: 1, since: c.Since, until: c.Until, older: c.Since == 0, open: c.Open, odd: d.Odd, lost: d.Lost,
		tx: d.Tx(), rx: d.Rx(), full: d.DroppedBytes, group: d.Group,
	}
	w := wireOf(d, captured)
	t.packets, t.otherTx, t.otherRx = w.here, w.there.TxPayload, w.there.RxPayload
	if d.Sent > t.tx {
		t.unsent = d.Sent - t.tx
	}
	// What is still in the buffer of an open socket may be read yet.
	arrived := t.rx + t.group - min(t.rx+t.group, t.full)
	switch short := arrived - min(arrived, d.Received); {
	case d.Arrived > d.Dropped+d.Taken:
		t.unread = short
	default:
		t.cut = short
	}
	return t
}

func (t *datagramTotals) add(o *datagramTotals) {
	switch {
	case o.sockets == 0:
		return
	case t.sockets == 0:
		*t = *o
		return
	}
	t.sockets += o.sockets
	t.since, t.until = min(t.since, o.since), max(t.until, o.until)
	t.older, t.open, t.odd, t.lost = t.older || o.older, t.open || o.open, t.odd || o.odd, t.lost || o.lost
	t.tx, t.rx, t.otherTx, t.otherRx = t.tx+o.tx, t.rx+o.rx, t.otherTx+o.otherTx, t.otherRx+o.otherRx
	t.full, t.cut, t.unread = t.full+o.full, t.cut+o.cut, t.unread+o.unread
	t.group, t.unsent = t.group+o.group, t.unsent+o.unsent
	t.packets = t.packets.Add(o.packets)
}

// interfaceNames are those of the interfaces that were captured.
type interfaceNames map[string]bool

// namesOf is nil where one of them has no name or is that of all together: then any interface may have been captured.
func namesOf(interfaces []InterfaceInput) interfaceNames {
	names := make(interfaceNames, len(interfaces))
	for _, i := range interfaces {
		if i.Name == "" || i.Name == "any" {
			return nil
		}
		names[i.Name] = true
	}
	return names
}

// has says whether an interface was, or may have been, captured.
func (n interfaceNames) has(name string) bool { return len(n) == 0 || n[name] }
