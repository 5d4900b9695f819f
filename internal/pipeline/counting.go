package pipeline

import (
	"context"
	"time"

	"apptap/capture"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// countingGrace is how long after its end a socket is still kept with its counters: another source may tell of its end later.
const countingGrace = 2 * time.Second

// counting is the state of a run that captures nothing.
type counting struct {
	peers          map[uint64]onlyPeer // of UDP sockets, by cookie
	packets, bytes []uint64            // of sockets that were summed up, by interface
	base           summarize.Baseline
}

// beginCounting takes down what sockets have counted by now, between two readings of the interfaces, and with it the run begins:
// the kernel has counted since its programs were loaded.
func (o *owner) beginCounting() {
	counter, ok := o.config.Owners.(packetCounter)
	if !ok {
		return
	}
	o.config.BeforeOpen = o.readInterfaces()
	o.begin = o.config.Now().UnixNano()
	base := summarize.Baseline{Counted: map[uint64]*pidmap.Datagrams{}}
	for _, e := range counter.Count() {
		if e.Datagrams != nil {
			base.Counted[e.Socket.Cookie] = e.Datagrams
		}
		base.Until = max(base.Until, e.Time)
	}
	o.config.AfterOpen = o.readInterfaces()
	o.counting.base = base
}

// count asks for the packets of open sockets at the end of a run.
func (o *owner) count() {
	if c, ok := o.config.Owners.(packetCounter); ok {
		o.addEvents(c.Count())
	}
}

// onlyPeer is the first peer of a UDP socket that has none of its own.
type onlyPeer struct {
	key     flows.Key
	several bool
}

// add takes in peers that events tell of.
func (c *counting) add(events []pidmap.Event) {
	if c.peers == nil {
		c.peers = map[uint64]onlyPeer{}
	}
	for i := range events {
		s := &events[i].Socket
		if events[i].Kind != pidmap.SocketPeer || s.Key.Remote.Port == 0 {
			continue
		}
		if known, ok := c.peers[s.Cookie]; !ok {
			c.peers[s.Cookie] = onlyPeer{key: s.Key}
		} else if known.key != s.Key {
			c.peers[s.Cookie] = onlyPeer{key: known.key, several: true}
		}
	}
}

// name gives sockets their only peers.
func (c *counting) name(sockets []summarize.DatagramCounters) {
	for i := range sockets {
		if p := c.peers[sockets[i].Cookie]; !p.several {
			sockets[i].Peer = p.key
		}
	}
}

// counted turns in, whose sockets have counters, into one whose flows were counted.
func (o *owner) counted(in *summarize.Input, local flows.Local) {
	o.counting.name(in.Datagrams)
	in.Take(summarize.CountedOf(in, &o.counting.base, local), o.counting.packets, o.counting.bytes)
}

// sumCounted adds sockets that ended to the sums and forgets them, so that a run of days holds those that are open.
func (o *owner) sumCounted() {
	if !o.config.CountOnly || o.config.ListFlows {
		return
	}
	now := o.config.Now().UnixNano()
	before := now - int64(countingGrace)
	in, local := o.input()
	done := in
	done.Sockets, done.Datagrams = nil, nil
	var sockets []summarize.SocketCounters
	for _, c := range in.Sockets {
		if c.Moment == summarize.AtClose && c.Time < before {
			done.Sockets = append(done.Sockets, c)
		} else {
			sockets = append(sockets, c)
		}
	}
	var datagrams []summarize.DatagramCounters
	for _, d := range in.Datagrams {
		if !d.Open && d.Until < before {
			done.Datagrams = append(done.Datagrams, d)
		} else {
			datagrams = append(datagrams, d)
		}
	}
	if len(done.Sockets)+len(done.Datagrams) == 0 {
		return
	}
	o.sockets, o.datagrams.sockets = sockets, datagrams
	done.Sockets = withStarts(done.Sockets, in.Sockets)
	o.counting.name(done.Datagrams)
	c := summarize.CountedOf(&done, &o.counting.base, local)
	if o.settled == nil {
		o.settled = summarize.NewSettled()
		o.counting.packets, o.counting.bytes = make([]uint64, len(in.Interfaces)), make([]uint64, len(in.Interfaces))
	}
	done.CountOnly = true
	for i := range c.Flows {
		o.settled.Add(&done, &c.Flows[i])
	}
	for i := range c.Packets {
		o.counting.packets[i] += c.Packets[i]
		o.counting.bytes[i] += c.Bytes[i]
	}
	for i := range done.Datagrams {
		delete(o.counting.peers, done.Datagrams[i].Cookie)
		delete(o.counting.base.Counted, done.Datagrams[i].Cookie)
	}
	for i := range done.Sockets {
		delete(o.counting.base.Counted, done.Sockets[i].Cookie)
	}
	o.last = now
	o.forget(nil)
}

// withStarts adds what the sockets of ended had counted when the run began.
func withStarts(ended, all []summarize.SocketCounters) []summarize.SocketCounters {
	cookies := map[uint64]bool{}
	for i := range ended {
		cookies[ended[i].Cookie] = true
	}
	for _, c := range all {
		if c.Moment == summarize.AtStart && cookies[c.Cookie] {
			ended = append(ended, c)
		}
	}
	return ended
}

// Uncaptured is the source of a run that only counts: it describes interfaces and never has a packet.
type Uncaptured struct {
	ctx        context.Context
	interfaces []capture.Interface
}

// NewUncaptured makes a source of one interface; Next waits at most until ctx ends.
func NewUncaptured(ctx context.Context, i capture.Interface) *Uncaptured {
	i.Stats.Known = true
	return &Uncaptured{ctx, []capture.Interface{i}}
}

// Next waits for a moment and has nothing.
func (u *Uncaptured) Next(*capture.Packet) error {
	select {
	case <-u.ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
	return capture.ErrTimeout
}

// Interfaces is what was given.
func (u *Uncaptured) Interfaces() []capture.Interface { return u.interfaces }

// Stats are those of a capture that drops nothing.
func (u *Uncaptured) Stats() capture.Stats { return capture.Stats{Known: true} }

// Close does nothing.
func (u *Uncaptured) Close() error { return nil }
