package flows

import (
	"cmp"
	"slices"
)

// carrierShare is which part of a flow's datagrams must have had a packet inside: the others are handshakes and keep-alives,
// or carry what the capture missed.
const carrierShare, carrierOf = 8, 10

// Found is what the carriers found so far have too much, since the last call: their datagrams count for what they add. What
// waits to be put in order is not in it before the run is over. Unmatched are all IP bytes so far that passed a tunnel whose
// carrier was found, and that no datagram fits: the carrier's flow may have them too.
func (c *Carriers) Found(over bool) (excess []Excess, unmatched uint64) {
	if over {
		c.pass(c.newest)
	}
	places := make([]place, 0, len(c.tunnels))
	for at := range c.tunnels {
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.iface, b.iface), cmp.Compare(a.via, b.via)) })
	for _, at := range places {
		t := c.tunnels[at]
		list := t.found()
		left := t.bytes
		for _, carrier := range list {
			excess = carrier.reduce(excess)
			left -= min(left, carrier.out.usual().bytes+carrier.in.usual().bytes)
		}
		if len(list) > 0 {
			unmatched += left
		}
	}
	return excess, unmatched
}

// found are the flows that carry the tunnel: together they carry no more than passed it. Where two flows would each
// do for the same packets neither is taken.
func (t *tunnel) found() (list []*candidate) {
	for _, c := range t.carriers {
		if n := c.matched(); n >= minCarried && n*carrierOf >= c.datagrams*carrierShare {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.matched(), a.matched()), a.flow.key().Compare(b.flow.key()))
	})
	var sum uint64
	for _, c := range list {
		sum += c.matched()
	}
	for len(list) > 0 && sum > t.packets()+t.packets()/20 {
		// More was matched than there was: the last matched by chance, unless it matched as much as one before.
		last := list[len(list)-1]
		sum -= last.matched()
		list = list[:len(list)-1]
		if n := len(list); n > 0 && last.matched()*carrierOf > list[n-1].matched()*9 {
			return nil
		}
	}
	return list
}

// matched is how many of the flow's datagrams had a packet inside, as far as lengths and times say.
func (c *candidate) matched() uint64 {
	return c.out.usual().packets + c.in.usual().packets
}

// reduce appends what the flow has too much since the last time.
func (c *candidate) reduce(excess []Excess) []Excess {
	for _, m := range [...]*matches{&c.out, &c.in} {
		if now := m.usual().bytes; now > m.reduced {
			more := now - m.reduced
			excess = append(excess, Excess{flow: c.flow, fromLow: c.outFromLow != m.inward, frame: more, ip: more, kind: CarriedUnread})
			m.reduced = now
		}
	}
	return excess
}

// key is the pair as a Key, to be put in order.
func (p *pair) key() Key { return Key{Local: p.low, Remote: p.high, Proto: p.proto, IPv6: p.ipv6} }
