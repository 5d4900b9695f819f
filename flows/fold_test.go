package flows_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"apptap/flows"
)

// datagram is one packet of the n-th UDP flow.
func datagram(n uint32, at int64) flows.Observation {
	o := flows.Observation{Time: at, Frame: 60, IPBytes: 46, Payload: 18, Proto: flows.UDP}
	o.Src.Addr, o.Dst.Addr = [16]byte{10: 0xff, 11: 0xff, 12: 10}, [16]byte{10: 0xff, 11: 0xff, 12: 192, 14: 2}
	binary.BigEndian.PutUint16(o.Src.Addr[14:], uint16(n>>16))
	o.Src.Port, o.Dst.Port = uint16(n), 53
	return o
}

// TestFoldTakesTheIdlest folds again and again while flows come and go, against a plain map: what is folded was idle
// at least as long as what stays, every count is somewhere, and what stays is still found.
func TestFoldTakesTheIdlest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	table := flows.NewTable()
	defer table.Close()
	last := map[uint16]int64{} // by flow in the table
	var folded, fed uint64
	for now := int64(1); now < 60_000; now++ {
		n := uint32(rng.IntN(1 + rng.IntN(3000)))
		o := datagram(n, now/3*3) // ties too
		began, key := table.Add(&o)
		fed++
		if _, known := last[uint16(n)]; known == began {
			t.Fatalf("packet %d: began %v, but known %v", now, began, known)
		}
		if began && key.Local.Port != uint16(n) {
			t.Fatalf("packet %d began %v", now, key)
		}
		last[uint16(n)] = o.Time
		if table.Len() < 1000 {
			continue
		}
		newest := int64(0)
		table.Fold(900, flows.Local{}, func(f *flows.Flow) {
			folded += f.TxPackets + f.RxPackets
			newest = max(newest, f.Last)
			if got, ok := last[f.Key.Local.Port]; !ok || got != f.Last {
				t.Fatalf("folded %v, last seen %d, want %d", f.Key, f.Last, got)
			}
			delete(last, f.Key.Local.Port)
		})
		if table.Len() != 900 || len(last) != 900 {
			t.Fatalf("%d flows are left, and %d of the map, want 900", table.Len(), len(last))
		}
		for port, seen := range last {
			if seen < newest {
				t.Fatalf("port %d, last seen %d, stayed, but one of %d went", port, seen, newest)
			}
		}
	}
	kept := uint64(0)
	for f := range table.All(flows.Local{}) {
		kept += f.TxPackets + f.RxPackets
	}
	if folded == 0 || folded+kept != fed {
		t.Errorf("%d packets folded, %d kept, %d fed", folded, kept, fed)
	}
}

// TestFoldForgetsHoles: a record that is used again has none of the gaps of the flow that was folded from it.
func TestFoldForgetsHoles(t *testing.T) {
	table := flows.NewTable()
	segment := flows.Observation{Time: 1, Frame: 154, Payload: 100, Proto: flows.TCP, Flags: flows.ACK, Seq: 1000}
	segment.Src.Port, segment.Dst.Port = 1, 2
	table.Add(&segment)
	segment.Seq = 5000
	table.Add(&segment)
	gap := uint64(0)
	table.Fold(0, flows.Local{}, func(f *flows.Flow) { gap += f.TxGap + f.RxGap })
	if gap != 3900 || table.Len() != 0 {
		t.Fatalf("folded a gap of %d bytes and left %d flows, want 3900 and none", gap, table.Len())
	}
	segment.Src.Port = 3
	table.Add(&segment)
	for f := range table.All(flows.Local{}) {
		if f.TxGap+f.RxGap != 0 || f.TxStream+f.RxStream != 100 {
			t.Errorf("the next flow begins with %+v", f)
		}
	}
}
