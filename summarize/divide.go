package summarize

import (
	"slices"

	"apptap/pidmap"
)

// Part is what one owner had of a flow that was divided, or what nobody is known to have had of it.
type Part struct {
	Owner pidmap.Attribution
	Totals
	TxIPBytes, RxIPBytes uint64 // as a Flow's
}

// divide finds the parts of use's flow where several had it. Several users of one socket have what they moved, in proportion. Sockets of
// several programs that had the 5-tuple one after another have what the kernel counted of each, if that is all that was captured, or else what
// was captured while each was there. Where neither can be told the owner stays ambiguous.
func (in *Input) divide(use *FlowUse) {
	use.Parts = nil
	switch o := &use.Owner; {
	case len(o.Shares) > 1:
		t := totalsOf(use)
		use.Parts = partsOf(divided(&t, weightsOf(o.Shares)), o)
		divideIP(use.Parts, use.Flow.TxIPBytes, use.Flow.RxIPBytes)
	case len(o.Turns) > 0 && !o.Known():
		if use.Parts = in.dividedByCounters(use); use.Parts == nil {
			use.Parts = in.dividedByTime(use)
		}
		use.ownedByLargest()
	}
}

// partsOf joins totals to the shares of an attribution.
func partsOf(totals []Totals, o *pidmap.Attribution) []Part {
	parts := make([]Part, len(totals))
	for i := range parts {
		parts[i].Owner = pidmap.Attribution{App: o.Shares[i].App, Process: o.Shares[i].Process, Method: o.Method, Foreign: o.Foreign}
		parts[i].Totals = totals[i]
	}
	return parts
}

// divideIP divides IP bytes among parts as their frames are.
func divideIP(parts []Part, txIP, rxIP uint64) {
	tx, rx := make([]uint64, len(parts)), make([]uint64, len(parts))
	for i := range parts {
		tx[i], rx[i] = parts[i].TxBytes, parts[i].RxBytes
	}
	tx, rx = proportional(txIP, tx), proportional(rxIP, rx)
	for i := range parts {
		parts[i].TxIPBytes, parts[i].RxIPBytes = tx[i], rx[i]
	}
}

// ownedByLargest gives the flow itself to the owner of most of it, if there are parts that somebody has.
func (use *FlowUse) ownedByLargest() {
	largest := -1
	for i := range use.Parts {
		if p := &use.Parts[i]; p.Owner.Known() && (largest < 0 || p.Bytes() > use.Parts[largest].Bytes()) {
			largest = i
		}
	}
	if largest < 0 {
		use.Parts = nil
		return
	}
	use.Parts[largest].Flows = 1
	use.Owner = use.Parts[largest].Owner
}

// dividedByCounters divides a flow by what the kernel counted of its sockets' packets, or where it counts none by what programs moved. It is right
// only if that is what was captured, and if they had no other flow.
func (in *Input) dividedByCounters(use *FlowUse) []Part {
	turns := use.Owner.Turns
	w := newWeights(len(turns))
	in.countTurns(turns)
	names, header := namesOf(in.Interfaces), uint64(0)
	if i := use.Flow.Interface; i >= 0 && i < len(in.Interfaces) {
		header = in.Interfaces[i].LinkHeader
	}
	counted := turns[0].Counted != nil
	for i := range turns {
		t := &turns[i]
		switch {
		case !t.Sole || (t.Counted != nil) != counted:
			return nil
		case !counted:
			w.set(i, &Wire{TxPayload: t.Tx, RxPayload: t.Rx}, 0)
		case t.Counted.Odd || t.Counted.Lost:
			return nil
		default:
			here := wireOf(t.Counted, names).here
			w.set(i, &here, header)
		}
	}
	f := &use.Flow
	if sum(w.txPayload) != f.TxPayload || sum(w.rxPayload) != f.RxPayload || sum(w.txPackets) > f.TxPackets || sum(w.rxPackets) > f.RxPackets {
		return nil
	}
	if !counted {
		w.byPayload()
	}
	shares := make([]pidmap.Share, len(turns))
	for i := range turns {
		shares[i] = turns[i].Share
	}
	t := totalsOf(use)
	totals := divided(&t, w)
	for i := range totals {
		totals[i].Flows = 0
	}
	parts := partsOf(totals, &pidmap.Attribution{Shares: shares, Method: pidmap.MethodEBPF})
	divideIP(parts, f.TxIPBytes, f.RxIPBytes)
	return parts
}

// countTurns adds what was counted of the packets of TCP sockets.
func (in *Input) countTurns(turns []pidmap.Turn) {
	for i := range in.Sockets {
		c := &in.Sockets[i]
		for k := range turns {
			if t := &turns[k]; c.Packets != nil && c.Cookie == t.Cookie && t.Cookie != 0 && (c.Moment == AtClose || c.Moment == AtCount) {
				t.Counted = c.Packets
			}
		}
	}
}

// dividedByTime asks for the owner of each piece of a flow. What came while the 5-tuple changed hands is that of the owner before and
// after, if they are one.
func (in *Input) dividedByTime(use *FlowUse) (parts []Part) {
	pieces := use.Flow.Pieces
	owners := make([]pidmap.Attribution, len(pieces))
	f := use.Flow
	for i := range pieces {
		if p := &pieces[i]; !p.Between {
			f.First, f.Last, f.Counts = p.First, p.Last, p.Counts
			in.ownerTo(&owners[i], &f)
		}
	}
	for i := range pieces {
		if !pieces[i].Between {
			continue
		}
		owners[i] = pidmap.Attribution{Reason: pidmap.ReasonAmbiguous, Candidates: use.Owner.Candidates}
		if i > 0 && i+1 < len(pieces) && owners[i-1].Known() && owners[i-1].App.ID == owners[i+1].App.ID {
			owners[i] = owners[i+1]
		}
	}
	for i := range pieces {
		t, from := Totals{Counts: pieces[i].Counts}, len(parts)
		if o := &owners[i]; len(o.Shares) > 1 {
			parts = append(parts, partsOf(divided(&t, weightsOf(o.Shares)), o)...)
		} else {
			parts = append(parts, Part{Owner: *o, Totals: t})
		}
		divideIP(parts[from:], pieces[i].TxIPBytes, pieces[i].RxIPBytes)
	}
	if in.contradicted(parts, use.Owner.Turns) {
		return nil
	}
	return parts
}

// contradicted says that more was captured of what an app sent than the kernel counted of its sockets: times or owners are not what they seem. What
// arrives may come after a socket's end.
func (in *Input) contradicted(parts []Part, turns []pidmap.Turn) bool {
	names := namesOf(in.Interfaces)
	return slices.ContainsFunc(turns, func(t pidmap.Turn) bool {
		var counted Wire
		for i := range turns {
			if o := &turns[i]; o.App.ID == t.App.ID {
				if o.Counted == nil || o.Open || o.Counted.Odd || o.Counted.Lost {
					return false
				}
				counted = counted.Add(wireOf(o.Counted, names).here)
			}
		}
		var sent uint64
		for i := range parts {
			if parts[i].Owner.Known() && parts[i].Owner.App.ID == t.App.ID {
				sent += parts[i].TxPayload
			}
		}
		return sent > counted.TxPayload
	})
}

// undecided says that more may become known of who had what of a flow: one of its sockets is still open.
func (use *FlowUse) undecided() bool {
	return slices.ContainsFunc(use.Owner.Turns, func(t pidmap.Turn) bool { return t.Open })
}
