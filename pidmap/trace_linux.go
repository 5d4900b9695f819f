package pidmap

import (
	"context"
	"fmt"
	"math"
	"os/user"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"apptap/pidmap/bpf"
)

const (
	// traceGather is how long events are let come after the first: a wake-up for each would cost more than all the rest of it, and nobody
	// asks for an owner sooner. What a record lacks is looked up in /proc then, if the program still runs.
	traceGather = 50 * time.Millisecond
	// traceBurst is how many bytes of events are too much to wait, as in ownership.bpf.c.
	traceBurst = 512 << 10
	// kernelInterval is how often the kernel's own sockets are listed: a tunnel may be set up meanwhile.
	kernelInterval = 10 * time.Second
)

// trace fetches kernel events and translates them.
type trace struct {
	tracer *bpf.Tracer
	mu     sync.Mutex // guards t: the pipeline may ask for a Scan while Run is polling
	t      *translator
	procs  *procfs
	report bpf.Report
	spare  chan []Event // see Watcher.Reuse
}

// spareEvents bounds the lists that wait to be used again, and maxSpare their room.
const spareEvents, maxSpare = 8, 4096

// openTrace begins tracing and then looks at the processes that are there. lacks says what cannot be told here.
func openTrace(root string) (tr *trace, lacks []string, err error) {
	procs, err := newProcfs(root)
	if err != nil {
		return nil, nil, err
	}
	tracer, report, err := bpf.Open()
	if err != nil {
		return nil, nil, err
	}
	tr = &trace{tracer: tracer, t: newTranslator(), procs: procs, report: report, spare: make(chan []Event, spareEvents)}
	tr.t.describe, tr.t.complete, tr.t.moved = tr.describe, tr.complete, tracer.Moved
	tr.t.entry = tr.procs.entry
	tr.t.netns, tr.t.interfaceName = ownNamespace(), interfaceNames()
	tr.setClock()
	tr.rememberAll()
	for _, m := range report.Missing {
		lacks = append(lacks, fmt.Sprintf("kernel events do not tell of %s: %v", m.Lost, m.Err))
	}
	return tr, lacks, nil
}

// ownNamespace is the inode of this thread's network namespace, 0 = unknown.
func ownNamespace() uint32 {
	var stat unix.Stat_t
	if unix.Stat("/proc/thread-self/ns/net", &stat) != nil {
		return 0
	}
	return uint32(stat.Ino)
}

// clockTries bounds how often the clocks are read together, clockSlack is how near to each other is enough.
const (
	clockTries = 16
	clockSlack = 5 * time.Microsecond
)

// setClock finds what makes the time of day of the time since boot. It changes when the clock is set. Whoever is interrupted
// between the two would be wrong by as long: the time since boot is read before and after.
func (tr *trace) setClock() {
	apart := time.Duration(math.MaxInt64)
	for range clockTries {
		var before, day, after unix.Timespec
		if unix.ClockGettime(unix.CLOCK_BOOTTIME, &before) != nil || unix.ClockGettime(unix.CLOCK_REALTIME, &day) != nil ||
			unix.ClockGettime(unix.CLOCK_BOOTTIME, &after) != nil {
			return
		}
		if d := time.Duration(after.Nano() - before.Nano()); d < apart {
			apart = d
			tr.t.offset = day.Nano() - before.Nano() - int64(d/2)
		}
		if apart <= clockSlack {
			return
		}
	}
}

// rememberAll looks at the processes of now: one may do its last I/O and end before the first event of it is read.
func (tr *trace) rememberAll() {
	pids, err := tr.procs.pids()
	if err != nil {
		return // looked up one by one, while they live
	}
	for _, pid := range pids {
		if p, ok := tr.lookUp(pid); ok {
			tr.t.remember(p)
		}
	}
}

func (tr *trace) lookUp(pid int32) (Process, bool) {
	d, err := tr.procs.open(pid)
	if err != nil {
		return Process{}, false
	}
	defer d.close()
	p, err := tr.procs.describe(context.Background(), d)
	if err != nil {
		return Process{}, false
	}
	return p, true
}

func (tr *trace) describe(b bpf.Process) (Process, bool) {
	p, ok := tr.lookUp(b.PID)
	return p, ok && p.Key == keyOf(b.User)
}

func (tr *trace) complete(p *Process, b bpf.Process) {
	p.StartTime = startTime(tr.procs.boot, p.Key.Start)
	p.User = tr.userName(b.UID)
	if b.Cgroup != 0 {
		tr.procs.setCgroup(p, tr.tracer.CgroupPath(b.Cgroup))
	}
}

// userName is the name of a user id, or the number where it has none.
func (tr *trace) userName(uid uint32) string {
	if name, ok := tr.procs.users[uid]; ok {
		return name
	}
	name := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	tr.procs.users[uid] = name
	return name
}

// wait returns when something was told and a little after, or when the time comes or ctx ends.
func (tr *trace) wait(ctx context.Context, until time.Time) error {
	if err := tr.tracer.Wait(ctx, until, 1); err != nil {
		return err
	}
	if soon := time.Now().Add(traceGather); soon.Before(until) {
		until = soon
	}
	return tr.tracer.Wait(ctx, until, traceBurst)
}

// poll returns what was told since the last time.
func (tr *trace) poll() ([]Event, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	told, err := tr.tracer.Poll()
	if len(told) == 0 {
		return nil, err
	}
	tr.setClock() // who set it since would have these happen at other times than their packets
	events := tr.room()
	for i := range told {
		events = tr.t.add(events, &told[i])
	}
	return events, err
}

// room is a list that is empty.
func (tr *trace) room() []Event {
	select {
	case events := <-tr.spare:
		return events
	default:
		return nil
	}
}

// kernelSockets appends the UDP sockets that the kernel has made for itself. No event tells of them.
func (tr *trace) kernelSockets(dst []Event) []Event {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	listed, err := tr.tracer.KernelSockets()
	if err != nil {
		return dst // what they send and receive is without an owner then
	}
	for i := range listed {
		dst = tr.t.addSocket(dst, &listed[i])
	}
	return dst
}

// current appends the shares of now, and that all that was told still holds.
func (tr *trace) current(dst []Event) []Event {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.setClock()
	now := time.Now().UnixNano()
	return append(tr.t.current(dst, now), Event{Kind: SocketsCurrent, Time: now})
}

// counted appends what the UDP sockets that are open have counted.
func (tr *trace) counted(dst []Event) []Event {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	open, err := tr.tracer.OpenSockets()
	if err != nil {
		return dst // they are not compared then: the report counts them among those without counters
	}
	for i := range open {
		dst = tr.t.addSocket(dst, &open[i])
	}
	return append(dst, Event{Kind: SocketsCounted, Time: time.Now().UnixNano(), Method: MethodEBPF})
}

// lost is how many records were.
func (tr *trace) lost() uint64 {
	c := tr.tracer.Counters()
	return c.Records + c.States + c.Damaged
}

// runTrace is Run with kernel events: one look at what was there before them, then what they tell.
func (w *Watcher) runTrace(ctx context.Context, emit func([]Event)) error {
	events, err := w.scanner.scan(ctx, true)
	events = w.trace.kernelSockets(events)
	lost, current, sure, listed := uint64(0), time.Time{}, int64(0), time.Now()
	for err == nil && ctx.Err() == nil {
		told := len(events)
		events = w.nat.look(events)
		until := current.Add(scanInterval)
		if len(events) > told {
			until = time.Now().Add(traceGather) // nothing wakes for more of those
		}
		if len(events) > 0 {
			emit(events)
		}
		if err = w.trace.wait(ctx, until); err != nil {
			events = nil
			break
		}
		if events, err = w.trace.poll(); err != nil {
			break
		}
		now := time.Now()
		if now.Sub(current) < scanInterval {
			continue
		}
		current = now
		if n := w.trace.lost(); n > lost {
			lost = n
			events, err = w.recover(ctx, events, sure)
		}
		if now.Sub(listed) >= kernelInterval {
			listed, events = now, w.trace.kernelSockets(events)
		}
		sure = now.UnixNano()
		events = w.trace.current(events)
	}
	if len(events) > 0 {
		emit(events)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("watch sockets: %w", err)
}

// recover looks at all sockets after events were lost, and tells of each anew. Until sure there was no loss, 0 = that is not known.
func (w *Watcher) recover(ctx context.Context, events []Event, sure int64) ([]Event, error) {
	events = append(events, Event{Kind: EventsLost, Time: time.Now().UnixNano(), NotBefore: sure})
	w.scanner.forgetTold()
	scanned, err := w.scanner.scan(ctx, true)
	return append(events, scanned...), err
}

// misses says that one of the programs is not in the kernel.
func (tr *trace) misses(programs ...string) bool {
	return slices.ContainsFunc(tr.report.Missing, func(m bpf.Missing) bool { return slices.Contains(programs, m.Program) })
}
