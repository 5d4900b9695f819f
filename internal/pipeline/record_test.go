package pipeline

import (
	"errors"
	"io"
	"testing"
	"time"

	"apptap/capture"
	"apptap/summarize"
)

// flushed is a Recorder that knows the times of the packets that had come by its flushes.
type flushed struct {
	last int64
	at   []int64
}

func (f *flushed) WritePacket(p *capture.Packet) error { f.last = p.Time; return nil }
func (f *flushed) Flush() error                        { f.at = append(f.at, f.last); return nil }

// TestRecordingHandedOn: packets that never pause are handed to the system all the same, of a capture that may be killed; a file
// is converted as fast as it goes.
func TestRecordingHandedOn(t *testing.T) {
	packets, _ := datagrams(2000, time.Unix(1000, 0)) // two seconds
	for live, want := range map[bool]int{true: 8, false: 0} {
		var f flushed
		stop := &tapeSource{packets: packets[:1999:1999], end: capture.ErrTimeout, iface: ethernet("eth0")}
		last := packets[1998].Time
		Run(t.Context(), Config{Live: live, MaxPackets: 1999, Sources: []capture.Source{stop}, Source: summarize.Source{Kind: "live"}, Record: &f,
			Tick: time.Hour, Now: func() time.Time { return capture.At(last) }})
		if len(f.at) != want {
			t.Errorf("live %v: flushed %d times, want %d", live, len(f.at), want)
		}
		for i := 1; i < len(f.at); i++ {
			if gap := time.Duration(f.at[i] - f.at[i-1]); gap > 251*time.Millisecond {
				t.Errorf("live %v: %v between flushes", live, gap)
			}
		}
	}
}

// waitingSource gives its packets and then nothing until it is told to end.
type waitingSource struct {
	tapeSource
	end <-chan struct{}
}

func (s *waitingSource) Next(p *capture.Packet) error {
	if len(s.packets) == 0 {
		<-s.end
	}
	return s.tapeSource.Next(p)
}

// atFlush is a Recorder that says when what it was given is flushed.
type atFlush struct {
	given int
	done  chan struct{}
}

func (f *atFlush) WritePacket(*capture.Packet) error { f.given++; return nil }
func (f *atFlush) Flush() error {
	if f.given == 10 {
		f.given = 0
		close(f.done)
	}
	return nil
}

// TestRecordingFlushedAtTick: what came last is handed to the system while a source waits for more, for as long as it likes.
func TestRecordingFlushedAtTick(t *testing.T) {
	packets, _ := datagrams(10, time.Unix(1000, 0))
	record := &atFlush{done: make(chan struct{})}
	source := &waitingSource{tapeSource: tapeSource{packets: packets, end: io.EOF, iface: ethernet("eth0")}, end: record.done}
	s := Run(t.Context(), Config{Sources: []capture.Source{source}, Live: true, Record: record, Tick: time.Millisecond}).Summary
	if got := s.Totals.Packets(); got != 10 {
		t.Errorf("%d packets, want 10", got)
	}
}

// TestRecordEnded: the first error of a recording is told of as it happens and once, be it of a packet or of a flush.
func TestRecordEnded(t *testing.T) {
	full := errors.New("full")
	for name, record := range map[string]failing{"a packet": {write: full}, "a flush": {flush: full}} {
		var told []error
		packets, _ := datagrams(2000, time.Unix(1000, 0))
		last := packets[1998].Time
		source := &tapeSource{packets: packets[:1999:1999], end: capture.ErrTimeout, iface: ethernet("eth0")}
		result := Run(t.Context(), Config{Live: true, MaxPackets: 1999, Sources: []capture.Source{source}, Source: summarize.Source{Kind: "live"}, Record: record,
			RecordEnded: func(err error) { told = append(told, err) }, Tick: time.Hour, Now: func() time.Time { return capture.At(last) }})
		if len(told) != 1 || told[0] != full || result.RecordErr != full {
			t.Errorf("%s: told of %v, and %v at the end; want %v once", name, told, result.RecordErr, full)
		}
	}
}

// failing is a Recorder on a full disk.
type failing struct{ write, flush error }

func (f failing) WritePacket(*capture.Packet) error { return f.write }
func (f failing) Flush() error                      { return f.flush }
