package pipeline

import (
	"context"
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
