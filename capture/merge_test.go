package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"apptap/capture"

	"github.com/google/go-cmp/cmp"
)

// scripted is a source that plays a list; Data is overwritten by the next call, as a real one's is. An
// interface becomes known with its first packet.
type scripted struct {
	packets    []capture.Packet
	interfaces []capture.Interface
	end        error
	timeouts   int
	known      int
	closed     bool
	buffer     [1]byte
}

func (s *scripted) Next(p *capture.Packet) error {
	s.buffer[0] = 0xee
	if s.timeouts > 0 {
		s.timeouts--
		return capture.ErrTimeout
	}
	if len(s.packets) == 0 {
		return s.end
	}
	*p = s.packets[0]
	s.buffer[0] = p.Data[0]
	p.Data = s.buffer[:]
	s.packets = s.packets[1:]
	s.known = max(s.known, p.Interface+1)
	return nil
}

func (s *scripted) Interfaces() []capture.Interface { return s.interfaces[:s.known] }
func (s *scripted) Stats() capture.Stats {
	return capture.Stats{Received: uint64(len(s.interfaces)), Known: true}
}
func (s *scripted) Close() error { s.closed = true; return nil }

// script makes a source named by a letter with a packet at each time, alternating between two interfaces.
func script(name byte, end error, times ...int64) *scripted {
	s := &scripted{end: end}
	for i, at := range times {
		s.packets = append(s.packets, capture.Packet{Time: at, Data: []byte{name}, Interface: i % 2})
	}
	s.interfaces = []capture.Interface{{Name: string(name) + "0"}, {Name: string(name) + "1"}}
	return s
}

func TestMerge(t *testing.T) {
	cut := &capture.FileError{File: "b", Err: capture.ErrTruncated}
	a, b := script('a', io.EOF, 1, 5, 3, 9), script('b', cut, 1, 2, 3)
	empty := script('c', io.EOF)
	m := capture.Merge([]capture.Source{a, b, empty})
	packets, err := drain(m)
	if !errors.Is(err, capture.ErrTruncated) {
		t.Errorf("got %v at the end, want b's error", err)
	}
	if again := m.Next(&capture.Packet{}); !errors.Is(again, capture.ErrTruncated) {
		t.Errorf("got %v from a further Next, want the same error", again)
	}
	var got []string
	for _, p := range packets {
		got = append(got, fmt.Sprintf("%s%d on %s", p.Data, p.Time, m.Interfaces()[p.Interface].Name))
	}
	// a's 3 stays behind its 5: times inside one source may run backwards.
	want := []string{"a1 on a0", "b1 on b0", "b2 on b1", "b3 on b0", "a5 on a1", "a3 on a0", "a9 on a1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := m.Stats(); got != (capture.Stats{Received: 6, Known: true}) {
		t.Errorf("got stats %+v, want the sum", got)
	}
	if err := m.Close(); err != nil || !a.closed || !b.closed || !empty.closed {
		t.Errorf("got %v from Close, and closed %v %v %v", err, a.closed, b.closed, empty.closed)
	}
}

func TestMergePassesTimeoutsOn(t *testing.T) {
	slow := script('b', io.EOF, 1)
	slow.timeouts = 2
	m := capture.Merge([]capture.Source{script('a', io.EOF, 2), slow})
	var got []string
	for {
		var p capture.Packet
		err := m.Next(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, capture.ErrTimeout) {
			got = append(got, "timeout")
			continue
		}
		got = append(got, string(p.Data))
	}
	if want := []string{"timeout", "timeout", "b", "a"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMergeOfNothing(t *testing.T) {
	if err := capture.Merge(nil).Next(&capture.Packet{}); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
}

// TestMergeOfParts splits a list over many sources and wants it back.
func TestMergeOfParts(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	sources := make([]capture.Source, 9)
	parts := make([]*scripted, len(sources))
	for i := range parts {
		parts[i] = script(byte('a'+i), io.EOF)
		sources[i] = parts[i]
	}
	for at := range int64(1000) {
		part := parts[random.IntN(len(parts))]
		part.packets = append(part.packets, capture.Packet{Time: at, Data: []byte{1}})
	}
	packets, err := drain(capture.Merge(sources))
	if err != nil || len(packets) != 1000 {
		t.Fatalf("got %d packets and %v, want 1000", len(packets), err)
	}
	if !slices.IsSortedFunc(packets, func(a, b kept) int { return int(a.Time - b.Time) }) {
		t.Error("packets are not in the order of time")
	}
}

// TestMergeFiles merges real readers, whose Data moves with every call.
func TestMergeFiles(t *testing.T) {
	file := pcapFile(0xa1b2c3d4, false, false, 1)
	one, _ := mustRead(t, file)
	var sources []capture.Source
	for range 2 {
		s, err := capture.NewReader(bytes.NewReader(file), "test")
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, s)
	}
	var want []kept
	for _, p := range one {
		second := p
		second.Interface = 1
		want = append(want, p, second)
	}
	got, err := drain(capture.Merge(sources))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
