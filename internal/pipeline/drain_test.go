package pipeline

import (
	"context"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"apptap/capture"
)

// lateSource is quiet for a while, has the run ended, and then gives packets that were captured before its end and are handed over
// after another quiet read.
type lateSource struct {
	tapeSource
	end    func()
	quiets int
}

func (s *lateSource) Next(p *capture.Packet) error {
	switch s.quiets++; {
	case s.quiets <= 2*quietReads:
		return capture.ErrTimeout
	case s.quiets == 2*quietReads+1:
		s.end()
		return capture.ErrTimeout
	}
	return s.tapeSource.Next(p)
}

// TestRunDrainsAfterSilence: silence before the end of a run does not say that nothing is on its way at its end.
func TestRunDrainsAfterSilence(t *testing.T) {
	packets, bytes := datagrams(100, time.Unix(1000, 0))
	ctx, cancel := context.WithCancel(t.Context())
	source := &lateSource{tapeSource: tapeSource{packets: packets, end: capture.ErrTimeout, iface: ethernet("eth0")}, end: cancel}
	s := Run(ctx, Config{Sources: []capture.Source{source}, Live: true, Now: func() time.Time { return time.Unix(2000, 0) }}).Summary
	if got := s.Totals.Bytes(); got != bytes {
		t.Errorf("%d bytes, want all %d that were captured before the end", got, bytes)
	}
}

// stoppedSource is quiet until it is stopped and a while longer, and then gives what it has.
type stoppedSource struct {
	tapeSource
	end     func()
	stopped atomic.Bool
	quiets  int // since it was stopped
}

func (s *stoppedSource) Next(p *capture.Packet) error {
	switch {
	case !s.stopped.Load():
		s.end()
		runtime.Gosched()
		return capture.ErrTimeout
	case s.quiets < 2*quietReads:
		s.quiets++
		return capture.ErrTimeout
	}
	return s.tapeSource.Next(p)
}

func (s *stoppedSource) Stop() { s.stopped.Store(true) }

// TestRunStops: a source that can be stopped is, at the end of the run, and says itself when it has given everything.
func TestRunStops(t *testing.T) {
	packets, bytes := datagrams(100, time.Unix(1000, 0))
	ctx, cancel := context.WithCancel(t.Context())
	source := &stoppedSource{tapeSource: tapeSource{packets: packets, end: io.EOF, iface: ethernet("eth0")}, end: cancel}
	s := Run(ctx, Config{Sources: []capture.Source{source}, Live: true, Now: func() time.Time { return time.Unix(2000, 0) }}).Summary
	if got := s.Totals.Bytes(); got != bytes {
		t.Errorf("%d bytes, want all %d that were captured before the stop", got, bytes)
	}
}
