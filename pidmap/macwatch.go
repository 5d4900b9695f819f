package pidmap

import (
	"errors"
	"fmt"
	"time"

	"apptap/flows"
)

const (
	// macScanInterval is how often descriptors are looked at: some 700 processes take single-digit milliseconds.
	macScanInterval = 500 * time.Millisecond
	// macCalmInterval is how often where the kernel is heard, which tells of every socket that a scan finds: a browser's new page would have
	// them looked at twenty times a second.
	macCalmInterval = 2 * time.Second
	// macPollInterval is how often the kernel is asked for all flows.
	macPollInterval = time.Second
	// macWakeInterval is how soon after the last look an unknown port is a reason for another.
	macWakeInterval = 50 * time.Millisecond
)

// macWatch joins what macOS has to tell of sockets. The kernel's word on a flow comes before a scan's: it knows on whose
// behalf a process acts, and tells of flows in user space that have no socket.
type macWatch struct {
	flows   *macFlows // nil if the kernel cannot be heard
	procs   *macProcs
	blind   bool             // scans are switched off
	refused func(error) bool // of proc_info(2): not ours to see
	pcbs    func(sysctl string) ([]byte, error)

	tap      macTap
	held     map[flows.Key]*heldSocket // told of from scans
	lastScan int64
	lastPoll int64
	off      []error // why sources were switched off
	stats    ScanStats
}

type heldSocket struct {
	macSocket
	seen int64
}

// step does what is due: it hears, asks and looks. now is nanoseconds since 1970 UTC.
func (w *macWatch) step(dst []Event, said map[flows.Key]Tapped, now func() int64, woken bool) []Event {
	if w.flows != nil {
		var err error
		if dst, err = w.hear(dst, now, woken); err != nil {
			w.off = append(w.off, fmt.Errorf("ntstat: switched off: %w", err))
			dst = w.flows.abandon(dst, now())
			w.flows.conn.Close() // nothing is on its way
			w.stats.Lost += w.flows.lost
			w.flows = nil
		}
	}
	if len(said)+len(w.tap.flows) > 0 {
		dst = w.tap.step(dst, said, w.procs, w.told, now())
	}
	interval := macScanInterval
	if w.flows != nil {
		interval, woken = macCalmInterval, false
	}
	if !w.blind && due(w.lastScan, now(), interval, woken) {
		var err error
		if dst, err = w.scan(dst, now); err != nil {
			w.off = append(w.off, fmt.Errorf("libproc: switched off: %w", err))
			w.blind = true
			dst = w.letGo(dst, now())
		}
	}
	return dst
}

// due says whether it is time again. A clock that was set back makes everything due.
func due(last, now int64, interval time.Duration, woken bool) bool {
	return now < last || now-last >= int64(interval) || woken && now-last >= int64(macWakeInterval)
}

func (w *macWatch) hear(dst []Event, now func() int64, woken bool) ([]Event, error) {
	if due(w.lastPoll, now(), macPollInterval, woken) {
		w.lastPoll = now()
		if err := w.flows.poll(); err != nil {
			return dst, err
		}
	}
	return w.flows.receive(dst, now)
}

// scan tells of sockets that are new, gone or in other hands, but for those that the kernel tells of itself.
func (w *macWatch) scan(dst []Event, now func() int64) ([]Event, error) {
	before := now()
	all, stats, err := w.procs.sockets(w.refused)
	if err != nil {
		return dst, err
	}
	if w.flows == nil && w.pcbs != nil {
		if err := w.procs.addPCBs(all, w.pcbs); err != nil {
			w.off = append(w.off, fmt.Errorf("pcblist: switched off: %w", err))
			w.pcbs = nil
		}
	}
	after := now()
	w.stats.add(time.Duration(after-before), true)
	w.stats.Processes, w.stats.Denied = stats.Processes, stats.Denied
	start := len(dst)
	for key, s := range all {
		if w.told(key) || w.tap.flows[key] != nil {
			continue
		}
		old := w.held[key]
		if old == nil || !sameHolders(old.holders, s.holders) {
			dst = append(dst, Event{Kind: SocketSeen, Time: after, Method: s.method, Socket: s.socket, Holders: s.holders,
				NotBefore: w.notBefore(old)})
		}
		w.held[key] = &heldSocket{*s, before}
	}
	for key, s := range w.held {
		if all[key] == nil || w.told(key) || w.tap.flows[key] != nil {
			dst = append(dst, Event{Kind: SocketClosed, Time: after, Method: s.method, Socket: s.socket, LastSeen: s.seen})
			delete(w.held, key)
		}
	}
	sortEvents(dst[start:])
	w.lastScan = before
	if w.flows == nil {
		dst = append(dst, Event{Kind: SocketsCurrent, Time: before, Method: MethodLibproc})
	}
	return dst, nil
}

// letGo closes all sockets that scans told of at the last time that they were seen: whose scans end knows of no later owner.
func (w *macWatch) letGo(dst []Event, now int64) []Event {
	start := len(dst)
	for _, s := range w.held {
		dst = append(dst, Event{Kind: SocketClosed, Time: now, Method: s.method, Socket: s.socket, LastSeen: s.seen})
	}
	clear(w.held)
	sortEvents(dst[start:])
	return dst
}

// told says whether the kernel tells of a flow by itself.
func (w *macWatch) told(key flows.Key) bool { return w.flows != nil && w.flows.knows(key) }

// notBefore is when the last scan did not find a socket that this one found.
func (w *macWatch) notBefore(old *heldSocket) int64 {
	if old != nil {
		return 0
	}
	return w.lastScan
}

// abandon closes all flows at the last time that they were told of: who is not heard any more owns nothing that comes later.
func (f *macFlows) abandon(dst []Event, now int64) []Event {
	start := len(dst)
	for ref := range f.told {
		dst = f.remove(dst, ref, now, false)
	}
	sortEvents(dst[start:])
	return dst
}

// again makes everything due.
func (w *macWatch) again() { w.lastScan, w.lastPoll = 0, 0 }

// failures says which sources ended before the run did, nil for none.
func (w *macWatch) failures() error {
	errs := w.off
	if w.flows != nil {
		for provider, err := range w.flows.refused {
			errs = append(errs, fmt.Errorf("ntstat: flows of provider %d are not told of: %w", provider, err))
		}
	}
	return errors.Join(errs...)
}

// alive says whether any source is left.
func (w *macWatch) alive() bool { return w.flows != nil || !w.blind }
