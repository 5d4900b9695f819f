package summarize

import (
	"net/netip"
	"slices"

	"apptap/flows"
)

// Grouping says what destinations are told apart by, beside protocol and port. The zero value is by name.
type Grouping struct {
	By GroupBy
	// Place names where an address belongs, "" if nobody knows: for ByNetwork and ByCountry. It must be ready for
	// concurrent calls.
	Place func(netip.Addr) string
}

// GroupBy is a kind of destination.
type GroupBy uint8

// The kinds. A flow without what is asked for is grouped by address.
const (
	ByName GroupBy = iota
	ByDomain
	ByAddress
	ByNetwork
	ByCountry
)

// name is what a flow's destination is called, and the report's word for where that is from; "" for its address.
func (g *Grouping) name(f *flows.Flow) (name, source string) {
	switch g.By {
	case ByNetwork, ByCountry:
		if g.Place != nil {
			name = g.Place(f.Key.RemoteAddr().Addr())
		}
		if g.By == ByNetwork {
			return name, "asn"
		}
		return name, "country"
	case ByAddress:
		return "", "none"
	}
	if f.Initiator == flows.InitiatorRemote { // a name would be this host's
		return "", "none"
	}
	name, source = f.Names.Best()
	if g.By == ByDomain {
		if domain, ok := flows.Domain(name); ok {
			return domain, "domain"
		}
	}
	return name, source
}

// Named is s with the names that name has for addresses without one, and source as where they are from. It shares all
// else with s, which stays as it is.
func (s *Summary) Named(name func(netip.Addr) string, source string) *Summary {
	t := *s
	t.Apps = slices.Clone(s.Apps)
	for i := range t.Apps {
		t.Apps[i].Destinations = named(t.Apps[i].Destinations, name, source)
	}
	t.Unattributed.Destinations = named(s.Unattributed.Destinations, name, source)
	return &t
}

func named(list []Destination, name func(netip.Addr) string, source string) []Destination {
	list = slices.Clone(list)
	for i := range list {
		if d := &list[i]; d.NameSource == "none" && len(d.Addresses) == 1 {
			if found := name(d.Addresses[0]); found != "" {
				d.Name, d.NameSource = found, source
			}
		}
	}
	slices.SortFunc(list, compareDestinations)
	return list
}
