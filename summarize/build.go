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
	// Rest are flows that are only summed up: they are not in Summary.Flows and are not held against Sockets. A
	// capture file of a million flows whose flows nobody wants to see is reported without a list of them
	// in memory. Nil for none.
	Rest      iter.Seq[flows.Flow]
	Undecoded []flows.Undecoded
	// Interfaces are the run's, in the order in which Flow.Interface counts them.
	Interfaces []InterfaceInput
	// Owner says who owned a 5-tuple as its local side saw it, between two times in nanoseconds since
	// 1970 UTC: pidmap.History.Owner. Nil if nobody can know.
	Owner func(key flows.Key, initiator flows.Initiator, first, last int64) pidmap.Attribution

	Sockets            []SocketCounters // readings of all moments, in any order
	SocketsUnavailable string           // why socket counters are missing, "" if they are not
	// CounterOverflows is how often the kernel's queue of closed sockets overflowed: each time an unknown
	// number of closing readings was lost.
	CounterOverflows uint64

	// Live says that this host's own traffic was captured as it happened, now or in a session that is
	// replayed: its locality is known, and it was there to be asked.
	Live             bool
	Filter           string // of the whole run, "" = none
	Degraded         []string
	Incomplete       bool
	DroppedUserspace uint64 // packets
}

// InterfaceInput is what one interface captured, and what the kernel counted on it meanwhile.
type InterfaceInput struct {
	Name     string
	Loopback bool // every frame on it is both sent and received by this host, and captured once

	// As capture.Stats has them, in packets.
	Received, DroppedKernel, DroppedInterface uint64
	StatsKnown                                bool

	CapturedPackets, CapturedBytes uint64             // of every kind, undecoded included; frame bytes
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
		Drops:      drops(&in),
		Degraded:   slices.Compact(slices.Sorted(slices.Values(in.Degraded))),
		Incomplete: in.Incomplete,
		Flows:      attribute(&in),
	}
	auditFlows(&in, s.Flows)
	var all sums
	for i := range s.Flows {
		all.add(&s.Flows[i])
	}
	if in.Rest != nil {
		for f := range in.Rest {
			use := in.attributed(f)
			use.Verdict = VerdictUnavailable
			all.add(&use)
		}
	}
	all.into(s)
	s.Audit = all.audited.finish(&in)
	return s
}

func (s Source) clone() Source {
	s.Interfaces, s.Files, s.Local = slices.Clone(s.Interfaces), slices.Clone(s.Files), slices.Clone(s.Local)
	return s
}

// sums collects flows by app and by reason. Each flow is counted once: under its owner or under the reason why it
// has none.
type sums struct {
	totals  Totals
	apps    groups[string, appGroup]
	nobody  unattributedGroup
	audited auditSum
}

func (y *sums) add(use *FlowUse) {
	y.totals = y.totals.Add(totalsOf(use))
	if use.Owner.Known() {
		y.apps.at(use.Owner.App.ID).add(use)
	} else {
		y.nobody.add(use)
	}
	y.audited.add(use)
}

func (y *sums) into(s *Summary) {
	s.Totals = y.totals
	for i := range y.apps.list {
		s.Apps = append(s.Apps, y.apps.list[i].result())
	}
	slices.SortFunc(s.Apps, compareApps)
	s.Unattributed = y.nobody.result()
}

func totalsOf(use *FlowUse) Totals { return Totals{use.Flow.Counts, 1} }

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
