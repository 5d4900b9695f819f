package summarize

import (
	"cmp"
	"net/netip"
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

// Endpoint is a port of this host, at one of its addresses or at any.
type Endpoint struct {
	Addr netip.Addr // the zero Addr is any
	Port uint16     // 0: no endpoint at all
}

// OwnedFlow is a flow whose owner is explained, with what is known of the sockets that may have had it.
type OwnedFlow struct {
	Use      FlowUse
	Evidence []pidmap.Evidence // of Key.Local's sockets, by time
	Peer     []pidmap.Evidence // of Key.Remote's, where that is on this host too
}

// maxExplained bounds the flows whose owners are explained.
const maxExplained = 1000

// explains says whether the owner of a flow is asked about.
func (in *Input) explains(f *flows.Flow) bool {
	return in.Explain.is(f.Key.LocalAddr()) || f.Locality != flows.LocalOne && in.Explain.is(f.Key.RemoteAddr())
}

func (e Endpoint) is(at netip.AddrPort) bool {
	return e.Port != 0 && e.Port == at.Port() && (!e.Addr.IsValid() || e.Addr == at.Addr())
}

// ownedFlows are those among uses that are asked about, by the time when they began.
func (in *Input) ownedFlows(uses []FlowUse) (list []OwnedFlow) {
	for i := range uses {
		use := &uses[i]
		if !in.explains(&use.Flow) {
			continue
		}
		o := OwnedFlow{Use: *use}
		if in.Evidence != nil {
			o.Evidence = in.Evidence(use.Flow.Key, use.Flow.First, use.Flow.Last)
			if use.Flow.Locality == flows.LocalBoth {
				o.Peer = in.Evidence(use.Flow.Key.Reverse(), use.Flow.First, use.Flow.Last)
			}
		}
		list = append(list, o)
	}
	slices.SortStableFunc(list, func(a, b OwnedFlow) int {
		return cmp.Or(cmp.Compare(a.Use.Flow.First, b.Use.Flow.First), compareFlows(&a.Use.Flow, &b.Use.Flow))
	})
	return list[:min(len(list), maxExplained)]
}
