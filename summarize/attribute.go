package summarize

import (
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

// attribute gives every flow its owner and returns them in the order of the report.
func attribute(in *Input) []FlowUse {
	if len(in.Flows) == 0 {
		return nil
	}
	// A FlowUse is nearly a kilobyte: sorting pointers first leaves the second sort next to nothing to move,
	// only equal flows of which one was turned round.
	sorted := make([]*flows.Flow, len(in.Flows))
	for i := range in.Flows {
		sorted[i] = &in.Flows[i]
	}
	slices.SortFunc(sorted, compareFlows)
	uses := make([]FlowUse, len(sorted))
	for i, f := range sorted {
		uses[i] = in.attributed(f)
	}
	slices.SortFunc(uses, func(a, b FlowUse) int { return compareFlows(&a.Flow, &b.Flow) })
	return uses
}

// attributed is a flow with its owner.
func (in *Input) attributed(f *flows.Flow) FlowUse {
	use := FlowUse{Flow: *f}
	in.attributeTo(&use)
	return use
}

// attributeTo finds the owner of use's flow, whatever use said of another. Where both sides are on this host its bytes belong to the side
// that opened it, and the other side is its peer; an unknown opener leaves them to a known peer, and
// the flow is then shown as that one has it.
func (in *Input) attributeTo(use *FlowUse) {
	f := &use.Flow
	use.Interface = ""
	if use.Peer.Known() || use.Peer.Reason != "" {
		use.Peer = pidmap.Attribution{}
	}
	if f.Interface >= 0 && f.Interface < len(in.Interfaces) {
		use.Interface = in.Interfaces[f.Interface].Name
	}
	in.ownerTo(&use.Owner, f)
	in.divide(use)
	transit := f.Locality == flows.LocalNeither && in.Owner != nil && !use.Owner.Known()
	if f.Locality != flows.LocalBoth && !transit {
		return
	}
	turned := reversed(*f)
	if transit {
		in.transitTo(use, &turned)
		return
	}
	in.ownerTo(&use.Peer, &turned)
	if !use.Owner.Known() && use.Peer.Known() {
		use.Flow = turned
		use.Owner, use.Peer = use.Peer, use.Owner
		in.divide(use)
	}
}

// transitTo finds the owner of a flow between others of which the far side, as it was captured, may be a socket in
// another network namespace of this machine, a container that was called, or a group that a process of the file listened to.
func (in *Input) transitTo(use *FlowUse, turned *flows.Flow) {
	var owner pidmap.Attribution
	if in.ownerTo(&owner, turned); owner.Known() {
		use.Flow, use.Owner = *turned, owner
		in.divide(use)
	}
}

// ownerTo asks who owned the local side of f.
func (in *Input) ownerTo(owner *pidmap.Attribution, f *flows.Flow) {
	switch {
	case in.Owner != nil:
		*owner = in.Owner(f.Key, f.Initiator, f.First, f.Last)
	case in.Live:
		owner.Reason = pidmap.ReasonNoSocketSeen
	default:
		owner.Reason = pidmap.ReasonNoOwnerInFile
	}
	if f.Locality == flows.LocalNeither && !in.ownsTransit(owner) {
		*owner = pidmap.Attribution{Reason: pidmap.ReasonForwarded}
	}
}

// ownsTransit judges the owner of a flow with neither address on this host. Live, a socket that seems to own
// it does not: Key.Local is another host's, and a socket bound to all addresses would match its port. One of another
// network namespace does, that of a container perhaps: it has the very addresses. A file may know the owner all the
// same, packet by packet.
func (in *Input) ownsTransit(owner *pidmap.Attribution) bool {
	if owner.Foreign {
		return true
	}
	return !in.Live && (owner.Known() || owner.Reason == pidmap.ReasonNoOwnerInFile)
}

// reversed is f as its other side has it. The handshake's round trips have no direction.
func reversed(f flows.Flow) flows.Flow {
	f.Key = f.Key.Reverse()
	f.Counts = f.Counts.Reverse()
	switch f.Initiator {
	case flows.InitiatorLocal:
		f.Initiator = flows.InitiatorRemote
	case flows.InitiatorRemote:
		f.Initiator = flows.InitiatorLocal
	}
	f.TxIPBytes, f.RxIPBytes = f.RxIPBytes, f.TxIPBytes
	f.TxStream, f.RxStream = f.RxStream, f.TxStream
	f.TxRetransmits, f.RxRetransmits = f.RxRetransmits, f.TxRetransmits
	f.TxSawSYN, f.RxSawSYN = f.RxSawSYN, f.TxSawSYN
	f.TxSawFIN, f.RxSawFIN = f.RxSawFIN, f.TxSawFIN
	f.TxSawRST, f.RxSawRST = f.RxSawRST, f.TxSawRST
	f.TxUnreachable, f.RxUnreachable = f.RxUnreachable, f.TxUnreachable
	f.TxGap, f.RxGap = f.RxGap, f.TxGap
	f.Timing = f.Timing.Reverse()
	f.Pieces = slices.Clone(f.Pieces)
	for i := range f.Pieces {
		p := &f.Pieces[i]
		p.Counts, p.TxIPBytes, p.RxIPBytes = p.Counts.Reverse(), p.RxIPBytes, p.TxIPBytes
	}
	return f
}
