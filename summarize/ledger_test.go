package summarize

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
	"apptap/pidmap"
)

// TestLedger books two interfaces of 9,000 bytes by the kernel's count: one with a filter, one with drops.
func TestLedger(t *testing.T) {
	readings := func(bytes uint64) *InterfaceReadings {
		c := InterfaceCounters{RxPackets: 60, RxBytes: bytes}
		return &InterfaceReadings{BeforeClose: c, AfterClose: c}
	}
	mine, strange := whole(), whole()
	strange.Key.Local.Port = 1
	in := Input{
		Flows: []flows.Flow{mine, strange}, Live: true,
		Owner: func(k flows.Key, _ flows.Initiator, _, _ int64) pidmap.Attribution {
			if k == mine.Key {
				return ownedBy("curl", 1)
			}
			return pidmap.Attribution{Reason: pidmap.ReasonNoSocketSeen}
		},
		Undecoded:  []flows.Undecoded{{Kind: "arp", Packets: 2, Bytes: 120}},
		SeenBefore: flows.Repeated{Packets: 1, Bytes: 80},
		Interfaces: []InterfaceInput{
			{Name: "eth0", CapturedPackets: 20, CapturedBytes: 7200, Readings: readings(8000), Filter: "tcp"},
			{Name: "eth1", CapturedPackets: 19, CapturedBytes: 7200, Readings: readings(7250), DroppedKernel: 1},
		},
	}
	all := mine.Bytes()
	want := Ledger{KernelBytes: 15250, CapturedBytes: 14400, Apps: all, Unattributed: all, Undecoded: 120, SeenBefore: 80, FilteredOut: 800,
		Causes: []Cause{{CauseCaptureDrop, 50}}}
	got := Build(in)
	if diff := cmp.Diff(want, got.Audit.Ledger); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}

	in.Undecoded[0].Bytes -= 7
	if got := Build(in).Audit.Ledger; got.ResidualBytes != 7 {
		t.Errorf("7 bytes booked nowhere: residual %d, want 7", got.ResidualBytes)
	}
	in.Interfaces[1].Readings = nil
	if got := Build(in).Audit.Ledger; got.Unavailable == "" || got.ResidualBytes != 0 || got.KernelBytes != 0 || got.CapturedBytes != 14400 {
		t.Errorf("one interface without counters: got %+v", got)
	}
}

// TestLedgerAddsUp demands the ledger's equation of any run, and that what is captured is booked, byte by byte.
func TestLedgerAddsUp(t *testing.T) {
	known := 0
	for seed := range uint64(2000) {
		s := Build(newDice(seed).input())
		l := s.Audit.Ledger
		if got, want := l.Apps+l.Unattributed+l.Undecoded+l.SeenBefore, s.Totals.Bytes()+s.Undecoded.Bytes+s.SeenBefore.Bytes; got != want {
			t.Fatalf("seed %d: booked %d of %d bytes captured: %+v", seed, got, want, l)
		}
		if l.Unavailable != "" {
			continue
		}
		known++
		sum := int64(l.Apps+l.Unattributed+l.Undecoded+l.SeenBefore+l.FilteredOut) + l.ResidualBytes
		for _, c := range l.Causes {
			sum += c.Bytes
		}
		if sum != int64(l.KernelBytes) {
			t.Fatalf("seed %d: the ledger sums to %d, want %d: %+v", seed, sum, l.KernelBytes, l)
		}
	}
	if known == 0 {
		t.Error("no run has a ledger: nothing was tested")
	}
}
