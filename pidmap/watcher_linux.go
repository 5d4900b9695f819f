package pidmap

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"apptap/pidmap/sockdiag"
)

// scanInterval is the slow scan: it finds sockets that changed hands and those that no event told of.
const scanInterval = time.Second

// Watcher tells who uses which TCP and UDP sockets: from kernel events (eBPF) where they can be had, with one look at what
// was there before them. Elsewhere it tells who holds the sockets of this network namespace, from INET_DIAG dumps, the descriptors in
// /proc and the proc connector: a scan sees a moment, a process that lives a few milliseconds may be missed, and
// then its bytes have no owner. Run belongs to one goroutine; Wake, Scan and Scans may be called from any.
type Watcher struct {
	scanner   *scanner
	trace     *trace             // nil if the kernel does not tell; the two below are then the next best
	connector *connector         // nil if it cannot be opened
	destroyed *sockdiag.Listener // nil if it cannot be opened
	nat       *translations      // nil if the kernel translates nothing, or it cannot be opened
	wake      int                // eventfd(2)
	woken     atomic.Bool        // spares a system call for every Wake until the scan has begun
	lost      atomic.Uint64
	untold    error // see Untold
}

// Open prepares watching. The strings say what it cannot do here, each with the mend; it is an error if no
// socket could be found at all. Whoever opens a Watcher closes it.
func Open(c Config) (*Watcher, []string, error) {
	if c.ProcRoot == "" {
		c.ProcRoot = defaultRoot
	}
	procs, err := newProcfs(c.ProcRoot)
	if err != nil {
		return nil, nil, err
	}
	conn, err := sockdiag.Open()
	if err != nil {
		return nil, nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("open eventfd: %w", err)
	}
	w := &Watcher{wake: wake, scanner: &scanner{
		procs: procs, conn: conn,
		sockets: map[identity]*tracked{}, byInode: map[uint64]*tracked{}, cache: map[int32]*cached{},
	}}
	var degraded []string
	var lack string
	if w.nat, lack = openTranslations(); lack != "" {
		degraded = append(degraded, lack)
	}
	if !c.Polling {
		var lacks []string
		if w.trace, lacks, err = openTrace(c.ProcRoot); err == nil {
			return w, append(lacks, degraded...), nil
		}
		w.untold = err
		degraded = append(degraded, polledFor(err))
	}
	return w, append(degraded, w.openEvents(c.ProcRoot)...), nil
}

// openEvents opens what makes scanning better but can be done without.
func (w *Watcher) openEvents(root string) (degraded []string) {
	var err error
	if w.connector, err = openConnector(root); err != nil {
		degraded = append(degraded, fmt.Sprintf("short-lived programs may be missed: %v; %s", err, connectorMend(err)))
	}
	if w.destroyed, err = sockdiag.OpenListener(); err != nil {
		degraded = append(degraded, fmt.Sprintf("the end of sockets is known only to the second: %v", err))
	}
	if check := probeDescriptors(w.scanner.procs); !check.OK {
		degraded = append(degraded, fmt.Sprintf("sockets of some processes have no owner: %s; %s", check.Detail, check.Mend))
	}
	return degraded
}

// Close frees what the Watcher holds; Run must have returned.
func (w *Watcher) Close() error {
	var errs []error
	if w.trace != nil {
		errs = append(errs, w.trace.tracer.Close())
	}
	if w.connector != nil {
		errs = append(errs, w.connector.close())
	}
	if w.destroyed != nil {
		errs = append(errs, w.destroyed.Close())
	}
	return errors.Join(append(errs, w.nat.close(), w.scanner.conn.Close(), unix.Close(w.wake))...)
}

// Wake asks Run for a look at the sockets soon. It never blocks.
func (w *Watcher) Wake() {
	if w.woken.Swap(true) {
		return
	}
	one := [8]byte{1, 1, 1, 1, 1, 1, 1, 1} // any number but 0 will do, in either byte order
	unix.Write(w.wake, one[:])             // fails only if there are wake-ups waiting already
}

// Scan looks once at all sockets and at the descriptors of all processes, and tells what neither it nor
// Run has told before.
func (w *Watcher) Scan(ctx context.Context) ([]Event, error) {
	events, err := w.scanner.scan(ctx, true)
	events = w.nat.look(events)
	if w.trace != nil {
		told, traceErr := w.trace.poll()
		events = append(w.trace.kernelSockets(w.trace.current(told)), events...)
		err = errors.Join(err, traceErr)
	}
	if err != nil {
		return events, fmt.Errorf("scan sockets: %w", err)
	}
	return events, nil
}

// Told says whether kernel events tell of owners, so that nothing has to be looked at in time.
func (w *Watcher) Told() bool { return w.trace != nil }

// Untold is why kernel events do not tell of owners, os.ErrPermission for one; nil where they do or were not asked for.
func (w *Watcher) Untold() error { return w.untold }

// Counts says whether the packets of sockets are counted, those of open ones too.
func (w *Watcher) Counts() bool {
	if w.trace == nil {
		return false
	}
	_, err := w.trace.tracer.OpenSockets()
	return err == nil && !w.trace.misses("skb_egress", "skb_ingress")
}

// Count tells what the packets of the sockets that are open have come to by now, nothing where kernel events do not count them.
func (w *Watcher) Count() []Event {
	if w.trace == nil {
		return nil
	}
	return w.trace.counted(nil)
}

// Scans says what the looking has cost so far.
func (w *Watcher) Scans() ScanStats {
	w.scanner.mu.Lock()
	defer w.scanner.mu.Unlock()
	stats := w.scanner.stats
	stats.Lost = w.lost.Load() + w.nat.overflows()
	if w.destroyed != nil {
		stats.Lost += w.destroyed.Overflows()
	}
	if w.trace != nil {
		stats.Lost += w.trace.lost()
	}
	return stats
}

// Reuse takes back a list that Run has emitted, once nobody looks at it any more: an event is half a kilobyte, and a connection has
// eight. It may be called from any goroutine.
func (w *Watcher) Reuse(events []Event) {
	if w.trace == nil || cap(events) > maxSpare {
		return
	}
	clear(events)
	select {
	case w.trace.spare <- events[:0]:
	default:
	}
}

// Run blocks until ctx ends and emits what it learns: everything there is at once, then what changes, when it is
// woken, when programs start and end, and once a second. emit may block; the kernel's queues hold what comes
// meanwhile. The error is ctx's, or why there is nothing more to learn.
func (w *Watcher) Run(ctx context.Context, emit func([]Event)) error {
	stop := context.AfterFunc(ctx, func() { w.woken.Store(false); w.Wake() })
	defer stop()
	if w.trace != nil {
		return w.runTrace(ctx, emit)
	}
	l := newLoop(w, emit)
	for ctx.Err() == nil {
		if err := l.turn(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("watch sockets: %w", err)
		}
	}
	return ctx.Err()
}
