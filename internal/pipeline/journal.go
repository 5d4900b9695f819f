package pipeline

import (
	"net/netip"

	"apptap/pidmap"
	"apptap/summarize"
)

// Journal keeps what a run learns beside its packets, in the file in which Record keeps those: both are called in turn,
// and the first error of either ends the recording.
type Journal interface {
	WriteEvents([]pidmap.Event) error
	WriteCounters([]summarize.SocketCounters) error
	// WriteState keeps what else the report is made of; the last one, which nothing follows, is final.
	WriteState(in *summarize.Input, final bool) error
}

// Session is what a Journal kept, when a run is made again from files.
type Session interface {
	// Events gives those read since the last call; the goroutine that reads the one source calls it.
	Events() []pidmap.Event
	// Local lists the addresses of the host and how they were known, "" if the files do not say.
	Local() (local []netip.Prefix, from string)
	// Complete fills in what the files have said until now of what else the report is made of.
	Complete(*summarize.Input)
}

func (o *owner) addSockets(counters []summarize.SocketCounters) {
	if counters = o.told.without(counters); len(counters) == 0 {
		return
	}
	o.sockets = append(o.sockets, counters...)
	o.keep(func(j Journal) error { return j.WriteCounters(counters) })
}

// keep does something with the journal, unless there is none or the recording has ended.
func (o *owner) keep(do func(Journal) error) {
	if j := o.config.Journal; j != nil {
		o.run.recording(func() error { return do(j) })
	}
}

// keepState keeps the circumstances of the run where they have changed since the last time: whoever reads a file of
// which the end is missing has those of the time until which it goes.
func (o *owner) keepState() {
	if o.config.Journal == nil || len(o.degraded) == o.keptDegraded && len(o.local) == o.keptLocal {
		return
	}
	o.writeState(false)
}

func (o *owner) writeState(final bool) {
	if o.config.Journal == nil {
		return
	}
	o.keptDegraded, o.keptLocal = len(o.degraded), len(o.local)
	in, _ := o.input()
	o.keep(func(j Journal) error { return j.WriteState(&in, final) })
}
