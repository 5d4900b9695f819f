package pipeline

import (
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
			Now: func() time.Time { return capture.At(last) }})
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
