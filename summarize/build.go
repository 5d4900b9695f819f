package summarize

import (
	"cmp"
	"iter"
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

// Input is everything that a Summary is made of. Build only reads it.
type Input struct {
	Source Source
	Window Window
	Flows  []flows.Flow // in any order; Flow.Interface is an index into Interfaces
	// Rest are more flows, which are not in Summary.Flows: a capture of a million flows that nobody wants to see one by
	// one is reported without a list of them in memory. Each is valid until the next of its part.
	Rest []iter.Seq[*flows.Flow]
	// Side runs do(0) to do(n-1), side by side where that is faster, and returns when all have. Nil runs them one after
	// another. It is for Rest: the Summary is the same, but Owner must then be ready for concurrent calls.
	Side func(n int, do func(int))
	// Folded are flows that were summed up before, to keep memory bounded. Nil for none.
	Folded *Folded
	// Settled are flows that were over before and are summed up as if they were still there. Nil for none.
	Settled   *Folded
	Undecoded []flows.Undecoded
	// SeenBefore are packets that were captured on several interfaces, but for the sighting that counts.
	SeenBefore flows.Repeated
	Lookups    []flows.Lookup
	// Interfaces are the run's, in the order in which Flow.Interface counts them.
	Interfaces []InterfaceInput
	// TakeTimes says that destinations must have Times.
	TakeTimes bool
	// Destinations says what destinations are told apart by. Folded must have been added to with the same.
	Destinations Grouping
	// ListDestinations bounds the destinations listed under each app, the largest first; 0 lists all. What is not
	// listed is summed.
	ListDestinations int
	// Owner says who owned a 5-tuple as its local side saw it, between two times in nanoseconds since
	// 1970 UTC: pidmap.History.Owner. Nil if nobody can know.
	Owner func(key flows.Key, initiator flows.Initiator, first, last int64) pidmap.Attribution

	// SocketOwner says who owned the socket of a cookie, as far as kernel events tell: pidmap.History.SocketOwner. Nil if nobody can know.
	SocketOwner func(cookie uint64) pidmap.Attribution

	// Explain is the endpoint whose flows' owners are to be explained, the zero Endpoint for none, and Evidence what is known
	// of the sockets that may have had a flow; nil if nobody can know.
	Explain  Endpoint
	Evidence func(key flows.Key, first, last int64) []pidmap.Evidence

	Sockets            []SocketCounters // readings of all moments, in any order
	SocketsUnavailable string           // why socket counters are missing, "" if they are not
	// CounterOverflows is how often the kernel's queue of closed sockets overflowed: each time an unknown
	// number of closing readings was lost.
	CounterOverflows uint64

	// Datagrams are the counters of UDP sockets. DatagramsWhole says that they are of all that there were at the end, and had been.
	Datagrams      []DatagramCounters
	DatagramsWhole bool

	// Live says that this host's own traffic was captured as it happened, now or in a session that is
	// replayed: its locality is known, and it was there to be asked.
	Live             bool
	CountOnly        bool   // nothing was captured: flows are made of counters, see Counted
	Filter           string // of the whole run, "" = none
	Degraded         []string
	Incomplete       bool
	Gap              bool   // packets that were captured within the window are not given: a file of a run in several is missing
	DroppedUserspace uint64 // packets
}

// InterfaceInput is what one interface captured, and what the kernel counted on it meanwhile.
type InterfaceInput struct {
	Name     string
	Loopback bool // every frame on it is both sent and received by this host, and captured once

	// As capture.Stats has them, in packets.
	Received, DroppedKernel, DroppedInterface uint64
	StatsKnown                                bool

	LinkHeader uint64 // bytes in front of the IP header of a plain frame: 14 on Ethernet

	CapturedPackets, CapturedBytes uint64             // of every kind, undecoded included; frame bytes
	Tagged                         uint64             // of them, with a VLAN tag
	Super                          flows.SuperFrames  // of them
	Readings                       *InterfaceReadings // nil if none were taken
	Filter                         string             // of this interface alone, "" = none
}

// Build joins flows, owners and counters into a Summary. It is a pure function: the same Input gives the same
// Summary, in whatever order its flows, sockets and undecoded kinds come. The Summary shares
// nothing with the Input that its caller may go on to change, but for what Owner returned.
func Build(in Input) *Summary {
	s := &Summary{
		Source:     in.Source.clone(),
		Window:     in.Window,
		Undecoded:  undecoded(in.Undecoded),
		SeenBefore: in.SeenBefore,
		Drops:      drops(&in),
		Degraded:   slices.Compact(slices.Sorted(slices.Values(in.Degraded))),
		Incomplete: in.Incomplete,
		Lookups:    slices.Clone(in.Lookups),
		Flows:      attribute(&in),
	}
	paired := map[lifeKey]bool{}
	auditFlows(&in, s.Flows).into(paired)
	all := newSums(maxDestinations)
	all.of(&in)
	if in.Folded != nil {
		all.merge(in.Folded.sums)
		s.Folded = in.Folded.sums.totals
	}
	if in.Settled != nil {
		all.merge(in.Settled.sums)
	}
	for i := range s.Flows {
		all.add(&s.Flows[i])
	}
	checked := in.sumRest(all, paired)
	all.lose(&in, paired)
	all.tell(s.Flows, all.judgePorts(&in))
	if in.Explain.Port != 0 {
		s.Owners = in.ownedFlows(append(checked, s.Flows...))
	}
	all.into(s, &in)
	s.Audit = all.audited.finish(&in)
	s.Audit.Ledger = s.ledger()
	return s
}

// sumRest adds the flows that are not listed. Only those that share their 5-tuple with a socket have to be held
// at once, to be audited together, and those whose owners are explained: it returns them.
func (in *Input) sumRest(all *sums, paired map[lifeKey]bool) (checked []FlowUse) {
	tuples := tuplesOf(in.Sockets)
	parts := make([]restPart, len(in.Rest))
	in.sideBySide(len(parts), func(i int) {
		if parts[i].sums = all; i > 0 {
			parts[i].sums = newSums(maxDestinations)
			parts[i].sums.of(in)
		}
		parts[i].sum(in, in.Rest[i], tuples)
	})
	for i := range parts {
		if i > 0 {
			all.merge(parts[i].sums)
		}
		parts[i].sums = nil
		checked = append(checked, parts[i].checked...)
	}
	slices.SortFunc(checked, func(a, b FlowUse) int { return compareFlows(&a.Flow, &b.Flow) })
	auditFlows(in, checked).into(paired)
	for i := range checked {
		all.add(&checked[i])
	}
	return checked
}

// restPart is what one part of Rest adds up to, and those of its flows that are still to be audited.
type restPart struct {
	sums    *sums
	checked []FlowUse
}

func (p *restPart) sum(in *Input, rest iter.Seq[*flows.Flow], sockets tuples) {
	use := FlowUse{Verdict: VerdictUnavailable}
	for f := range rest {
		use.Flow = *f
		in.attributeTo(&use)
		if sockets.match(&use) || in.explains(&use.Flow) {
			kept := use
			kept.Flow = use.Flow.Clone()
			p.checked = append(p.checked, kept)
			continue
		}
		use.Unavailable = in.incomparable(&use, nil)
		p.sums.add(&use)
	}
}

func (in *Input) sideBySide(n int, do func(int)) {
	if in.Side != nil {
		in.Side(n, do)
		return
	}
	for i := range n {
		do(i)
	}
}

func (s Source) clone() Source {
	s.Interfaces, s.Files, s.Local = slices.Clone(s.Interfaces), slices.Clone(s.Files), slices.Clone(s.Local)
	return s
}

func drops(in *Input) Drops {
	d := Drops{DroppedUserspace: in.DroppedUserspace}
	for _, i := range in.Interfaces {
		d.Received += i.Received
		d.DroppedKernel += i.DroppedKernel
		d.DroppedInterface += i.DroppedInterface
		d.Known = d.Known || i.StatsKnown
	}
	return d
}

func undecoded(list []flows.Undecoded) Undecoded {
	var kinds groups[string, KindUse]
	var sum Undecoded
	for _, u := range list {
		kind := kinds.at(u.Kind)
		kind.Kind = u.Kind
		kind.Packets += u.Packets
		kind.Bytes += u.Bytes
		sum.Packets += u.Packets
		sum.Bytes += u.Bytes
	}
	slices.SortFunc(kinds.list, func(a, b KindUse) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Kind, b.Kind))
	})
	sum.Kinds = kinds.list
	return sum
}
