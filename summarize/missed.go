package summarize

// Missed is what the kernel counted and the capture lost.
type Missed struct {
	Flows                int // of which not one packet was captured
	TxPayload, RxPayload uint64
	TxStream, RxStream   uint64
	// Frames at the link layer, as far as the kernel counts packets: those without a full socket (RST, TIME_WAIT) are in none of
	// these, so they are what was lost at least.
	TxPackets, TxBytes, RxPackets, RxBytes uint64
	// Uncounted are flows that lost something of which the kernel has payload alone.
	Uncounted int
}

// Add returns m + o.
func (m Missed) Add(o Missed) Missed {
	return Missed{
		m.Flows + o.Flows, m.TxPayload + o.TxPayload, m.RxPayload + o.RxPayload, m.TxStream + o.TxStream, m.RxStream + o.RxStream,
		m.TxPackets + o.TxPackets, m.TxBytes + o.TxBytes, m.RxPackets + o.RxPackets, m.RxBytes + o.RxBytes, m.Uncounted + o.Uncounted,
	}
}

// Bytes is the sum of both directions, frame layer.
func (m *Missed) Bytes() uint64 {
	if m == nil {
		return 0
	}
	return m.TxBytes + m.RxBytes
}

// Payload is the sum of both directions.
func (m *Missed) Payload() uint64 { return m.TxPayload + m.RxPayload }

// addTo adds m, which may be nil, to what sum points at.
func (m *Missed) addTo(sum **Missed) {
	switch {
	case m == nil:
		return
	case *sum == nil:
		*sum = new(Missed)
	}
	**sum = (*sum).Add(*m)
}

// frames adds the packets that w has and a capture has not, by their bytes from the IP header on and the link header of each.
func (m *Missed) frames(w *Wire, captured captured, header uint64) {
	m.TxPackets, m.TxBytes = captured.tx.lacks(w.TxPackets, w.TxIPBytes, header)
	m.RxPackets, m.RxBytes = captured.rx.lacks(w.RxPackets, w.RxIPBytes, header)
}

// captured are packets as they were captured, with their bytes from the IP header on.
type captured struct{ tx, rx packetSum }

type packetSum struct{ packets, ip uint64 }

func (p packetSum) add(o packetSum) packetSum { return packetSum{p.packets + o.packets, p.ip + o.ip} }

// lacks is how many of the kernel's packets, and of their frame bytes, are not among p. A fragmented datagram is several packets
// here and one there, so the one may be more and the other less.
func (p packetSum) lacks(packets, ip, header uint64) (missing, bytes uint64) {
	missing = packets - min(packets, p.packets)
	return missing, ip - min(ip, p.ip) + header*missing
}

// missed is what the flow lost of the bytes that causes name: see check.
func (e *evidence) missed(k *KernelUse, txLost, rxLost, rxAgain uint64) *Missed {
	f := e.flow
	if !e.dropped && txLost+rxLost+rxAgain == 0 {
		return nil
	}
	m := &Missed{
		TxPayload: txLost, TxStream: min(txLost, k.TxStream-min(k.TxStream, f.TxStream)),
		RxPayload: rxLost + rxAgain, RxStream: rxLost,
	}
	if e.life.joined {
		m.TxStream, m.RxStream = k.TxStream-min(k.TxStream, f.TxStream), k.RxStream-min(k.RxStream, f.RxStream)
	}
	if e.wire.known {
		m.frames(&e.wire.here, captured{packetSum{f.TxPackets, f.TxIPBytes}, packetSum{f.RxPackets, f.RxIPBytes}}, e.header(f.Interface))
	} else if m.Payload() > 0 {
		m.Uncounted = 1
	}
	if *m == (Missed{}) {
		return nil
	}
	return m
}
