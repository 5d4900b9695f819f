package summarize

import (
	"cmp"
	"net/netip"
	"path"
	"slices"
	"strings"

	"apptap/flows"
	"apptap/pidmap"
)

// Layer is where time goes on the way from a name to the last byte of an answer, in the order of that way.
type Layer uint8

// The layers. LayerPath is the round trips that requests and answers need at least, and what lost SYNs cost.
const (
	LayerLookup Layer = iota
	LayerPath
	LayerConnect
	LayerTLS
	LayerServer
	LayerTransfer
	LayerNothing // attempts that came to nothing
)

// Cost is what one layer took of all flows to a destination.
type Cost struct {
	Layer  Layer
	Micros uint64
}

// Explanation says where the time of one destination's flows went.
type Explanation struct {
	App         string // its name, "" if nobody knows the owner
	Destination Destination
	Costs       []Cost         // those above 0, largest first, equal ones in the order of the layers
	RoundTrip   uint64         // microseconds: what is taken for the path's, 0 if not known
	Lookups     []flows.Lookup // for its name
}

// Sum is all costs together, in microseconds.
func (e *Explanation) Sum() (sum uint64) {
	for _, c := range e.Costs {
		sum += c.Micros
	}
	return sum
}

// Failed says that none of the flows came to anything: whatever took their time, this is what there is to look into.
func (e *Explanation) Failed() bool {
	t := e.Destination.Times
	return t.Failed.Flows > 0 && t.Failed.Flows == t.Flows
}

// RoundTripsOnly says that each step to the first byte took about the round trips that it needs, two for a handshake of TLS, and that
// those are most of the time: no layer stands out, the distance does.
func (e *Explanation) RoundTripsOnly() bool {
	t := e.Destination.Times
	steps := t.Connect.Count + 2*t.TLS.Count + 2*t.QUIC.Count + t.Exchanges
	took := t.Connect.Sum + t.TLS.Sum + t.QUIC.Sum + t.Wait
	return steps > 1 && t.Failed.Flows == 0 && 4*took <= 5*steps*e.RoundTrip && 2*took > e.Sum()
}

// Explain says where the time went for an app (its name, id, or the last part of that), or for a destination (its name, a domain above
// it, an address, or the app at its other end), also as rows show them: "from 192.0.2.1 (server)". Silent are look-ups of such names that no flow followed: the request never left. In the order of the costs,
// then bytes; both lists are empty if s has nothing by that name.
func (s *Summary) Explain(subject string) (list []Explanation, silent []flows.Lookup) {
	typed, within := undecorated(subject)
	subject = flows.WireName(typed)
	isDestination := func(d *Destination) bool {
		return d.is(subject) && (within == "" || strings.EqualFold(d.PeerApp, within)) || d.PeerApp != "" && strings.EqualFold(d.PeerApp, typed)
	}
	for _, app := range s.Apps {
		named := isApp(&app.App, typed) && (within == "" || within == app.App.ID)
		list = s.explain(list, app.App.Name, app.Destinations, func(d *Destination) bool { return named || isDestination(d) })
	}
	list = s.explain(list, "", s.Unattributed.Destinations, isDestination)
	slices.SortStableFunc(list, func(a, b Explanation) int { return cmp.Compare(b.Sum(), a.Sum()) })
	explained := func(name string) bool {
		return slices.ContainsFunc(list, func(e Explanation) bool { return e.Destination.Name == name })
	}
	for _, l := range s.Lookups {
		if l.Flows == 0 && isBelow(l.Name, subject) && !explained(l.Name) {
			silent = append(silent, l)
		}
	}
	return list, silent
}

// undecorated takes a row's words apart: what it is of, without "from", and what stands behind that in parentheses. Of parentheses
// alone it is what they have.
func undecorated(row string) (name, within string) {
	name = strings.Trim(strings.TrimPrefix(strings.TrimSpace(row), "from "), `"`)
	before, after, ok := strings.Cut(name, "(")
	if !ok || !strings.HasSuffix(after, ")") {
		return name, ""
	}
	before, within = strings.TrimSpace(before), strings.TrimSuffix(after, ")")
	switch {
	case before == "":
		return within, ""
	case within == "outer name":
		return before, ""
	}
	return before, within
}

// isApp says that an app is meant by what was typed.
func isApp(a *pidmap.App, typed string) bool {
	return strings.EqualFold(a.Name, typed) || strings.EqualFold(a.ID, typed) || strings.EqualFold(path.Base(a.ID), typed)
}

func (s *Summary) explain(list []Explanation, app string, destinations []Destination, wanted func(*Destination) bool) []Explanation {
	for i := range destinations {
		d := &destinations[i]
		if d.Times == nil || !wanted(d) {
			continue
		}
		e := Explanation{App: app, Destination: *d, RoundTrip: cmp.Or(d.Times.RTTMin.Median, d.Times.SYNRTT.Median, d.Times.QUICAnswer.Median)}
		for _, l := range s.Lookups {
			if l.Name == d.Name {
				e.Lookups = append(e.Lookups, l)
			}
		}
		e.Costs = costs(d.Times, e.RoundTrip)
		list = append(list, e)
	}
	return list
}

// is says that d is meant by subject, which is in lower case.
func (d *Destination) is(subject string) bool {
	if addr, err := netip.ParseAddr(subject); err == nil {
		return slices.Contains(d.Addresses, addr)
	}
	return d.NameSource != "none" && isBelow(d.Name, subject)
}

// isBelow says that name is domain or below it.
func isBelow(name, domain string) bool {
	name = strings.ToLower(name)
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// costs divides the time of flows among the layers. An exchange has one round trip in it, which is the path's; the rest until
// the answer begins is the server's.
func costs(t *Times, roundTrip uint64) []Cost {
	path := min(t.Exchanges*roundTrip, t.Wait)
	all := []Cost{
		{LayerLookup, t.DNS.Sum},
		{LayerPath, path + t.Connect.Sum - min(t.SYNRTT.Sum, t.Connect.Sum)},
		{LayerConnect, t.SYNRTT.Sum},
		{LayerTLS, t.TLS.Sum + t.QUIC.Sum},
		{LayerServer, t.Wait - path},
		{LayerTransfer, t.Transferred},
		{LayerNothing, t.Failed.Took},
	}
	all = slices.DeleteFunc(all, func(c Cost) bool { return c.Micros == 0 })
	slices.SortStableFunc(all, func(a, b Cost) int { return cmp.Compare(b.Micros, a.Micros) })
	return all
}
