package flows

import (
	"cmp"
	"slices"
)

const (
	// maxCarriers bounds the UDP flows looked at by tunnel; the one that was silent longest makes way.
	maxCarriers = 64
	// maxPassages bounds the packets that wait to be put in order, maxBefore those of them that came before any of a tunnel: the reader of
	// the tunnel's interface may be a tenth of a second behind the other's.
	maxPassages, maxBefore = 1 << 16, 1 << 13
)

// Carriers finds the UDP flows that carry what passes an interface without a link layer (TUN, WireGuard, utun) where
// encryption leaves only lengths and times to compare: nearly each datagram of such a flow follows a packet
// of the interface that leaves, or is followed by one that arrives, and is longer by nearly the same each time.
// That is an inference, and reported as one (CarriedUnread). It is not safe for concurrent use.
type Carriers struct {
	tunnels  map[place]*tunnel
	passages []passage // not in order yet
	oldest   int64
	newest   int64
}

// passage is a packet that may be inside a tunnel, or carry one.
type passage struct {
	time     int64
	at       place
	flow     pair
	length   uint32 // IP bytes of a packet inside, payload of a datagram
	bare     bool   // on an interface without a link layer
	fromLow  bool
	outgoing bool
}

// turn puts packets of the same time in their order: out of the tunnel's interface, over the network, into the tunnel's interface.
func (p *passage) turn() int {
	switch {
	case !p.bare:
		return 1
	case p.outgoing:
		return 0
	}
	return 2
}

// tunnel is what is known of an interface without a link layer.
type tunnel struct {
	left     waiting // packets that leave through it
	arrived  uint64  // packets that arrived
	bytes    uint64  // of all
	carriers []*candidate
}

// candidate is a UDP flow that may be a tunnel's carrier.
type candidate struct {
	flow       pair
	outFromLow bool // direction of what this host sends
	last       int64
	datagrams  uint64
	came       waiting // datagrams that arrived
	out, in    matches
}

// NewCarriers makes an empty Carriers.
func NewCarriers() *Carriers { return &Carriers{tunnels: make(map[place]*tunnel)} }

// Add takes note of a packet. Packets may come in any order within the time that a tunnel may take.
func (c *Carriers) Add(o *Observation, t Trace, own Local) {
	p := passage{time: o.Time, at: place{o.Interface, t.via}, bare: t.bare, length: o.IPBytes, fromLow: o.fromLow}
	from, to := own.has(&o.Src), own.has(&o.Dst)
	switch {
	case p.bare && o.IPBytes == 0, p.bare && from && to:
		return // on loopback
	case !p.bare && (o.Proto != UDP || !o.Kind.Decoded() || o.FragLater || from == to):
		return
	case !p.bare:
		p.flow, p.length = o.pair(), o.Payload
		if len(c.tunnels) == 0 && len(c.passages) == maxBefore {
			c.passages = append(c.passages[:0], c.passages[maxBefore/2:]...)
		}
	case c.tunnels[p.at] == nil:
		if len(c.tunnels) == maxRepeatInterfaces {
			return
		}
		c.tunnels[p.at] = &tunnel{}
	}
	// What is forwarded into a tunnel leaves through it, or came: only one fits. What is for a group came.
	p.outgoing = from || p.bare && !to && !o.Dst.group()
	if len(c.passages) == 0 {
		c.oldest, c.newest = p.time, p.time
	}
	c.oldest, c.newest = min(c.oldest, p.time), max(c.newest, p.time)
	c.passages = append(c.passages, p)
	if len(c.tunnels) > 0 && c.newest-c.oldest > 3*carryWindow || len(c.passages) == maxPassages {
		c.pass(c.newest - carryWindow)
	}
}

// pass compares what came up to a time, in its order.
func (c *Carriers) pass(until int64) {
	slices.SortStableFunc(c.passages, func(a, b passage) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.turn(), b.turn()), cmp.Compare(a.at.iface, b.at.iface))
	})
	n := 0
	for ; n < len(c.passages) && (c.passages[n].time <= until || len(c.passages) == maxPassages); n++ {
		p := &c.passages[n]
		if p.bare {
			c.tunnels[p.at].pass(p)
			continue
		}
		for _, t := range c.tunnels {
			t.carry(p)
		}
	}
	c.passages = append(c.passages[:0], c.passages[n:]...)
	if len(c.passages) > 0 {
		c.oldest = c.passages[0].time
	}
}

// pass takes a packet of the tunnel: one that leaves waits for its datagram, one that arrived has had it.
func (t *tunnel) pass(p *passage) {
	t.bytes += uint64(p.length)
	if p.outgoing {
		t.left.push(passing{p.time, p.length})
		return
	}
	t.arrived++
	for _, c := range t.carriers {
		c.in.take(passing{p.time, p.length}, &c.came)
	}
}

// carry takes a datagram that may be a carrier of the tunnel.
func (t *tunnel) carry(p *passage) {
	c := t.candidate(p)
	c.datagrams++
	c.last = p.time
	if p.outgoing {
		c.out.take(passing{p.time, p.length}, &t.left)
		return
	}
	c.came.push(passing{p.time, p.length})
}

func (t *tunnel) packets() uint64 { return t.left.end() + t.arrived }

func (t *tunnel) candidate(p *passage) *candidate {
	for _, c := range t.carriers {
		if c.flow == p.flow {
			return c
		}
	}
	c := &candidate{flow: p.flow, outFromLow: p.fromLow == p.outgoing, in: matches{inward: true}}
	if len(t.carriers) < maxCarriers {
		t.carriers = append(t.carriers, c)
		return c
	}
	oldest := slices.MinFunc(t.carriers, func(a, b *candidate) int { return cmp.Compare(a.last, b.last) })
	t.carriers[slices.Index(t.carriers, oldest)] = c
	return c
}
