package pipeline

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/pidmap"
	"apptap/summarize"
)

// lateHost is a liveHost whose interface has counted all that was captured only some readings after the first.
type lateHost struct {
	*liveHost
	short int // readings that lack the last packet
	less  summarize.InterfaceCounters
}

func (h *lateHost) Interfaces(names []string) (map[string]summarize.InterfaceCounters, error) {
	if h.short--; h.short >= 0 {
		return map[string]summarize.InterfaceCounters{names[0]: h.less}, nil
	}
	return h.liveHost.Interfaces(names)
}

// TestRunReadings ends live runs of which the interface counted the last packet late, or more than -c takes.
func TestRunReadings(t *testing.T) {
	const packets = 20
	now := time.Unix(2000, 0)
	tape, bytes := datagrams(packets, now.Add(-time.Second))
	last := uint64(len(tape[packets-1].Data))
	all, most := bytes+500, bytes-last
	for _, c := range []struct {
		name     string
		short    int
		counted  uint64 // bytes, in the end
		limit    int
		causes   []summarize.Cause
		residual int64
	}{
		{name: "as captured", counted: bytes},
		{name: "a packet late", short: 2, counted: bytes},
		{name: "never", short: 99, counted: bytes, residual: -int64(last)},
		{name: "more than was captured", counted: all, residual: 500},
		{name: "behind the last packet that was asked for", counted: all, limit: packets, causes: []summarize.Cause{{Name: summarize.CausePacketLimit, Bytes: 500}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			source := &tapeSource{packets: append([]capture.Packet(nil), tape...), end: capture.ErrTimeout, iface: ethernet("tun0"), drained: interrupt}
			h := &lateHost{&liveHost{
				woken: make(chan struct{}, 1), ended: make(chan struct{}),
				counts: map[string]summarize.InterfaceCounters{"tun0": {TxPackets: packets, TxBytes: c.counted}},
			}, c.short, summarize.InterfaceCounters{TxPackets: packets - 1, TxBytes: most}}
			result := Run(ctx, Config{
				Live: true, Sources: []capture.Source{source}, Source: summarize.Source{Kind: "live", Interfaces: []string{"tun0"}},
				LocalAddrs:   func() []netip.Prefix { return nil },
				AbsentReason: pidmap.ReasonNoSocketSeen,
				Counters:     h, MaxPackets: uint64(c.limit),
				BeforeOpen: map[string]summarize.InterfaceCounters{"tun0": {}}, AfterOpen: map[string]summarize.InterfaceCounters{"tun0": {}},
				Now: func() time.Time { return now },
			})
			got := result.Summary.Audit.Interfaces[0]
			if diff := cmp.Diff(c.causes, got.Causes); diff != "" || got.ResidualBytes != c.residual || got.CapturedBytes != bytes {
				t.Errorf("got %+v, want %d bytes captured, causes %v, residual %d", got, bytes, c.causes, c.residual)
			}
		})
	}
}
