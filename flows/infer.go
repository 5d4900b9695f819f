package flows

import (
	"bytes"
	"net/netip"
)

// InferLocal guesses the addresses of the host that captured, for a capture that does not name them. Where the
// link layer marks the packets this host sent (Linux cooked captures) it is their senders. Else it
// is, for each IP family, the address that takes part in more than half of all packets; of two such (a
// capture of one conversation) the one that opened more flows. The result may be empty: a capture
// taken in transit has no such address.
func (t *Table) InferLocal() []netip.Prefix {
	if len(t.senders) > 0 {
		return t.markedSenders()
	}
	var found []netip.Prefix
	for _, ipv6 := range []bool{false, true} {
		if addr, ok := t.busiest(ipv6); ok {
			found = append(found, hostPrefix(addr, ipv6))
		}
	}
	return found
}

func (t *Table) markedSenders() []netip.Prefix {
	found := make([]netip.Prefix, 0, len(t.senders))
	for e := range t.senders {
		found = append(found, hostPrefix(e.Addr, !netip.AddrFrom16(e.Addr).Is4In6()))
	}
	sortPrefixes(found)
	return found
}

func hostPrefix(addr [16]byte, ipv6 bool) netip.Prefix {
	a := netip.AddrFrom16(addr)
	if !ipv6 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, a.BitLen())
}

// share is how much of a capture an address takes part in.
type share struct{ packets, opened uint64 }

func (t *Table) busiest(ipv6 bool) (best [16]byte, ok bool) {
	shares := make(map[[16]byte]share)
	var total uint64
	for id := range t.count {
		r := t.at(uint32(id))
		if r.key.ipv6 != ipv6 {
			continue
		}
		packets := r.low.packets + r.high.packets
		total += packets
		for _, isLow := range []bool{true, false} {
			addr := r.key.high.Addr
			if isLow {
				addr = r.key.low.Addr
			}
			s := shares[addr]
			s.packets += packets
			if r.initiatorKnown && r.initiatorIsLow == isLow {
				s.opened++
			}
			shares[addr] = s
		}
	}
	var top share
	for addr, s := range shares {
		if s.packets*2 > total && !netip.AddrFrom16(addr).Unmap().IsMulticast() && s.above(top, addr, best) {
			best, top, ok = addr, s, true
		}
	}
	return best, ok
}

// above orders candidates: packets, flows opened, then the lower address, so that the answer does not
// depend on the order of a map.
func (s share) above(o share, addr, other [16]byte) bool {
	if s.packets != o.packets {
		return s.packets > o.packets
	}
	if s.opened != o.opened {
		return s.opened > o.opened
	}
	return bytes.Compare(addr[:], other[:]) < 0
}
