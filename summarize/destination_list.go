package summarize

import (
	"cmp"
	"container/heap"
	"net/netip"
	"slices"

	"apptap/flows"
)

// listed are the destinations of one group that a report shows, and the sum of the others.
type listed struct {
	list   []Destination
	others OtherDestinations
}

// listed sorts the destinations by group and picks the largest of each, no more than limit; 0 = all. side is as Input has it.
func (d *destinationTable) listed(groups, limit int, side func(int, func(int))) []listed {
	d.flush()
	d.times.compact()
	picked := make([]largest, groups)
	result := make([]listed, groups)
	for group := range d.others {
		result[group].others = d.others[group]
	}
	for i := range d.length {
		sum := d.at(i)
		group := sum.key.group
		if out := picked[group].pick(ranked{sum, i}, limit); out.sum != nil {
			result[group].others.count(&out.sum.totals, 1)
		}
	}
	for group := range picked {
		list := make([]Destination, len(picked[group]))
		side(listParts, func(part int) { // where each destination has times, these are most of the work
			for i := part; i < len(list); i += listParts {
				list[i] = d.destination(picked[group][i].at)
			}
		})
		slices.SortFunc(list, compareDestinations)
		if len(list) > 0 {
			result[group].list = list
		}
	}
	return result
}

// listParts is how many goroutines describe the destinations of a group.
const listParts = 2

func (d *destinationTable) destination(at int) Destination {
	sum := d.at(at)
	key := &sum.key
	to := Destination{
		NameSource: key.source.String(), Proto: key.proto, Port: key.remote.Port,
		Service: serviceName(key.proto, key.remote.Port), Inbound: key.inbound, Totals: sum.totals,
		Times: d.knownTimes(at).result(),
	}
	if key.name > 0 {
		to.Name, to.Addresses = d.texts.list[key.name-1], slices.SortedFunc(slices.Values(d.addressesBehind(at)), netip.Addr.Compare)
	} else {
		addr := flows.Key{Remote: key.remote, IPv6: key.ipv6}.RemoteAddr().Addr()
		to.Name, to.Addresses = addr.String(), []netip.Addr{addr}
	}
	if key.peer > 0 {
		to.PeerApp = d.texts.list[key.peer-1]
	}
	return to
}

// compareSums is the order in which destinations are kept: most bytes first. Among equals it is any that depends on
// nothing but their keys.
func compareSums(a, b *destinationSum) int {
	return cmp.Or(
		cmp.Compare(b.totals.Bytes(), a.totals.Bytes()),
		slices.Compare(a.key.remote.Addr[:], b.key.remote.Addr[:]), cmp.Compare(a.key.remote.Port, b.key.remote.Port),
		cmp.Compare(a.key.proto, b.key.proto), compareBool(a.key.ipv6, b.key.ipv6), compareBool(a.key.inbound, b.key.inbound),
		cmp.Compare(a.key.group, b.key.group), cmp.Compare(a.key.name, b.key.name), cmp.Compare(a.key.peer, b.key.peer),
		cmp.Compare(a.key.source, b.key.source),
	)
}

// largest are the largest sums of a group, as a heap whose root is the first to go.
type largest []ranked

// ranked is a sum and its index.
type ranked struct {
	sum *destinationSum
	at  int
}

// pick adds r and returns the one that has to go for it, zero if there was room.
func (l *largest) pick(r ranked, limit int) (out ranked) {
	switch {
	case limit <= 0 || len(*l) < limit-1:
		*l = append(*l, r)
	case len(*l) == limit-1:
		*l = append(*l, r)
		heap.Init(l)
	case compareSums(r.sum, (*l)[0].sum) > 0:
		return r
	default:
		out, (*l)[0] = (*l)[0], r
		heap.Fix(l, 0)
	}
	return out
}

func (l largest) Len() int           { return len(l) }
func (l largest) Less(i, j int) bool { return compareSums(l[i].sum, l[j].sum) > 0 }
func (l largest) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *largest) Push(x any)        { *l = append(*l, x.(ranked)) }
func (l *largest) Pop() any {
	last := len(*l) - 1
	x := (*l)[last]
	*l = (*l)[:last]
	return x
}
