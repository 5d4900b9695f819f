package pidmap

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"apptap/pidmap/sockdiag"
)

// loop is a run of a Watcher: one goroutine that polls the kernel's queues and scans when there is reason to.
type loop struct {
	w        *Watcher
	emit     func([]Event)
	polls    []unix.PollFd
	budget   budget
	watches  watches
	wanted   bool // a scan, as soon as the budget allows
	periodic time.Time
	procs    []procEvent // reused
}

func newLoop(w *Watcher, emit func([]Event)) *loop {
	l := &loop{w: w, emit: emit, polls: []unix.PollFd{{Fd: int32(w.wake), Events: unix.POLLIN}}}
	if w.connector != nil {
		w.connector.control(func(fd int) error { // the socket stays open until after the run
			l.polls = append(l.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
			return nil
		})
	}
	if w.destroyed != nil {
		if fd, err := w.destroyed.FD(); err == nil {
			l.polls = append(l.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
	}
	return l
}

// turn waits for something to happen and deals with it.
func (l *loop) turn(ctx context.Context) error {
	if err := l.wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := l.readQueues(ctx); err != nil {
		return err
	}
	if err := l.runWatches(ctx); err != nil {
		return err
	}
	l.send(l.w.nat.look(nil))
	now := time.Now()
	all := !now.Before(l.periodic)
	if !all && !l.wanted || now.Before(l.budget.next(now)) {
		return nil
	}
	return l.scan(ctx, now, all)
}

// wait blocks until a queue has something or the next scan or watch is due.
func (l *loop) wait() error {
	now := time.Now()
	until := l.periodic
	if l.wanted {
		until = now
	}
	if at := l.budget.next(now); at.After(until) {
		until = at
	}
	if at, ok := l.watches.next(); ok && at.Before(until) {
		until = at
	}
	timeout := unix.NsecToTimespec(int64(max(until.Sub(now), 0)))
	_, err := unix.Ppoll(l.polls, &timeout, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	return nil
}

// scan looks at everything. When the wake-up is taken back before the look, one that comes during it
// causes another.
func (l *loop) scan(ctx context.Context, now time.Time, all bool) error {
	l.wanted = false
	if all {
		l.periodic = now.Add(scanInterval)
	}
	events, err := l.w.scanner.scan(ctx, all)
	l.budget.spend(now, time.Now())
	l.send(events)
	return err
}

func (l *loop) send(events []Event) {
	if len(events) > 0 {
		l.emit(events)
	}
}

// readQueues takes in what the kernel and Wake have queued.
func (l *loop) readQueues(ctx context.Context) error {
	var b [8]byte
	if n, _ := unix.Read(l.w.wake, b[:]); n == len(b) {
		l.w.woken.Store(false)
		l.wanted = true
	}
	if l.w.destroyed != nil {
		err := l.w.destroyed.Drain(func(destroyed []sockdiag.Socket) {
			l.send(l.w.scanner.closed(nil, destroyed, time.Now().UnixNano()))
		})
		if err != nil {
			return err
		}
	}
	if l.w.connector == nil {
		return nil
	}
	events, lost, err := l.w.connector.drain(l.procs[:0])
	l.procs = events
	if lost {
		l.w.lost.Add(1)
		l.wanted = true
	}
	for _, e := range events {
		l.process(ctx, e)
	}
	return err
}

// process deals with an event of the proc connector.
func (l *loop) process(ctx context.Context, e procEvent) {
	now := time.Now()
	switch e.what {
	case procEventExec:
		l.send(l.w.scanner.execed(ctx, e.pid, now.UnixNano()))
		l.watches.add(watch{pid: e.pid, began: now, inherited: l.w.scanner.inherited(e.pid)})
	case procEventExit:
		l.send(l.w.scanner.exited(e.pid, now.UnixNano()))
	}
}

// runWatches looks at the programs that were started a moment ago.
func (l *loop) runWatches(ctx context.Context) error {
	for {
		now := time.Now()
		v, ok := l.watches.due(now)
		if !ok {
			return nil
		}
		news, alive := l.w.scanner.news(v.pid, v.inherited)
		if !alive {
			continue
		}
		l.watches.again(v)
		if !news {
			continue
		}
		if now.Before(l.budget.next(now)) {
			l.wanted = true
			continue
		}
		events, pending, err := l.w.scanner.target(ctx, v.pid)
		l.budget.spend(now, time.Now())
		l.send(events)
		l.wanted = l.wanted || pending
		if err != nil {
			return err
		}
	}
}
