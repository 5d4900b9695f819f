package live

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// sleeper waits for a ring in the runtime's poller. A goroutine in poll(2) keeps its processor until the runtime's monitor takes
// it away, and that looks every 20 µs for a millisecond, then less often: at ten wake-ups a second it cost more than all the rest.
type sleeper struct {
	file     *os.File // of the packet socket, which it closes
	conn     syscall.RawConn
	woken    func(uintptr) bool // of conn.Read: whether to wait no more
	calls    int                // of woken, in this sleep
	patience time.Duration      // how long to sleep where nothing happens
	stopped  atomic.Bool
}

func newSleeper(fd int, patience time.Duration, ready func() bool) (s *sleeper, err error) {
	s = &sleeper{file: os.NewFile(uintptr(fd), "packet ring"), patience: patience}
	s.woken = func(uintptr) bool {
		s.calls++
		return s.calls > 1 || ready() // whatever the kernel wakes for, an error too
	}
	s.conn, err = s.file.SyscallConn()
	return s, err
}

// sleep returns when the kernel says that something happened, the time is over or stop was called; false says that the poller
// does not wait here.
func (s *sleeper) sleep(most time.Duration) bool {
	stopped := s.stopped.Load()
	if s.file.SetReadDeadline(time.Now().Add(most)) != nil {
		return false
	}
	if s.stopped.Load() != stopped {
		return true // stop's deadline may have come before this one
	}
	s.calls = 0
	err := s.conn.Read(s.woken)
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded)
}

// stop ends a sleep.
func (s *sleeper) stop() {
	s.stopped.Store(true)
	_ = s.file.SetReadDeadline(time.Unix(1, 0)) // fails where sleep does not sleep
}
