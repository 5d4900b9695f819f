//go:build cgo

package live

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"

	"apptap/capture"
	"apptap/fixtures"
)

func TestRingBlockBytes(t *testing.T) {
	tests := []struct{ buffer, want int }{
		{1 << 20, 256 << 10}, {leastBuffer, 256 << 10}, {8 << 20, 256 << 10}, {16 << 20, 512 << 10},
		{DefaultBufferBytes, 1 << 20}, {33<<20 + 5, 1 << 20}, {mostBuffer, 1 << 20},
	}
	for _, tt := range tests {
		if got := ringBlockBytes(tt.buffer); got != tt.want {
			t.Errorf("%d bytes: blocks of %d, want %d", tt.buffer, got, tt.want)
		}
	}
}

// TestIntegrationHold says what the kernel is told of the time that a block may wait for more packets.
func TestIntegrationHold(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	wire(t)
	for _, tt := range []struct {
		name           string
		config         Config
		hold, patience time.Duration
	}{
		{"somebody looks for owners", Config{}, DefaultReadTimeout, DefaultReadTimeout},
		{"as asked", Config{ReadTimeout: 30 * time.Millisecond}, 30 * time.Millisecond, 30 * time.Millisecond},
		{"kernel events tell of owners", Config{Relaxed: true}, RelaxedHold, relaxedPatience},
	} {
		tt.config.Interface, tt.config.Reader = "far0", ReaderRing
		r := requireCapture(t, tt.config).Source.(*ring)
		if r.hold != tt.hold || r.sleeper.patience != tt.patience {
			t.Errorf("%s: blocks are held for %v and waited for %v, want %v and %v", tt.name, r.hold, r.sleeper.patience, tt.hold, tt.patience)
		}
	}
}

// TestIntegrationStop ends a capture whose last block is half full, and one whose ring is empty.
func TestIntegrationStop(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	wire(t)
	frame := fixtures.UDP(netip.MustParseAddrPort("10.95.0.1:4001"), netip.MustParseAddrPort("10.95.0.2:4001"), make([]byte, 100))
	for _, frames := range []int{0, 1, 5, 3000} { // the last fill a block and begin another
		s := requireCapture(t, Config{Interface: "far0", Reader: ReaderRing, Relaxed: true, BufferBytes: 8 << 20, Filter: "udp port 4001"})
		sendFrames(t, "near0", slices.Repeat([][]byte{frame}, frames)...)
		s.Source.(*ring).Stop()
		if got := rest(t, s); got != frames {
			t.Errorf("%d packets after the stop, want %d", got, frames)
		}
	}
}

// TestIntegrationStopWaiting ends a capture that waits for packets.
func TestIntegrationStopWaiting(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	wire(t)
	s := requireCapture(t, Config{Interface: "far0", Reader: ReaderRing, Relaxed: true, Filter: "udp port 4001"})
	ended := make(chan error)
	s.Source.(*ring).sleeper.patience = time.Hour // so that only Stop can end the wait
	go func() {
		var p capture.Packet
		ended <- s.Next(&p)
	}()
	s.Source.(*ring).Stop()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want io.EOF", err)
	}
}

// rest counts the packets until the source ends.
func rest(t *testing.T, s *Source) (packets int) {
	t.Helper()
	var p capture.Packet
	for {
		switch err := s.Next(&p); {
		case errors.Is(err, io.EOF):
			return packets
		case err != nil:
			t.Fatal(err)
		}
		packets++
	}
}
