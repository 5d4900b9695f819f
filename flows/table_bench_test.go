package flows_test

import (
	"math/rand/v2"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// scattered are packets like frame of n flows in random order.
func scattered(flowCount uint32, packets int, frame []byte) []flows.Observation {
	rng := rand.New(rand.NewPCG(5, 6))
	p := packet(capture.LinkTypeEthernet, frame)
	template := append([]byte(nil), p.Data...)
	all := make([]flows.Observation, packets)
	for i := range all {
		n := rng.Uint32N(flowCount)
		data := append(template[:0:0], template...)
		data[26], data[27], data[28], data[29] = 10, byte(n>>16), byte(n>>8), byte(n) // source address
		p.Data = data
		flows.Outer.Decode(p, &all[i])
	}
	return all
}

// BenchmarkTable adds packets in random order to a table that fits the caches and to one that does not, one by one and
// in batches: what batches save is the waiting for memory.
func BenchmarkTable(b *testing.B) {
	for _, bench := range []struct {
		name  string
		flows uint32
		frame []byte
		hands bool // see TakeHandOvers
	}{
		{"1000flows", 1000, fixtures.UDP(host4, peer4, nil), false},
		{"1000flows+handovers", 1000, fixtures.UDP(host4, peer4, nil), true},
		{"1000000flows", 1_000_000, fixtures.UDP(host4, peer4, nil), false},
		{"1000flows/tcp", 1000, fixtures.TCP(host4, peer4, "A", 1, 1, []byte{0}), false},
		{"1000000flows/tcp", 1_000_000, fixtures.TCP(host4, peer4, "A", 1, 1, []byte{0}), false},
	} {
		all := scattered(bench.flows, 1<<20, bench.frame)
		table := flows.NewTable()
		if bench.hands {
			table.TakeHandOvers()
		}
		table.AddBatch(all, nil, nil)
		b.Run(bench.name+"/single", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				table.Add(&all[i%len(all)])
			}
		})
		b.Run(bench.name+"/batch", func(b *testing.B) {
			b.ReportAllocs()
			const batch = 1024
			var keys []flows.Key
			for i := 0; b.Loop(); i++ { // an operation is a packet
				if at := i % len(all); at%batch == 0 {
					keys = table.AddBatch(all[at:at+batch], nil, keys[:0])
				}
			}
		})
		table.Close()
	}
}

// TestTableAllocations: packets of flows that are known allocate nothing, however many.
func TestTableAllocations(t *testing.T) {
	all := scattered(50_000, 1<<17, fixtures.UDP(host4, peer4, nil))
	table := flows.NewTable()
	defer table.Close()
	keys := table.AddBatch(all, nil, nil)
	if len(keys) != table.Len() || table.Len() < 40_000 {
		t.Fatalf("%d flows began, the table has %d, want about 50,000", len(keys), table.Len())
	}
	if got := testing.AllocsPerRun(5, func() { keys = table.AddBatch(all, nil, keys[:0]) }); got != 0 || len(keys) != 0 {
		t.Errorf("%v allocations and %d new flows in a batch of known ones, want none", got, len(keys))
	}
}
