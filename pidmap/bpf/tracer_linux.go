//go:build amd64 || arm64

package bpf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"
)

const (
	// maxPoll bounds the events that one Poll returns: more than the ring can hold.
	maxPoll = 100_000
	// keptEvents bounds what is kept for the next Poll.
	keptEvents = 4096
	// maxCgroups bounds the paths that are remembered.
	maxCgroups = 4096
)

// Tracer reads what the programs in the kernel tell. Poll belongs to one goroutine at a time; the other methods may be
// called from any.
type Tracer struct {
	loaded  *loaded
	reader  *ringbuf.Reader
	ring    *os.File        // the ring again, for the runtime's poller: whoever waits in epoll_wait(2) keeps the runtime's monitor awake
	conn    syscall.RawConn // of ring
	damaged atomic.Uint64
	events  []Event // of the last Poll, reused

	mu      sync.Mutex // guards cgroups
	cgroups map[uint64]string
}

// Open loads and attaches the programs. The Report says what they see and what they do not, with an error too. An error that
// is os.ErrPermission says that rights are missing: CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are wanted.
func Open() (*Tracer, Report, error) {
	var report Report
	l, err := load(&report)
	if err != nil {
		report.Tier = ""
		return nil, report, err
	}
	t := &Tracer{loaded: l, cgroups: map[uint64]string{1: "/"}}
	if err := t.openRing(l.maps["events"]); err != nil {
		l.close()
		return nil, report, fmt.Errorf("open eBPF ring: %w", err)
	}
	return t, report, nil
}

// openRing opens the ring to read it and to wait for it.
func (t *Tracer) openRing(events *ebpf.Map) error {
	fd, err := unix.FcntlInt(uintptr(events.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	t.ring = os.NewFile(uintptr(fd), "eBPF ring")
	if t.conn, err = t.ring.SyscallConn(); err == nil {
		t.reader, err = ringbuf.NewReader(events)
	}
	if err != nil {
		return errors.Join(err, t.ring.Close())
	}
	t.reader.SetDeadline(time.Unix(1, 0)) // it does not wait: Wait does
	return nil
}

// Close takes the programs out of the kernel; Wait and Poll return.
func (t *Tracer) Close() error {
	err := errors.Join(t.ring.Close(), t.reader.Close())
	t.loaded.close()
	return err
}

// Wait waits until the ring holds so many bytes, the time comes or ctx ends. The kernel's side wakes it when the first record
// comes into an empty ring, and when much of the ring is full.
func (t *Tracer) Wait(ctx context.Context, until time.Time, bytes int) error {
	err := t.ring.SetReadDeadline(until)
	if err == nil {
		stop := context.AfterFunc(ctx, func() {
			t.ring.SetReadDeadline(time.Unix(1, 0)) // fails only once the Tracer is closed, which ends the wait too
		})
		defer stop()
		err = t.conn.Read(func(uintptr) bool { return t.reader.AvailableBytes() >= bytes })
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("wait for eBPF ring: %w", err)
	}
	return nil
}

// Poll returns what the ring holds, oldest first but for what several processors told at the same time. It reads at most some
// 100,000 events. The error wraps os.ErrClosed once the Tracer is closed.
func (t *Tracer) Poll() ([]Event, error) {
	var record ringbuf.Record
	events := t.events[:0]
	defer func() {
		if t.events = events; cap(events) > keptEvents {
			t.events = nil
		}
	}()
	for len(events) < maxPoll && t.reader.AvailableBytes() > 0 {
		err := t.reader.ReadInto(&record)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return events, nil
		case err != nil:
			return events, fmt.Errorf("read eBPF ring: %w", err)
		}
		e, err := Decode(record.RawSample)
		if err != nil {
			t.damaged.Add(1)
			continue
		}
		events = append(events, e)
	}
	return events, nil
}

// Moved is what a user of a shared socket has moved since the socket was shared; ok is false if it is not known (any more). For
// the first user Socket.Tx and Rx, of before, come on top.
func (t *Tracer) Moved(cookie uint64, u User) (m Moved, ok bool) {
	key := ownershipUserKey{Cookie: cookie, Start: u.Start, Exec: u.Exec, Tgid: uint32(u.PID)}
	var v ownershipMoved
	if t.loaded.maps["users"].Lookup(&key, &v) != nil {
		return Moved{}, false
	}
	return Moved{v.Tx, v.Rx}, true
}

// Counters say what was lost so far.
func (t *Tracer) Counters() Counters {
	return Counters{Records: t.lostOf(0), States: t.lostOf(1), Damaged: t.damaged.Load()}
}

// lostOf sums one of the kernel side's loss counters (record order of ownership.bpf.c) over all processors.
func (t *Tracer) lostOf(kind uint32) (sum uint64) {
	var each []uint64
	if t.loaded.maps["lost"].Lookup(&kind, &each) != nil {
		return 0
	}
	for _, n := range each {
		sum += n
	}
	return sum
}

// CgroupPath is the path of a cgroup below the root of cgroup v2, "" if it is gone or not ours to see.
func (t *Tracer) CgroupPath(id uint64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if path, ok := t.cgroups[id]; ok {
		return path
	}
	path := cgroupPath(t.loaded.cgroup, id)
	if len(t.cgroups) < maxCgroups {
		t.cgroups[id] = path
	}
	return path
}
