package summarize

import (
	"cmp"
	"slices"

	"apptap/flows"
)

// Every list of a Summary is in an order that leaves nothing to chance: bytes (largest first), name, key, and where these
// can be equal whatever else tells two entries apart.

// compareFlows: bytes, first packet, key. Two lives of a 5-tuple can share even these.
func compareFlows(a, b *flows.Flow) int {
	if c := cmp.Or(cmp.Compare(b.Bytes(), a.Bytes()), cmp.Compare(a.First, b.First)); c != 0 {
		return c
	}
	if c := a.Key.Compare(b.Key); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(a.Last, b.Last), cmp.Compare(a.Interface, b.Interface),
		compareCounts(a.Counts, b.Counts),
		cmp.Compare(a.TxIPBytes, b.TxIPBytes), cmp.Compare(a.RxIPBytes, b.RxIPBytes),
		cmp.Compare(a.TxStream, b.TxStream), cmp.Compare(a.RxStream, b.RxStream),
		cmp.Compare(a.TxRetransmits, b.TxRetransmits), cmp.Compare(a.RxRetransmits, b.RxRetransmits),
		cmp.Compare(a.SYNRTT, b.SYNRTT), cmp.Compare(a.Connect, b.Connect), cmp.Compare(a.ACKRTT, b.ACKRTT),
		cmp.Compare(a.TxGap, b.TxGap), cmp.Compare(a.RxGap, b.RxGap),
		cmp.Compare(a.Initiator, b.Initiator), cmp.Compare(a.Locality, b.Locality), cmp.Compare(a.End, b.End),
		cmp.Compare(flagsOf(a), flagsOf(b)), compareNames(&a.Names, &b.Names), a.Timing.Compare(b.Timing),
		slices.CompareFunc(a.Pieces, b.Pieces, comparePieces),
	)
}

func comparePieces(a, b flows.Piece) int {
	return cmp.Or(
		cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last), compareCounts(a.Counts, b.Counts),
		cmp.Compare(a.TxIPBytes, b.TxIPBytes), cmp.Compare(a.RxIPBytes, b.RxIPBytes), compareBool(a.Between, b.Between),
	)
}

func compareNames(a, b *flows.Names) int {
	return cmp.Or(
		cmp.Compare(a.TLS, b.TLS), cmp.Compare(a.QUIC, b.QUIC), cmp.Compare(a.HTTP, b.HTTP), cmp.Compare(a.DNS, b.DNS),
		cmp.Compare(a.ALPN, b.ALPN), compareBool(a.ECH, b.ECH), compareBool(a.Outer, b.Outer), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Authorities, b.Authorities),
	)
}

func compareCounts(a, b flows.Counts) int {
	return cmp.Or(
		cmp.Compare(a.TxBytes, b.TxBytes), cmp.Compare(a.RxBytes, b.RxBytes),
		cmp.Compare(a.TxPackets, b.TxPackets), cmp.Compare(a.RxPackets, b.RxPackets),
		cmp.Compare(a.TxPayload, b.TxPayload), cmp.Compare(a.RxPayload, b.RxPayload),
	)
}

// flagsOf packs what a flow saw into a number, for comparing.
func flagsOf(f *flows.Flow) (flags uint16) {
	for i, set := range [...]bool{f.TxSawSYN, f.RxSawSYN, f.TxSawFIN, f.RxSawFIN, f.TxSawRST, f.RxSawRST, f.Snapped, f.TxUnreachable, f.RxUnreachable} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}

func compareApps(a, b AppUse) int {
	return cmp.Or(
		cmp.Compare(b.Bytes(), a.Bytes()), cmp.Compare(a.App.Name, b.App.Name), cmp.Compare(a.App.ID, b.App.ID),
	)
}

func sortProcesses(list []ProcessUse) {
	slices.SortFunc(list, func(a, b ProcessUse) int {
		return cmp.Or(
			cmp.Compare(b.Bytes(), a.Bytes()), cmp.Compare(a.Process.Name, b.Process.Name),
			a.Process.Key.Compare(b.Process.Key),
		)
	})
}

func compareDestinations(a, b Destination) int {
	return cmp.Or(
		cmp.Compare(b.Bytes(), a.Bytes()), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Proto, b.Proto),
		cmp.Compare(a.Port, b.Port), compareBool(a.Inbound, b.Inbound),
		cmp.Compare(a.PeerApp, b.PeerApp), cmp.Compare(a.NameSource, b.NameSource),
	)
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// compareCauses: most bytes first, whatever their sign, then name.
func compareCauses(a, b Cause) int {
	return cmp.Or(cmp.Compare(magnitude(b.Bytes), magnitude(a.Bytes)), cmp.Compare(a.Name, b.Name))
}

// compareUnchecked: TCP first, for which there could have been counters; then most flows, then words.
func compareUnchecked(a, b Unchecked) int {
	return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(b.Flows, a.Flows), cmp.Compare(a.Why, b.Why))
}
