package live

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTapSample: packets are counted by whom their headers name, and one header of each description is kept.
func TestTapSample(t *testing.T) {
	s := &TapSample{Headers: map[string]int{}}
	own, nobody, kernel := tapHeader(301, "frame"), tapHeader(0xffffffff, "frame"), tapHeader(0, "frame")
	source := &fakeTap{packets: [][]byte{own, own, nobody, kernel, []byte("no header")}}
	if err := s.read(source, 301); err != nil {
		t.Fatal(err)
	}
	if s.Packets != 4 || s.Own != 2 || s.Nobody != 2 || s.Unknown != 1 || len(s.Samples) != 1 {
		t.Errorf("got %+v; want four packets with headers, two of them ours and two nobody's, and one without", s)
	}
	if diff := cmp.Diff(map[string]int{"version 1, 156 bytes, link type 1, out": 4}, s.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if taps {
		return
	}
	if _, err := SampleTap("lo", 301, func() error { return nil }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without taps: got %v, want one that wraps %v", err, errors.ErrUnsupported)
	}
}
