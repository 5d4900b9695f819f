package pipeline

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// owner holds all state of a run. Only the goroutine that called Run touches it.
type owner struct {
	config           *Config
	run              *shared
	readers          []*reader
	once             once
	table            *flows.Table
	learner          *learner
	history          *pidmap.History
	local            []netip.Prefix
	host             flows.Local // the set of local
	begun            []flows.Key // scratch of addBatch
	folded           *summarize.Folded
	settled          *summarize.Folded // see settle
	news, nextSettle int               // flows and events since the last settle, and how many call for the next
	settledAt        int64             // when that was by now
	stated           stated
	socketAddrs      addresses // of a replay

	events   chan []pidmap.Event
	closed   chan []summarize.SocketCounters
	failures chan string

	sockets                 []summarize.SocketCounters
	socketsUnavailable      string
	told                    told
	lost                    lostEvents
	datagrams               datagramCounters
	counting                counting
	beforeClose, afterClose map[string]summarize.InterfaceCounters
	degraded                []string
	limited                 bool // the run ended at the last packet that was asked for
	incomplete              bool
	heard                   bool // of any socket or process
	keptDegraded, keptLocal int  // how many of each the journal has

	packets, bytes uint64
	begin, end     int64 // window of a live run, nanoseconds since 1970 UTC
	first, last    int64 // times of the first and last packet
	heardAt        int64 // when the sources of ownership last said that what they told still holds

	view      chan Progress
	viewed    chan struct{}
	nextBuild time.Time
}

func newOwner(c *Config, run *shared) *owner {
	o := &owner{
		config: c, run: run,
		table:       flows.NewTable(),
		history:     pidmap.NewHistory(c.AbsentReason),
		stated:      newStated(),
		socketAddrs: addresses{},
		events:      make(chan []pidmap.Event, 64),
		closed:      make(chan []summarize.SocketCounters, 64),
		failures:    make(chan string, 8),
		degraded:    slices.Clone(c.Degraded),
		first:       noTime,
		last:        -noTime,

		nextSettle: settleEach,
	}
	if c.TakeTimes {
		o.table.TakeTimes()
	}
	if c.Owners != nil {
		o.table.TakeHandOvers()
	}
	o.learner = newLearner(o.table, run)
	for i, source := range c.Sources {
		// Only a single source may find more interfaces as it is read, so the numbers never collide.
		var names *flows.Follower
		if !c.NoNames {
			names = o.table.Follower()
		}
		o.readers = append(o.readers, newReader(source, i, run, names))
	}
	return o
}

// start takes the first look at sockets and counters, before the first packet is read.
func (o *owner) start() {
	o.begin = o.config.Now().UnixNano()
	if o.config.CountOnly {
		o.beginCounting()
	}
	o.learnLocal()
	if o.config.Counters == nil {
		o.socketsUnavailable = "a file has no kernel counters"
	} else {
		o.readSockets(summarize.AtStart)
	}
	o.writeState(false)
}

func (o *owner) degrade(what string) { o.degraded = append(o.degraded, what) }

// learnLocal adds the host's addresses of now: one that it had when a flow began stays its own.
func (o *owner) learnLocal() {
	if o.config.LocalAddrs == nil {
		return
	}
	known := len(o.local)
	for _, p := range o.config.LocalAddrs() {
		if !slices.Contains(o.local, p) {
			o.local = append(o.local, p)
		}
	}
	if len(o.local) > known {
		o.host = flows.NewLocal(o.local)
	}
}

func (o *owner) readSockets(moment summarize.Moment) {
	if o.config.Counters == nil {
		return
	}
	counters, err := o.config.Counters.Sockets(moment)
	if err != nil {
		o.socketsUnavailable = err.Error()
		o.degrade(fmt.Sprintf("socket counters: %v", err))
		return
	}
	o.addSockets(counters)
}

// readInterfaces reads the counters that there are; those that are missing are told of interface by
// interface.
func (o *owner) readInterfaces() map[string]summarize.InterfaceCounters {
	if o.config.Counters == nil {
		return nil
	}
	readings, err := o.config.Counters.Interfaces(o.config.Source.Interfaces)
	if err != nil && readings == nil {
		o.degrade(fmt.Sprintf("interface counters: %v", err))
	}
	return readings
}

// addBatch accounts for a batch and has it learned from. A flow of an endpoint whose socket is not known yet
// is a reason to look at the sockets now, while they exist.
func (o *owner) addBatch(b *batch) {
	for i := range b.packets {
		obs := &b.packets[i]
		o.bytes += uint64(obs.Frame)
		o.first, o.last = min(o.first, obs.Time), max(o.last, obs.Time)
	}
	if o.packets == 0 && o.recorded() {
		o.table.TakeHandOvers()
	}
	o.packets += uint64(len(b.packets))
	if !o.tap(b) {
		o.stated.add(b)
	}
	o.addEvents(b.events)
	if len(b.copies) > 0 {
		o.once.partCopies(b)
	}
	if len(b.traces) > 0 {
		o.once.part(b, o.hostAddrs())
	}
	o.begun = o.table.Account(b.packets, b.payloads.List, o.begun[:0], &b.lessons)
	o.once.settle(o.table)
	if o.config.Owners != nil && slices.ContainsFunc(o.begun, func(key flows.Key) bool {
		return o.unknown(key) || o.unknown(key.Reverse())
	}) {
		o.config.Owners.Wake()
	}
	o.learner.take(b)
	o.news += len(o.begun)
	o.settle()
	o.fold()
}

// recorded says that a file has said by now that it is a session: one that has not, as a plain capture, need not have its packets remembered.
func (o *owner) recorded() bool {
	if o.config.Session == nil {
		return false
	}
	_, from := o.config.Session.Local()
	return from != ""
}

// unknown says that key.Local is an endpoint of this host whose socket nobody has seen yet.
func (o *owner) unknown(key flows.Key) bool {
	return o.host.Contains(key.LocalAddr().Addr()) && !o.history.Knows(key)
}

func (o *owner) addEvents(events []pidmap.Event) {
	for i := range events {
		o.history.Add(events[i])
		switch events[i].Kind {
		case pidmap.SocketsCurrent:
			o.heardAt = max(o.heardAt, events[i].Time)
		case pidmap.SocketMade, pidmap.SocketUsed, pidmap.SocketPeer:
			o.table.TakeHandOvers() // of a session that had not said before its packets that it is one
		case pidmap.EventsLost:
			o.lost.add(&events[i])
			if second, ok := o.config.Counters.(secondCounters); ok {
				second.Missed()
			}
		}
	}
	for _, handOver := range o.history.HandOvers() {
		o.table.HandOver(handOver)
	}
	o.sockets = appendTotals(o.sockets, events) // not to the journal: it has the events
	o.told.add(events)
	o.datagrams.add(events)
	if o.config.CountOnly {
		o.counting.add(events)
	}
	o.heard = o.heard || len(events) > 0
	if o.config.Session != nil {
		o.socketAddrs.learnSockets(events)
	}
	o.news += len(events) / 4 // a connection has four or more
	o.keep(func(j Journal) error { return j.WriteEvents(events) })
}
