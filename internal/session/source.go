package session

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"apptap/capture"
	"apptap/pidmap"
)

// Source is a capture file that may be a session: its packets, and what its own blocks tell. Next and Events belong to
// one goroutine, as those of a capture.Source do.
type Source struct {
	capture.Source
	name  string
	files []string // names of those that have been opened: one, or parts of a run
	last  int64    // time of the newest packet
	any   bool     // there was one

	mu      sync.Mutex // guards records: a report may be made while the file is read. Packets do not take it.
	records records
}

// NewSource reads from inner, a file that messages call name.
func NewSource(inner capture.Source, name string) *Source {
	s := &Source{Source: inner, name: name}
	s.listen(inner, name)
	return s
}

// listen has the blocks of a file taken in as it is read.
func (s *Source) listen(file capture.Source, name string) {
	ng, ok := file.(*capture.NgReader)
	if !ok {
		return
	}
	s.files = append(s.files, name)
	s.records.files++
	ng.OnBlock(BlockType, func(body []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.records.take(body)
	})
}

// cut notes that a file of the run was not read to its end.
func (s *Source) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records.cut, s.records.torn = true, true
}

// Next implements capture.Source. A session that ends without its last record, however cleanly, ends with an error that
// wraps capture.ErrTruncated and says what is missing.
func (s *Source) Next(p *capture.Packet) error {
	err := s.Source.Next(p)
	if err == nil {
		s.last, s.any = max(s.last, p.Time), true
		if s.records.state != nil { // only this goroutine sets it
			p.Owner, p.Direction = nil, capture.DirectionUnknown // written from the session's own events, for other programs: no second opinion
		}
		return nil
	}
	if errors.Is(err, capture.ErrTimeout) {
		return err
	}
	s.mu.Lock()
	s.records.empty = !s.any
	s.records.ended()
	s.mu.Unlock()
	if missing := s.missing(); len(missing) > 0 {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return errors.Join(append([]error{err}, missing...)...)
	}
	return err
}

// Names are what the name resolution blocks of the file say, once all of it has been read. Those that apptap writes repeat what
// packets state.
func (s *Source) Names() []capture.Name {
	file, ok := s.Source.(*capture.NgReader)
	if !ok || strings.HasPrefix(file.Application(), "apptap") {
		return nil
	}
	return file.Names()
}

// missing says what a session that is read to its end lacks.
func (s *Source) missing() (errs []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, trouble := range s.records.troubles() {
		errs = append(errs, fmt.Errorf("%s: %s", s.name, trouble))
	}
	for _, state := range s.records.states() {
		if state.Final || state.continued() {
			continue
		}
		until, name := state.End, s.name
		if state == s.records.state {
			until, name = max(until, s.last), s.files[len(s.files)-1]
		}
		errs = append(errs, fmt.Errorf("%s: %w: the session was not ended; missing are packets and owners of after %s, "+
			"how many packets were received and dropped, and the kernel's counters at the end",
			name, capture.ErrTruncated, capture.At(until).Format("2006-01-02T15:04:05.000000Z07:00")))
	}
	return errs
}

// takeEvents gives the events read since the last call.
func (s *Source) takeEvents() []pidmap.Event {
	if len(s.records.events) == 0 {
		return nil // only the caller's goroutine adds any
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.records.events
	s.records.events = nil
	return events
}
