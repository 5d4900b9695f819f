package pipeline

import (
	"errors"
	"io"
	"testing"
	"time"

	"apptap/capture"
	"apptap/summarize"
)

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

// TestRecordingFlushedAtTick: what came last is handed to the system while a source waits for more, for as long as it likes; a file is
// converted as fast as it goes.
func TestRecordingFlushedAtTick(t *testing.T) {
	packets, _ := datagrams(10, time.Unix(1000, 0))
	record := &atFlush{done: make(chan struct{})}
	source := &waitingSource{tapeSource: tapeSource{packets: packets, end: io.EOF, iface: ethernet("eth0")}, end: record.done}
	s := Run(t.Context(), Config{Sources: []capture.Source{source}, Live: true, Record: record, Tick: time.Millisecond}).Summary
	if got := s.Totals.Packets(); got != 10 {
		t.Errorf("%d packets, want 10", got)
	}
	fast := &atFlush{done: make(chan struct{})}
	file := &tapeSource{packets: packets, end: io.EOF, iface: ethernet("eth0")}
	Run(t.Context(), Config{Sources: []capture.Source{file}, Record: fast, Tick: time.Nanosecond})
	if fast.given != 10 {
		t.Error("a file was flushed on the way")
	}
}

// endlessSource has another packet at once, until what it gave was flushed.
type endlessSource struct {
	tapeSource
	end <-chan struct{}
}

func (s *endlessSource) Next(p *capture.Packet) error {
	select {
	case <-s.end:
		return io.EOF
	default:
		*p = s.packets[0]
		return nil
	}
}

// TestRecordingNeverPauses: packets that never pause are handed to the system all the same, of a capture that may be killed.
func TestRecordingNeverPauses(t *testing.T) {
	packets, _ := datagrams(1, time.Unix(1000, 0))
	record := &anyFlush{done: make(chan struct{})}
	source := &endlessSource{tapeSource: tapeSource{packets: packets, iface: ethernet("eth0")}, end: record.done}
	Run(t.Context(), Config{Sources: []capture.Source{source}, Live: true, Record: record, Tick: time.Millisecond})
	if !record.flushed {
		t.Error("nothing was flushed")
	}
}

// anyFlush is a Recorder that says when it was flushed.
type anyFlush struct {
	flushed bool
	done    chan struct{}
}

func (f *anyFlush) WritePacket(*capture.Packet) error { return nil }
func (f *anyFlush) Flush() error {
	if !f.flushed {
		f.flushed = true
		close(f.done)
	}
	return nil
}

// TestRecordEnded: the first error of a recording is told of as it happens and once, be it of a packet or of a flush.
func TestRecordEnded(t *testing.T) {
	full := errors.New("full")
	for name, record := range map[string]failing{"a packet": {write: full}, "a flush": {flush: full}} {
		var told []error
		packets, _ := datagrams(1, time.Unix(1000, 0))
		ended := make(chan struct{})
		source := &endlessSource{tapeSource: tapeSource{packets: packets, iface: ethernet("eth0")}, end: ended}
		result := Run(t.Context(), Config{Live: true, Sources: []capture.Source{source}, Source: summarize.Source{Kind: "live"}, Record: record,
			RecordEnded: func(err error) {
				if told = append(told, err); len(told) == 1 {
					close(ended)
				}
			}, Tick: time.Millisecond})
		if len(told) != 1 || told[0] != full || result.RecordErr != full {
			t.Errorf("%s: told of %v, and %v at the end; want %v once", name, told, result.RecordErr, full)
		}
	}
}

// failing is a Recorder on a full disk.
type failing struct{ write, flush error }

func (f failing) WritePacket(*capture.Packet) error { return f.write }
func (f failing) Flush() error                      { return f.flush }
