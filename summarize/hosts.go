package summarize

import (
	"cmp"
	"net/netip"
	"slices"
)

// maxHosts bounds the local addresses that are told apart, so that a flood of forged ones costs no memory.
const maxHosts = 4096

// hostTable sums flows by their local address: those of the first maxHosts addresses apart, the rest together.
type hostTable struct {
	hosts  groups[netip.Addr, HostUse]
	others Totals
}

func (y *hostTable) add(addr netip.Addr, t *Totals) {
	if len(y.hosts.list) >= maxHosts && !y.hosts.has(addr) {
		y.others.add(t)
		return
	}
	host := y.hosts.at(addr)
	host.Address = addr
	host.Totals.add(t)
}

func (y *hostTable) merge(o *hostTable) {
	for i := range o.hosts.list {
		y.add(o.hosts.list[i].Address, &o.hosts.list[i].Totals)
	}
	y.others.add(&o.others)
}

// list is what was told apart, by bytes, then address.
func (y *hostTable) list() []HostUse {
	list := slices.Clone(y.hosts.list)
	slices.SortFunc(list, func(a, b HostUse) int {
		return cmp.Or(cmp.Compare(b.Bytes(), a.Bytes()), a.Address.Compare(b.Address))
	})
	return list
}
