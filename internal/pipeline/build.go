package pipeline

import (
	"iter"
	"net/netip"
	"slices"
	"sync"

	"apptap/capture"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// viewDestinations is how many destinations of an app a view is given: more than it has lines.
const viewDestinations = 100

// buildView makes the Summary of what is known now. It lists no flows.
func (o *owner) buildView() *summarize.Summary {
	o.learner.wait()
	in, local := o.input()
	in.ListDestinations = viewDestinations
	in.Rest = []iter.Seq[*flows.Flow]{o.table.All(local)}
	if o.config.CountOnly {
		o.counted(&in, local)
	}
	return summarize.Build(in)
}

// buildParts is how many goroutines sum up the flows of the report. It decides how flows are divided, and so does not
// depend on the machine.
const buildParts = 2

// sideBySide runs do(0) to do(n-1), each in a goroutine of its own.
func sideBySide(n int, do func(int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// buildReport makes the last Summary. The table is empty then.
func (o *owner) buildReport() *summarize.Summary {
	o.learner.end()
	o.once.carry(o.table, true)
	in, local := o.input()
	in.ListDestinations = o.config.ListDestinations
	in.Lookups, _ = o.table.Lookups(in.Window.End)
	if o.config.ListFlows {
		in.Flows = o.table.Flows(nil, local)
	} else {
		in.Rest = o.table.Drain(local, buildParts)
		if in.Owner == nil { // a History is asked by one goroutine
			in.Side = sideBySide
		}
	}
	if o.config.CountOnly {
		in.Rest = nil
		o.counted(&in, local)
	}
	return summarize.Build(in)
}

// input is what a Summary is made of, but for the flows.
func (o *owner) input() (summarize.Input, flows.Local) {
	source, local := o.source()
	in := summarize.Input{
		Source:             source,
		Window:             o.window(),
		Live:               o.config.Live,
		Filter:             o.config.Source.Filter,
		Undecoded:          o.table.Undecoded(),
		SeenBefore:         o.table.Repeated(),
		Interfaces:         o.interfaces(),
		Sockets:            o.sockets,
		SocketsUnavailable: o.socketsUnavailable,
		Datagrams:          o.datagrams.sockets,
		DatagramsWhole:     o.datagrams.whole(),
		CounterOverflows:   o.overflows(),
		Degraded:           o.degraded,
		Incomplete:         o.incomplete,
		Folded:             o.folded,
		Settled:            o.settled,
		Destinations:       o.config.Destinations,
		TakeTimes:          o.config.TakeTimes,
		Explain:            o.config.Explain,
	}
	if o.folded != nil {
		in.Degraded = append(slices.Clone(o.degraded), o.foldedSentence())
	}
	for _, text := range []string{o.oversizedSentence(), o.lost.sentence()} {
		if text != "" {
			in.Degraded = append(slices.Clone(in.Degraded), text)
		}
	}
	if o.config.Owners != nil || o.heard {
		in.Evidence = o.history.Evidence
	}
	in.Owner = o.config.By.Owner(o.ownerOf())
	in.SocketOwner = func(cookie uint64) pidmap.Attribution { return o.config.By.Group(o.history.SocketOwner(cookie)) }
	if o.config.Session != nil {
		o.config.Session.Complete(&in)
	}
	return in, local
}

// source completes the description of the run: files may name interfaces and addresses only as they are read.
func (o *owner) source() (summarize.Source, flows.Local) {
	s := o.config.Source
	if s.LocalFrom == "" {
		s.Local, s.LocalFrom = o.localAddrs()
	}
	if len(s.Interfaces) == 0 {
		s.Interfaces = o.interfaceNames()
	}
	return s, flows.NewLocal(s.Local)
}

func (o *owner) overflows() uint64 {
	if o.config.Counters == nil {
		return 0
	}
	return o.config.Counters.Overflows()
}

func (o *owner) window() summarize.Window {
	if o.config.Live {
		end := o.end
		if end == 0 {
			end = o.config.Now().UnixNano()
		}
		return summarize.Window{Start: o.begin, End: end}
	}
	if o.packets == 0 {
		return summarize.Window{}
	}
	return summarize.Window{Start: o.first, End: o.last}
}

// interfaces joins what the sources say of their interfaces with what was captured on each. The same
// interface described again (in another section of a file, in another file) stays a row of its own: its
// drops are.
func (o *owner) interfaces() []summarize.InterfaceInput {
	counts := o.table.Interfaces()
	var inputs []summarize.InterfaceInput
	for _, r := range o.readers {
		for _, described := range r.state.Load().interfaces {
			inputs = append(inputs, o.interfaceInput(described, counts, len(inputs)))
		}
	}
	return inputs
}

func (o *owner) interfaceInput(i capture.Interface, counts []flows.InterfaceCounts, index int) summarize.InterfaceInput {
	in := summarize.InterfaceInput{
		Name: i.Name, Loopback: i.Loopback,
		Received: i.Stats.Received, DroppedKernel: i.Stats.DroppedKernel, DroppedInterface: i.Stats.DroppedInterface,
		StatsKnown: i.Stats.Known, LinkHeader: linkHeader(i.LinkType),
	}
	if index < len(counts) {
		in.CapturedPackets, in.CapturedBytes = counts[index].Packets, counts[index].Bytes
		in.Tagged, in.Super = counts[index].Tagged, counts[index].Super
	}
	if !in.StatsKnown {
		in.Received = in.CapturedPackets // a file that counts nothing received at least what is in it
	}
	if o.config.Live {
		in.Readings = o.readings(i.Name)
	}
	return in
}

// linkHeader is how many bytes a plain frame has in front of its IP header.
func linkHeader(t capture.LinkType) uint64 {
	switch t {
	case capture.LinkTypeEthernet:
		return 14
	case capture.LinkTypeLinuxSLL:
		return 16
	case capture.LinkTypeLinuxSLL2:
		return 20
	case capture.LinkTypeNull, capture.LinkTypeLoop:
		return 4
	}
	return 0
}

// readings are the kernel's counters around the capture of one interface. While the run goes on it has no end.
func (o *owner) readings(name string) *summarize.InterfaceReadings {
	if o.config.Counters == nil {
		return &summarize.InterfaceReadings{Unavailable: "there are no kernel counters here"}
	}
	r := &summarize.InterfaceReadings{}
	var ok [4]bool
	r.BeforeOpen, ok[0] = o.config.BeforeOpen[name]
	r.AfterOpen, ok[1] = o.config.AfterOpen[name]
	r.BeforeClose, ok[2] = o.beforeClose[name]
	r.AfterClose, ok[3] = o.afterClose[name]
	r.Limited = o.limited
	switch {
	case name == "any": // Linux's
		r.Unavailable = "any is all interfaces together: name them with -i, each has its counters"
	case !ok[0] || !ok[1]:
		r.Unavailable = "the kernel has no counters of this interface"
	case o.end != 0 && (!ok[2] || !ok[3]):
		r.Unavailable = "the interface was gone at the end"
	case !ok[2] || !ok[3]:
		r.Unavailable = "the capture goes on"
	}
	return r
}

func (o *owner) interfaceNames() []string {
	var names []string
	listed := map[string]bool{"": true}
	for _, r := range o.readers {
		for _, i := range r.state.Load().interfaces {
			if !listed[i.Name] {
				listed[i.Name] = true
				names = append(names, i.Name)
			}
		}
	}
	return names
}

// localAddrs says which addresses are this host's and how that is known: the host says so, the file does,
// or its traffic suggests it.
func (o *owner) localAddrs() (local []netip.Prefix, from string) {
	if o.config.LocalAddrs != nil {
		return o.local, "interface"
	}
	if o.config.Session != nil {
		if local, from := o.config.Session.Local(); from != "" {
			return local, from
		}
	}
	for _, r := range o.readers {
		for _, i := range r.state.Load().interfaces {
			for _, p := range i.Addrs {
				local = append(local, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
			}
		}
	}
	if len(local) > 0 {
		return local, "file"
	}
	if local = o.stated.addrs.list(); len(local) > 0 {
		return local, "process_blocks"
	}
	if local = o.socketAddrs.list(); len(local) > 0 {
		return local, "sockets"
	}
	return o.table.InferLocal(), "inferred"
}
