package flows

import (
	"bytes"
	"iter"
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
	for ipv6, best := range t.busiest() {
		if best != nil {
			found = append(found, hostPrefix(*best, ipv6 == 1))
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

// busiest finds, for each IP family, the address that takes part in more than half of its packets, nil if there is none. Such an
// address is among few candidates, which a first pass finds without counting every address there is.
func (t *Table) busiest() (best [2]*[16]byte) {
	var heavy [2]heavyHitters
	var total [2]uint64
	for r := range t.each() {
		family := r.family()
		packets := r.low.packets + r.high.packets
		total[family] += packets
		heavy[family].add(r.key.low.Addr, packets)
		if r.key.low.Addr != r.key.high.Addr {
			heavy[family].add(r.key.high.Addr, packets)
		}
	}
	var shares [2]map[[16]byte]share
	for family := range heavy {
		shares[family] = heavy[family].candidates()
	}
	if len(shares[0])+len(shares[1]) == 0 {
		return best
	}
	for r := range t.each() {
		r.count(shares[r.family()])
	}
	for family := range shares {
		var top share
		for addr, s := range shares[family] {
			if s.packets*2 > total[family] && (best[family] == nil || s.above(top, addr, *best[family])) {
				best[family], top = &addr, s
			}
		}
	}
	return best
}

// each yields the records that are somebody's.
func (t *Table) each() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		for id := range t.records.length {
			if r := t.records.at(id); !r.free() && !yield(r) {
				return
			}
		}
	}
}

// family is 0 for IPv4 and 1 for IPv6.
func (r *record) family() int {
	if r.key.ipv6 {
		return 1
	}
	return 0
}

// candidates are addresses that may be a host's, nothing counted yet.
func (h *heavyHitters) candidates() map[[16]byte]share {
	shares := make(map[[16]byte]share, len(h))
	for i := range h {
		if h[i].weight > 0 && !netip.AddrFrom16(h[i].addr).Unmap().IsMulticast() {
			shares[h[i].addr] = share{}
		}
	}
	return shares
}

// count adds a flow to the shares of its addresses, if these are wanted. A conversation of an address with itself
// counts once.
func (r *record) count(shares map[[16]byte]share) {
	self := r.key.low.Addr == r.key.high.Addr
	add := func(addr [16]byte, opened bool) {
		if s, wanted := shares[addr]; wanted {
			s.packets += r.low.packets + r.high.packets
			if opened {
				s.opened++
			}
			shares[addr] = s
		}
	}
	add(r.key.low.Addr, r.initiatorKnown() && (r.initiatorIsLow() || self))
	if !self {
		add(r.key.high.Addr, r.initiatorKnown() && !r.initiatorIsLow())
	}
}

// heavyHitters keeps every address that takes part in more than half of all packets, whatever else it keeps
// (Misra and Gries, "Finding repeated elements", 1982): a packet has two addresses, so such a one is more than a
// quarter of all that is added, and of those there are three at most.
type heavyHitters [3]struct {
	addr   [16]byte
	weight uint64
}

func (h *heavyHitters) add(addr [16]byte, weight uint64) {
	for i := range h {
		if h[i].weight > 0 && h[i].addr == addr {
			h[i].weight += weight
			return
		}
	}
	for weight > 0 {
		least := 0
		for i := range h {
			if h[i].weight < h[least].weight {
				least = i
			}
		}
		if h[least].weight == 0 {
			h[least].addr, h[least].weight = addr, weight
			return
		}
		spent := min(weight, h[least].weight)
		for i := range h {
			h[i].weight -= spent
		}
		weight -= spent
	}
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
