package summarize

import "apptap/pidmap"

// Wire is what the kernel counted of the packets of sockets on their way between them and their interfaces: the same packets
// that a capture sees, super-frames as one. It is a number of its own, beside the capture and the socket's counters.
type Wire struct {
	Flows                           int // whose packets were counted
	TxPackets, TxIPBytes, TxPayload uint64
	RxPackets, RxIPBytes, RxPayload uint64
}

// Add returns w + o.
func (w Wire) Add(o Wire) Wire {
	return Wire{
		w.Flows + o.Flows, w.TxPackets + o.TxPackets, w.TxIPBytes + o.TxIPBytes, w.TxPayload + o.TxPayload,
		w.RxPackets + o.RxPackets, w.RxIPBytes + o.RxIPBytes, w.RxPayload + o.RxPayload,
	}
}

// wire is a socket's Wire, on interfaces that were captured and on others.
type wire struct {
	known       bool
	here, there Wire
}

// wireOf sorts what was counted of a socket's packets by whether their interface was captured.
func wireOf(d *pidmap.Datagrams, captured interfaceNames) wire {
	w := wire{known: true, here: Wire{Flows: 1}}
	for _, i := range d.Each() {
		to := &w.there
		if captured.has(i.Name) {
			to = &w.here
		}
		*to = to.Add(Wire{0, i.TxPackets, i.TxIP, i.Tx, i.RxPackets, i.RxIP, i.Rx})
	}
	return w
}

// wire is what was counted of the packets of the socket, not known where some of them had passed before anybody counted.
func (l *socketLife) wire(captured interfaceNames) wire {
	if l.packets == nil || l.packets.Odd || l.hasStart || l.last.Foreign {
		return wire{}
	}
	return wireOf(l.packets, captured)
}
