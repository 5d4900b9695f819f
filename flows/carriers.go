package flows

import (
	"cmp"
	"slices"
)

const (
	// carryWindow is how long a tunnel's program may take between a packet inside and the datagram that carries it: it waits
	// for a processor, and sends a queue in one go. Nanoseconds.
	carryWindow = 200_000_000
	// maxAdded is how much longer than the packet inside a datagram may be: WireGuard adds 32 bytes and up to 15 of padding,
	// OpenVPN up to 69, IKE's ESP in UDP (RFC 3948) up to 60.
	maxAdded = 128
	// addedRange is how much the added length may change within a tunnel: padding to 16 bytes.
	addedRange = 16
	// minCarried is how many packets must have matched before a flow is taken for a carrier.
	minCarried = 16
	// maxCarriers bounds the UDP flows looked at by tunnel; the one that was silent longest makes way.
	maxCarriers = 64
	// maxPassing bounds the packets that wait for their counterpart by flow and tunnel, maxPassages those that wait to be put in order.
	maxPassing, maxPassages = 1024, 1 << 16
	// carryReach is how many packets ahead of the next one a counterpart may be: others of other peers are between.
	carryReach = 32
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
	carriers []*candidate
}

// candidate is a UDP flow that may be a tunnel's carrier.
type candidate struct {
	flow            pair
	outFromLow      bool // direction of what this host sends
	last            int64
	datagrams       uint64
	before          uint64  // packets of the tunnel before the flow's first datagram
	next            uint64  // of the packets that left
	came            waiting // datagrams that arrived
	taken           uint64  // of them
	out, in         [maxAdded]carried
	reducedOut      uint64
	reducedIn       uint64
	outAdds, inAdds added
}

// carried are packets by how much longer their datagrams were, with the bytes inside.
type carried struct{ packets, bytes uint64 }

// added is the range of added lengths that most datagrams fall into, from low on, once it is known.
type added struct {
	low   int
	known bool
}

// waiting is a queue of packets, numbered from the first there ever was.
type waiting struct {
	list  []passing
	first uint64
}

type passing struct {
	time   int64
	length uint32
}

func (w *waiting) end() uint64 { return w.first + uint64(len(w.list)) }

func (w *waiting) push(p passing) {
	if len(w.list) == maxPassing {
		w.list = append(w.list[:0], w.list[maxPassing/2:]...)
		w.first += maxPassing / 2
	}
	w.list = append(w.list, p)
}

// find returns the number of the first packet from next on that is not older than since and fits; false if there is none in reach.
func (w *waiting) find(next uint64, since int64, fits func(length uint32) bool) (n uint64, found bool) {
	n = max(next, w.first)
	for n < w.end() && w.list[n-w.first].time < since {
		n++
	}
	for last := min(n+carryReach, w.end()); n < last; n++ {
		if fits(w.list[n-w.first].length) {
			return n, true
		}
	}
	return 0, false
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
	case !p.bare && (len(c.tunnels) == 0 || o.Proto != UDP || !o.Kind.Decoded() || o.FragLater || from == to):
		return
	case !p.bare:
		p.flow, p.length = o.pair(), o.Payload
	case c.tunnels[p.at] == nil:
		if len(c.tunnels) == maxRepeatInterfaces {
			return
		}
		c.tunnels[p.at] = &tunnel{}
	}
	p.outgoing = from || p.bare && !to // what is forwarded into a tunnel leaves through it, or came: only one fits
	if len(c.passages) == 0 {
		c.oldest, c.newest = p.time, p.time
	}
	c.oldest, c.newest = min(c.oldest, p.time), max(c.newest, p.time)
	c.passages = append(c.passages, p)
	if c.newest-c.oldest > 3*carryWindow || len(c.passages) == maxPassages {
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
	if p.outgoing {
		t.left.push(passing{p.time, p.length})
		return
	}
	t.arrived++
	for _, c := range t.carriers {
		fits := func(datagram uint32) bool { return c.inAdds.fits(datagram, p.length) }
		if n, found := c.came.find(c.taken, p.time-carryWindow, fits); found {
			c.in[c.came.list[n-c.came.first].length-p.length].add(p.length)
			c.inAdds.learn(&c.in)
			c.taken = n + 1
		}
	}
}

// carry takes a datagram that may be a carrier of the tunnel.
func (t *tunnel) carry(p *passage) {
	c := t.candidate(p)
	c.datagrams++
	c.last = p.time
	if !p.outgoing {
		c.came.push(passing{p.time, p.length})
		return
	}
	fits := func(inside uint32) bool { return c.outAdds.fits(p.length, inside) }
	if n, found := t.left.find(c.next, p.time-carryWindow, fits); found {
		inside := t.left.list[n-t.left.first].length
		c.out[p.length-inside].add(inside)
		c.outAdds.learn(&c.out)
		c.next = n + 1
	}
}

func (t *tunnel) packets() uint64 { return t.left.end() + t.arrived }

func (t *tunnel) candidate(p *passage) *candidate {
	for _, c := range t.carriers {
		if c.flow == p.flow {
			return c
		}
	}
	c := &candidate{flow: p.flow, outFromLow: p.fromLow == p.outgoing, before: t.packets(), next: t.left.first}
	if len(t.carriers) < maxCarriers {
		t.carriers = append(t.carriers, c)
		return c
	}
	oldest := slices.MinFunc(t.carriers, func(a, b *candidate) int { return cmp.Compare(a.last, b.last) })
	t.carriers[slices.Index(t.carriers, oldest)] = c
	return c
}

func (c *carried) add(length uint32) {
	c.packets++
	c.bytes += uint64(length)
}

// fits says whether a datagram may carry a packet, by their lengths.
func (a *added) fits(datagram, inside uint32) bool {
	if datagram < inside || datagram-inside >= maxAdded {
		return false
	}
	n := int(datagram - inside)
	return !a.known || n >= a.low && n < a.low+addedRange
}

// learn settles the range once there is enough to tell.
func (a *added) learn(by *[maxAdded]carried) {
	if a.known {
		return
	}
	low, sum := usual(by)
	if sum.packets >= minCarried {
		a.low, a.known = low, true
	}
}

// usual is the range of added lengths with the most packets, and what is in it.
func usual(by *[maxAdded]carried) (low int, most carried) {
	for start := range maxAdded - addedRange + 1 {
		var sum carried
		for _, c := range by[start : start+addedRange] {
			sum.packets += c.packets
			sum.bytes += c.bytes
		}
		if sum.packets > most.packets {
			low, most = start, sum
		}
	}
	return low, most
}
