package flows

import (
	"cmp"
	"net/netip"
	"slices"
)

// Local is the set of addresses that belong to the host whose traffic was captured. The zero value
// knows none but the loopback addresses.
type Local struct {
	addrs    map[netip.Addr]struct{}
	prefixes []netip.Prefix
}

// NewLocal makes the set of all addresses in prefixes; a /32 or /128 stands for one address.
func NewLocal(prefixes []netip.Prefix) Local {
	l := Local{addrs: make(map[netip.Addr]struct{}, len(prefixes))}
	for _, p := range prefixes {
		if p.IsSingleIP() {
			l.addrs[p.Addr().Unmap().WithZone("")] = struct{}{}
			continue
		}
		l.prefixes = append(l.prefixes, p.Masked())
	}
	return l
}

// Contains says whether addr is this host's. Loopback addresses always are.
func (l Local) Contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if addr.IsLoopback() {
		return true
	}
	if _, ok := l.addrs[addr]; ok {
		return true
	}
	for _, p := range l.prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// Empty says whether the set knows no address at all.
func (l Local) Empty() bool { return len(l.addrs) == 0 && len(l.prefixes) == 0 }

func sortPrefixes(prefixes []netip.Prefix) {
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
}
