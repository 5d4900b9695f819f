package summarize

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSamplesSayWhatSketchesSay: whether durations were kept one by one, counted in bins, or divided and merged, the
// distributions are the same.
func TestSamplesSayWhatSketchesSay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, count := range []int{0, 1, 2, 19, 20, maxSamples - 1, maxSamples, maxSamples + 1, 5 * maxSamples, maxLogged + 1, 4 * maxLogged} {
		var whole timeSum
		var parts [3]*timeSum
		var tables [len(parts)]*destinationTable
		for i := range tables {
			tables[i] = &destinationTable{limit: 10}
			tables[i].wait(&waitingSum{})
			tables[i].flush()
			parts[i] = tables[i].timesOf(0)
		}
		var bins [spreads]sketch
		for range count {
			spread := random.IntN(spreads)
			nanos := int64(1) << random.IntN(62)
			nanos += random.Int64N(nanos)
			whole.add(spread, nanos)
			parts[random.IntN(len(parts))].add(spread, nanos)
			bins[spread].add(uint64(nanos / 1000))
		}
		merged := tables[0]
		merged.merge(tables[1], []uint32{0})
		merged.merge(tables[2], []uint32{0})
		merged.listed(1, 0, new(Input).sideBySide)
		sketched := timeSum{sketches: &bins}
		want := sketched.result()
		for how, got := range map[string]*Times{"together": whole.result(), "again": whole.result(), "merged": merged.destination(0).Times} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%d durations, %s: in bins (-), else (+):\n%s", count, how, diff)
			}
		}
	}
	if none := (&timeSum{}).result(); none.Connect.Count != 0 {
		t.Errorf("nothing was added, and %+v", none.Connect)
	}
}
