// Package pipeline answers how a run is executed: which goroutines there are, what flows between them,
// and in which order they end. cmd calls it. Nothing else in apptap starts a goroutine, and no rule about
// packets, sockets or reports lives here.
//
//	reader (one a source) --batches of observations--> owner --Summary--> view
//	ownership sources     --events-------------------> owner
//	counters              --readings-----------------> owner
//
// The owner alone touches the flow table, the history and the counters. Shutdown: the context ends, the
// readers drain what was captured until then and return, the sources of ownership and the counters are
// asked a last time, and the owner builds the last Summary.
package pipeline

import (
	"context"
	"net/netip"
	"time"

	"apptap/capture"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// Config is what a run consists of. Optional parts are nil.
type Config struct {
	// Sources are read by one goroutine each. Their interfaces are numbered through in this order. A
	// run over files has one, merged by time, because the order of packets decides its answer.
	Sources []capture.Source
	// Source describes them for the report; Local and LocalFrom are filled in by the run where it
	// learns them.
	Source summarize.Source
	Live   bool
	// Match says whether a packet is wanted; nil wants all. It is called by the sources' goroutines.
	Match func(*capture.Packet) bool
	// Once counts a packet that was captured on several interfaces once, live and in apptap's sessions. It costs nothing
	// where there is one interface.
	Once bool
	// CountOnly makes flows of what Owners tell of the packets of sockets; Sources then have none.
	CountOnly bool
	// Tunnels says which flow of a tunnelled packet counts.
	Tunnels flows.Tunnels
	// MaxFlows bounds the flows kept at a time, give or take a batch; 0 = no bound. Beyond it the idlest are summed up.
	MaxFlows int
	// MaxPackets ends the run after so many packets; 0 = no limit.
	MaxPackets uint64
	// Record is given every wanted packet, one at a time; its first error ends the recording, not the run.
	Record Recorder
	// RecordEnded is told of that error as it happens, by the goroutine that reads; nil for nobody.
	RecordEnded func(error)
	// Journal is given everything else that the report is made of; nil if nobody wants it, and without Record.
	Journal Journal
	// Session is what the files of a replay say beside their packets; nil for a live run. There is one source then.
	Session Session

	// LocalAddrs lists the host's addresses now; asked at the start and at every tick, because they change.
	// nil for files.
	LocalAddrs func() []netip.Prefix
	// Owners feeds the history; nil for files.
	Owners Owners
	// AbsentReason is why a flow that no source of ownership ever saw has no owner.
	AbsentReason pidmap.Reason
	// Counters are the kernel's; nil for files.
	Counters Counters
	// Readings of the interfaces' counters before and after the sources were opened, by name.
	BeforeOpen, AfterOpen map[string]summarize.InterfaceCounters

	// ListFlows says that the Summary must list every flow.
	ListFlows bool
	// TakeTimes says that the Summary must have times and look-ups: see flows.Table.TakeTimes.
	TakeTimes bool
	// NoNames says that names are not to be read from packets, nor look-ups.
	NoNames bool
	// By is what the Summary sums by where an owner is known; "" = apps.
	By pidmap.By
	// Destinations says what destinations are told apart by.
	Destinations summarize.Grouping
	// ListDestinations bounds the destinations listed under each app, as in summarize.Input; 0 lists all.
	ListDestinations int

	// Explain is the endpoint whose flows' owners the Summary must explain; the zero Endpoint for none.
	Explain summarize.Endpoint

	// Begun is called when the first look at sockets and counters is taken: packets count from now on. Nil for nobody.
	Begun func()
	// View is run in a goroutine of its own and given the run's progress until the channel is closed.
	View func(<-chan Progress)
	// Tick is how often View gets something, and what was recorded is handed to the system; 0 = twice a second.
	Tick time.Duration

	// Degraded is what this run cannot do, known before it begins.
	Degraded []string
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// Recorder keeps packets: a capture.Writer. A live run flushes it at each tick and when packets pause, so that whoever kills the process loses little.
type Recorder interface {
	WritePacket(*capture.Packet) error
	Flush() error
}

// DecodedRecorder is a Recorder that can do with what flows.Outer has decoded already.
type DecodedRecorder interface {
	Recorder
	WriteDecoded(p *capture.Packet, o *flows.Observation, payload []byte) error
}

// Owners is a source of ownership that runs beside the capture.
type Owners interface {
	// Run blocks until ctx ends and emits what it learns.
	Run(ctx context.Context, emit func([]pidmap.Event)) error
	// Wake asks for a look at the sockets soon; it never blocks.
	Wake()
	// Scan looks at all sockets once.
	Scan(ctx context.Context) ([]pidmap.Event, error)
}

// packetCounter is an Owners that can tell what the packets of open sockets have come to.
type packetCounter interface{ Count() []pidmap.Event }

// eventReuser is an Owners that takes back the lists that it has emitted.
type eventReuser interface{ Reuse([]pidmap.Event) }

// secondCounters are Counters that leave the ends of sockets to Owners until they are told that these have lost some.
type secondCounters interface{ Missed() }

// Counters are the kernel's own byte counters.
type Counters interface {
	Sockets(summarize.Moment) ([]summarize.SocketCounters, error)
	// RunClosed blocks until ctx ends and emits the last counters of each socket that the kernel destroys.
	RunClosed(ctx context.Context, emit func([]summarize.SocketCounters)) error
	// Overflows counts how often closed sockets were lost because nobody read them in time.
	Overflows() uint64
	Interfaces(names []string) (map[string]summarize.InterfaceCounters, error)
}

// Progress is how far a run is. Summary is only made for live runs, and less often when it takes long.
type Progress struct {
	Packets, Bytes uint64 // captured so far, frame bytes
	Flows          int
	Summary        *summarize.Summary // nil = no news
}

// Result is what a run ended with.
type Result struct {
	Summary *summarize.Summary
	// Warnings are what went wrong without ending the run, such as files cut short.
	Warnings []error
	// RecordErr ended the recording; the report is of the whole run all the same.
	RecordErr error
	// Interfaces is what the sources say of their interfaces in the end, received and dropped packets included.
	Interfaces []capture.Interface
}
