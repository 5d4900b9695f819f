package summarize

import (
	"math/rand/v2"
	"slices"
	"testing"

	"apptap/flows"
)

// useTo is a flow of n bytes to the i-th address.
func useTo(i uint32, n uint64) *FlowUse {
	use := &FlowUse{Flow: flows.Flow{Counts: flows.Counts{TxPackets: 1, TxBytes: n}}}
	use.Flow.Key.Remote = flows.Endpoint{Addr: [16]byte{0: 0x20, 12: byte(i >> 24), 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}, Port: 443}
	use.Flow.Key.IPv6 = true
	return use
}

// TestDestinationTableAgainstMap sums flows of few destinations and lists some: they are the largest, and what is
// not listed is summed. With a limit below the number of destinations every byte is still in one of the two.
func TestDestinationTableAgainstMap(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		limit, kinds, list := 1<<20, 1+rng.Uint32N(600), rng.IntN(700)
		if seed%2 == 1 {
			limit = 2 + rng.IntN(300)
		}
		table := destinationTable{limit: limit}
		want := map[uint32]uint64{}
		var all uint64
		for range 5000 {
			i, n := rng.Uint32N(kinds), rng.Uint64N(1000)
			use := useTo(i, n)
			table.add(0, use, &Totals{use.Flow.Counts, 1})
			want[i] += n
			all += n
		}
		got := table.listed(1, list, new(Input).sideBySide)[0]
		sum, flowsSeen := got.others.Bytes(), got.others.Flows
		for _, d := range got.list {
			sum += d.Bytes()
			flowsSeen += d.Flows
		}
		if sum != all || flowsSeen != 5000 {
			t.Fatalf("seed %d: %d bytes and %d flows are listed or summed, want %d and 5000", seed, sum, flowsSeen, all)
		}
		if limit < len(want) {
			if len(got.list) > limit {
				t.Fatalf("seed %d: %d destinations kept apart, want no more than %d", seed, len(got.list), limit)
			}
			continue
		}
		sizes := make([]uint64, 0, len(want))
		for _, n := range want {
			sizes = append(sizes, n)
		}
		slices.SortFunc(sizes, func(a, b uint64) int { return int(b) - int(a) })
		if list > 0 {
			sizes = sizes[:min(list, len(sizes))]
		}
		if got.others.Destinations != len(want)-len(sizes) {
			t.Errorf("seed %d: %d others, want %d", seed, got.others.Destinations, len(want)-len(sizes))
		}
		for i, d := range got.list {
			if d.Bytes() != sizes[i] {
				t.Fatalf("seed %d: destination %d has %d bytes, want %d", seed, i, d.Bytes(), sizes[i])
			}
		}
	}
}

// TestFoldedFlowsCount: flows that were folded are in the same sums as if they had been kept, but that none of them is
// compared with a socket.
func TestFoldedFlowsCount(t *testing.T) {
	for seed := range uint64(300) {
		in := newDice(seed).input()
		in.Sockets = nil
		kept := Build(in)
		in.Folded = NewFolded()
		half := len(in.Flows) / 2
		for i := range in.Flows[:half] {
			in.Folded.Add(&in, &in.Flows[i])
		}
		in.Flows = in.Flows[half:]
		folded := Build(in)
		if got := folded.Folded.Flows; got != half || in.Folded.Flows() != half {
			t.Fatalf("seed %d: %d flows folded, want %d", seed, got, half)
		}
		if again := Build(in); again.Totals != folded.Totals {
			t.Fatalf("seed %d: the second Summary has %+v, the first %+v", seed, again.Totals, folded.Totals)
		}
		if folded.Totals != kept.Totals || folded.Unattributed.Totals != kept.Unattributed.Totals || len(folded.Apps) != len(kept.Apps) {
			t.Fatalf("seed %d: folded %+v\nkept %+v", seed, folded, kept)
		}
		for i := range kept.Apps {
			a, b := &kept.Apps[i], &folded.Apps[i]
			if a.App.ID != b.App.ID || a.Totals != b.Totals || len(a.Destinations) != len(b.Destinations) || len(a.Processes) != len(b.Processes) {
				t.Fatalf("seed %d: app folded %+v\nkept %+v", seed, b, a)
			}
			for j := range a.Destinations {
				if a.Destinations[j].Totals != b.Destinations[j].Totals || a.Destinations[j].Name != b.Destinations[j].Name {
					t.Fatalf("seed %d: destination folded %+v\nkept %+v", seed, b.Destinations[j], a.Destinations[j])
				}
			}
		}
		if a, b := kept.Audit, folded.Audit; a.Unavailable != b.Unavailable || a.Checked != 0 || b.Checked != 0 {
			t.Fatalf("seed %d: %d flows without comparison, kept %d", seed, b.Unavailable, a.Unavailable)
		}
	}
}
