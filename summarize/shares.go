package summarize

import (
	"math/bits"

	"apptap/pidmap"
)

// addShares counts a flow under each of its owners, in proportion to what they moved. The first, which moved most, has the
// flow itself and what the kernel says of it: the sums count both once.
func (y *sums) addShares(use *FlowUse, t *Totals) {
	shares := use.Owner.Shares
	for i, part := range divided(t, shares) {
		at := y.apps.indexOf(shares[i].App.ID)
		g := &y.apps.list[at]
		g.count(&shares[i].App, &part)
		g.methods.add(use.Owner.Method, part.Bytes())
		g.process(&shares[i].Process, &part)
		if i == 0 {
			g.kernel(use.Kernel)
		}
		y.destinations.add(uint32(at)+1, use, &part)
	}
}

// divided divides t by shares; the parts sum to t, field by field.
func divided(t *Totals, shares []pidmap.Share) []Totals {
	tx, rx, both := make([]uint64, len(shares)), make([]uint64, len(shares)), make([]uint64, len(shares))
	for i, s := range shares {
		tx[i], rx[i], both[i] = s.Tx, s.Rx, s.Tx+s.Rx
	}
	// A direction in which nobody moved anything has its handshake and acknowledgements all the same.
	if sum(tx) == 0 {
		tx = both
	}
	if sum(rx) == 0 {
		rx = both
	}
	parts := make([]Totals, len(shares))
	parts[0].Flows = t.Flows
	field := func(n uint64, weights []uint64, of func(*Totals) *uint64) {
		for i, part := range proportional(n, weights) {
			*of(&parts[i]) = part
		}
	}
	field(t.TxPackets, tx, func(p *Totals) *uint64 { return &p.TxPackets })
	field(t.TxBytes, tx, func(p *Totals) *uint64 { return &p.TxBytes })
	field(t.TxPayload, tx, func(p *Totals) *uint64 { return &p.TxPayload })
	field(t.RxPackets, rx, func(p *Totals) *uint64 { return &p.RxPackets })
	field(t.RxBytes, rx, func(p *Totals) *uint64 { return &p.RxBytes })
	field(t.RxPayload, rx, func(p *Totals) *uint64 { return &p.RxPayload })
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
