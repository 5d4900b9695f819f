//go:build amd64 || arm64

package bpf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf/ringbuf"
)

const (
	// pollInterval is how often the ring is read: waking a sleeping reader costs more than all the rest of an
	// event, and nobody asks for an owner sooner.
	pollInterval = 20 * time.Millisecond
	// batchEvents bounds what is emitted at once.
	batchEvents = 512
	// maxCgroups bounds the paths that are remembered.
	maxCgroups = 4096
)

// Tracer reads what the programs in the kernel tell. Read belongs to one goroutine; the other methods may be
// called from any.
type Tracer struct {
	loaded *loaded
	reader *ringbuf.Reader
	root   *os.File // of cgroup v2
	lost   atomic.Uint64

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
	reader, err := ringbuf.NewReader(l.maps["events"])
	if err != nil {
		l.close()
		return nil, report, fmt.Errorf("open eBPF ring: %w", err)
	}
	root, err := os.Open(l.cgroup)
	if err != nil {
		reader.Close()
		l.close()
		return nil, report, fmt.Errorf("open cgroup root: %w", err)
	}
	return &Tracer{loaded: l, reader: reader, root: root, cgroups: map[uint64]string{1: "/"}}, report, nil
}

// Close takes the programs out of the kernel; Read returns.
func (t *Tracer) Close() error {
	err := t.reader.Close()
	t.loaded.close()
	return errors.Join(err, t.root.Close())
}

// Read blocks until ctx ends or the Tracer is closed, and emits what happened, oldest first but for what several
// processors told at the same time. After the end of ctx it emits what the ring still holds. emit keeps the slice.
func (t *Tracer) Read(ctx context.Context, emit func([]Event)) error {
	stop := context.AfterFunc(ctx, func() { t.reader.Flush() })
	defer stop()
	for {
		t.reader.SetDeadline(time.Now().Add(pollInterval))
		err := t.drain(emit)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, ringbuf.ErrFlushed):
			if ctx.Err() != nil {
				return ctx.Err()
			}
		default:
			return fmt.Errorf("read eBPF ring: %w", err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// Flush makes Read emit at once what the ring holds.
func (t *Tracer) Flush() error { return t.reader.Flush() }

// drain reads until the ring is empty; the error says why it then stopped.
func (t *Tracer) drain(emit func([]Event)) (err error) {
	var record ringbuf.Record
	var batch []Event
	for {
		if err = t.reader.ReadInto(&record); err != nil {
			break
		}
		e, bad := Decode(record.RawSample)
		if bad != nil {
			t.lost.Add(1)
			continue
		}
		if batch = append(batch, e); len(batch) == batchEvents {
			emit(batch)
			batch = nil
		}
	}
	if len(batch) > 0 {
		emit(batch)
	}
	return err
}

// Moved is what a user of a shared socket has moved since the socket was shared; ok is false if it is not known (any more). For
// the first user Socket.Tx and Rx, of before, come on top.
func (t *Tracer) Moved(cookie uint64, u User) (m Moved, ok bool) {
	key := ownershipUserKey{Cookie: cookie, Start: u.Start, Tgid: uint32(u.PID)}
	var v ownershipMoved
	if t.loaded.maps["users"].Lookup(&key, &v) != nil {
		return Moved{}, false
	}
	return Moved{v.Tx, v.Rx}, true
}

// Counters say what was lost so far.
func (t *Tracer) Counters() Counters {
	return Counters{Records: t.lostOf(0), States: t.lostOf(1), Damaged: t.lost.Load()}
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
	path := cgroupPath(t.root, id)
	if len(t.cgroups) < maxCgroups {
		t.cgroups[id] = path
	}
	return path
}
