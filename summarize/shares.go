package summarize

import (
	"math/bits"

	"apptap/pidmap"
)

// addParts counts what each owner had of a flow, under him. The part that has the flow itself has what the kernel says of it too: the sums
// count both once.
func (y *sums) addParts(use *FlowUse) {
	for i := range use.Parts {
		part := &use.Parts[i]
		if !part.Owner.Known() {
			y.nobody.addPart(part)
			y.destinations.add(nobodysGroup, use, &part.Totals)
			continue
		}
		at := y.apps.indexOf(part.Owner.App.ID)
		g := &y.apps.list[at]
		g.count(&part.Owner.App, &part.Totals)
		g.methods.add(part.Owner.Method, part.Bytes())
		g.process(&part.Owner.Process, &part.Totals)
		if part.Flows > 0 {
			g.kernel(use.Kernel)
		}
		y.destinations.add(uint32(at)+1, use, &part.Totals)
	}
}

// missedOfFlow books what a flow missed to its owner, or to each of several in proportion to what he had: the users of one socket, of
// which nobody knows whose packets were lost.
func (y *sums) missedOfFlow(use *FlowUse) {
	if use.Missed == nil || len(use.Parts) == 0 {
		y.missed(appOf(use), use.Missed)
		return
	}
	tx, rx := make([]uint64, len(use.Parts)), make([]uint64, len(use.Parts))
	for i := range use.Parts {
		tx[i], rx[i] = use.Parts[i].TxPayload, use.Parts[i].RxPayload
	}
	parts := make([]Missed, len(use.Parts))
	parts[0].Flows, parts[0].Uncounted = use.Missed.Flows, use.Missed.Uncounted
	for _, side := range []struct {
		weights []uint64
		of      []func(*Missed) *uint64
	}{
		{tx, []func(*Missed) *uint64{func(m *Missed) *uint64 { return &m.TxPayload }, func(m *Missed) *uint64 { return &m.TxStream },
			func(m *Missed) *uint64 { return &m.TxPackets }, func(m *Missed) *uint64 { return &m.TxBytes }}},
		{rx, []func(*Missed) *uint64{func(m *Missed) *uint64 { return &m.RxPayload }, func(m *Missed) *uint64 { return &m.RxStream },
			func(m *Missed) *uint64 { return &m.RxPackets }, func(m *Missed) *uint64 { return &m.RxBytes }}},
	} {
		for _, of := range side.of {
			for i, part := range proportional(*of(use.Missed), side.weights) {
				*of(&parts[i]) = part
			}
		}
	}
	for i := range parts {
		if parts[i] != (Missed{}) {
			y.missed(appIDOf(&use.Parts[i].Owner), &parts[i])
		}
	}
}

// weights are what each of several owners counts for, field by field of Totals.
type weights struct{ txPackets, txBytes, txPayload, rxPackets, rxBytes, rxPayload []uint64 }

func newWeights(n int) *weights {
	all := make([]uint64, 6*n)
	field := func(i int) []uint64 { return all[i*n : (i+1)*n] }
	return &weights{field(0), field(1), field(2), field(3), field(4), field(5)}
}

// set makes packets that were counted the i-th weights, with a link header for each.
func (w *weights) set(i int, n *Wire, header uint64) {
	w.txPackets[i], w.txBytes[i], w.txPayload[i] = n.TxPackets, n.TxIPBytes+header*n.TxPackets, n.TxPayload
	w.rxPackets[i], w.rxBytes[i], w.rxPayload[i] = n.RxPackets, n.RxIPBytes+header*n.RxPackets, n.RxPayload
}

// weightsOf are what each moved: a direction in which nobody moved anything has its handshake and acknowledgements all the same.
func weightsOf(shares []pidmap.Share) *weights {
	w := newWeights(len(shares))
	for i, s := range shares {
		w.txPayload[i], w.rxPayload[i] = s.Tx, s.Rx
	}
	w.byPayload()
	return w
}

// byPayload makes payload the weight of packets and frames too, and in a direction that has none that of both.
func (w *weights) byPayload() {
	both := make([]uint64, len(w.txPayload))
	for i := range both {
		both[i] = w.txPayload[i] + w.rxPayload[i]
	}
	if sum(w.txPayload) == 0 {
		w.txPayload = both
	}
	if sum(w.rxPayload) == 0 {
		w.rxPayload = both
	}
	w.txPackets, w.txBytes, w.rxPackets, w.rxBytes = w.txPayload, w.txPayload, w.rxPayload, w.rxPayload
}

// divided divides t by weights; the parts sum to t, field by field. The first has the flows.
func divided(t *Totals, w *weights) []Totals {
	parts := make([]Totals, len(w.txPayload))
	parts[0].Flows = t.Flows
	field := func(n uint64, weights []uint64, of func(*Totals) *uint64) {
		for i, part := range proportional(n, weights) {
			*of(&parts[i]) = part
		}
	}
	field(t.TxPackets, w.txPackets, func(p *Totals) *uint64 { return &p.TxPackets })
	field(t.TxBytes, w.txBytes, func(p *Totals) *uint64 { return &p.TxBytes })
	field(t.TxPayload, w.txPayload, func(p *Totals) *uint64 { return &p.TxPayload })
	field(t.RxPackets, w.rxPackets, func(p *Totals) *uint64 { return &p.RxPackets })
	field(t.RxBytes, w.rxBytes, func(p *Totals) *uint64 { return &p.RxBytes })
	field(t.RxPayload, w.rxPayload, func(p *Totals) *uint64 { return &p.RxPayload })
	return parts
}

// proportional divides n by weights, rounded down; what is left goes to the first of the heaviest. Weights sum to less
// than 2^64.
func proportional(n uint64, weights []uint64) []uint64 {
	parts := make([]uint64, len(weights))
	total, heaviest, left := sum(weights), 0, n
	for i, w := range weights {
		if w > weights[heaviest] {
			heaviest = i
		}
		if total == 0 {
			continue
		}
		high, low := bits.Mul64(n, w)
		parts[i], _ = bits.Div64(high, low, total) // w <= total, so the quotient fits
		left -= parts[i]
	}
	parts[heaviest] += left
	return parts
}

func sum(weights []uint64) (total uint64) {
	for _, w := range weights {
		total += w
	}
	return total
}
