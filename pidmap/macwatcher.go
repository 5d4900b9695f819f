package pidmap

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"apptap/flows"
)

// MacSystem is what a MacWatcher asks of macOS. It is a struct of calls because that system's bytes are decoded the same on
// any other.
type MacSystem struct {
	// Flows connects to the kernel control com.apple.network.statistics. Each Read is a datagram; its error is
	// os.ErrDeadlineExceeded where none came within a twentieth of a second.
	Flows func() (io.ReadWriteCloser, error)
	// ProcInfo is proc_info(2): it fills in buf and returns how many bytes it wrote.
	ProcInfo func(number, pid, flavor int32, arg uint64, buf []byte) (int, error)
	// PCBs reads a sysctl that lists sockets; nil reads none. It is asked where Flows are not to be had.
	PCBs func(sysctl string) ([]byte, error)
	// Refused says whether an error of ProcInfo is a want of rights.
	Refused func(error) bool
	// UserName is the name of a user.
	UserName func(uid uint32) string
	// Files is the root of the file system.
	Files fs.FS
	// Responsible is responsibility_get_pid_responsible_for_pid(3); nil where it is not to be had, and then NoResponsible says why.
	Responsible   func(pid int32) (int32, bool)
	NoResponsible error
	// Nettop is what /usr/bin/nettop -L 1 -n -x prints, for Examine alone; nil starts none.
	Nettop func() ([]byte, error)
	// Talk opens a TCP connection of this process with itself and returns what ends it, for Examine alone; nil opens none.
	Talk func() (end func() error, err error)
	// InterfaceName is the name of a network interface, "" if it has none; nil knows none.
	InterfaceName func(index uint32) string
	// Ticks is how many ticks of the kernel's clock (mach_continuous_time) are a second, 0 = not known.
	Ticks uint64
	// Now is the clock, nanoseconds since 1970 UTC; nil = the system's.
	Now func() int64
}

// MacWatcher tells who uses which TCP, UDP and QUIC flows on macOS, from the kernel's statistics control and from scans of all
// processes' descriptors. Run belongs to one goroutine; Wake, Scan and Scans may be called from any.
type MacWatcher struct {
	mutex sync.Mutex // guards watch: a last Scan may come while Run goes on
	watch *macWatch
	// noResponsible is why no process is asked for that is responsible for another one, nil if that is asked.
	noResponsible error
	now           func() int64
	woken         atomic.Bool

	saidMutex sync.Mutex // guards said: a capture must not wait for a look
	said      map[flows.Key]Tapped
}

// OpenMac prepares watching. The strings say what it cannot do here. Whoever opens a MacWatcher closes it.
func OpenMac(system MacSystem) (*MacWatcher, []string) {
	w := &MacWatcher{now: system.Now, said: map[flows.Key]Tapped{}, watch: &macWatch{
		tap: macTap{flows: map[flows.Key]*tappedFlow{}}, procs: newMacProcs(system.ProcInfo), refused: system.Refused, pcbs: system.PCBs, held: map[flows.Key]*heldSocket{},
	}}
	if w.now == nil {
		w.now = func() int64 { return time.Now().UnixNano() }
	}
	w.watch.procs.apps.Files, w.watch.procs.apps.Responsible = system.Files, system.Responsible
	if system.UserName != nil {
		w.watch.procs.user = system.UserName
	}
	var degraded []string
	if w.noResponsible = system.NoResponsible; w.noResponsible != nil {
		degraded = append(degraded, fmt.Sprintf("services in no application count as the app that started them, or as their own: %v", w.noResponsible))
	}
	conn, err := system.Flows()
	if err == nil {
		if w.watch.flows, err = openMacFlows(conn, w.watch.procs); err != nil {
			conn.Close() // nothing is on its way
		}
	}
	if err != nil {
		return w, append(degraded, fmt.Sprintf("flows of user space networking, Safari's for one, have no owner, and the bytes of no socket are checked: %v", err))
	}
	w.watch.flows.interfaceName, w.watch.flows.ticks = system.InterfaceName, system.Ticks
	return w, degraded
}

// Close frees what the MacWatcher holds; Run must have returned.
func (w *MacWatcher) Close() error {
	if w.watch.flows == nil {
		return nil
	}
	return w.watch.flows.conn.Close()
}

// Wake asks for a look soon; it never blocks.
func (w *MacWatcher) Wake() { w.woken.Store(true) }

// Tapped takes in what packets of a live capture say of their owners; it never waits for a look. A packet's word is asked for
// where the kernel does not tell of the flow by itself.
func (w *MacWatcher) Tapped(list []Tapped) {
	w.saidMutex.Lock()
	defer w.saidMutex.Unlock()
	for i := range list {
		if t := &list[i]; len(w.said) < maxTapped {
			w.said[t.Key] = *t
		}
	}
}

// taken is what packets have said since it was last called.
func (w *MacWatcher) taken() map[flows.Key]Tapped {
	w.saidMutex.Lock()
	defer w.saidMutex.Unlock()
	if len(w.said) == 0 {
		return nil // not the map itself, which is filled while a look goes on
	}
	said := w.said
	w.said = map[flows.Key]Tapped{}
	return said
}

// Scan looks at all sockets once, and tells what those that are open have counted.
func (w *MacWatcher) Scan(ctx context.Context) ([]Event, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.watch.again()
	events := w.watch.step(nil, w.taken(), w.now, true)
	if w.watch.flows != nil {
		events = w.watch.flows.counted(events, w.now())
	}
	return events, ctx.Err()
}

// Run emits what it learns until ctx ends. Its error says which sources had to be switched off.
func (w *MacWatcher) Run(ctx context.Context, emit func([]Event)) error {
	for ctx.Err() == nil {
		events, heard, alive := w.step()
		emit(events)
		if !alive {
			break
		}
		if !heard { // else reading waits
			select {
			case <-ctx.Done():
			case <-time.After(macWakeInterval):
			}
		}
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.watch.failures()
}

func (w *MacWatcher) step() (events []Event, heard, alive bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	events = w.watch.step(nil, w.taken(), w.now, w.woken.Swap(false))
	return events, w.watch.flows != nil, w.watch.alive()
}

// Scans says what looking has cost.
func (w *MacWatcher) Scans() ScanStats {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	stats := w.watch.stats
	if w.watch.flows != nil {
		stats.Lost += w.watch.flows.lost
	}
	return stats
}

// Check tries each source once, for apptap doctor.
func (w *MacWatcher) Check() []Check {
	events, _ := w.Scan(context.Background())
	w.mutex.Lock()
	defer w.mutex.Unlock()
	counts := map[Method]int{}
	for _, e := range events {
		if e.Kind == SocketSeen {
			counts[e.Method]++
		}
	}
	ntstat := Check{Name: "flows and their counters from the kernel (ntstat)", OK: w.watch.flows != nil, Detail: fmt.Sprintf("%d flows", counts[MethodNtstat])}
	libproc := Check{Name: "descriptors of processes (libproc)", OK: !w.watch.blind && !wantsRoot(w.watch.stats), Detail: fmt.Sprintf(
		"%d more sockets of %d processes, of which %d were denied", counts[MethodLibproc], w.watch.stats.Processes, w.watch.stats.Denied)}
	if err := w.watch.failures(); err != nil {
		ntstat.Detail = err.Error()
	}
	if !ntstat.OK {
		ntstat.Mend = "report this with the version of macOS; sockets are found by scans meanwhile"
	}
	if !libproc.OK {
		libproc.Mend = "run as root: sudo apptap ..."
	}
	responsible := Check{Name: "app responsible for a process", OK: w.noResponsible == nil, Detail: "the system is asked"}
	if err := w.noResponsible; err != nil {
		responsible.Detail, responsible.Mend = err.Error(), "services are named by what started them meanwhile; build with CGO_ENABLED=1"
	}
	return []Check{ntstat, libproc, responsible}
}
