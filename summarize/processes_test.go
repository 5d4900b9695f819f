package summarize

import (
	"testing"

	"apptap/flows"
	"apptap/pidmap"
)

// TestProcessesAreBounded: an app of more processes than are kept apart keeps its sums, and its largest processes.
func TestProcessesAreBounded(t *testing.T) {
	var g, half appGroup
	app := pidmap.App{ID: "sh"}
	const many = 3 * maxProcesses
	for i := range many {
		owner := pidmap.Attribution{App: app, Process: pidmap.Process{Key: pidmap.ProcessKey{PID: int32(i + 1)}}, Method: pidmap.MethodEBPF}
		use := FlowUse{Flow: flows.Flow{Counts: flows.Counts{TxPackets: 1, TxBytes: uint64(many - i)}}, Owner: owner}
		totals := totalsOf(&use)
		to := &g
		if i%2 == 1 {
			to = &half
		}
		to.add(&use, &totals)
	}
	g.merge(&half)
	use := g.result()
	var sum Totals
	for i := range use.Processes {
		sum = sum.Add(use.Processes[i].Totals)
	}
	if sum = sum.Add(use.OtherProcesses.Totals); sum != use.Totals || sum.Flows != many {
		t.Errorf("processes add up to %+v, the app has %+v of %d flows", sum, use.Totals, many)
	}
	if n := len(use.Processes); n > maxProcesses || n+use.OtherProcesses.Processes != many {
		t.Errorf("%d processes listed and %d others of %d", n, use.OtherProcesses.Processes, many)
	}
	for i, p := range use.Processes[:100] {
		if p.Process.Key.PID != int32(i+1) {
			t.Fatalf("process %d is pid %d, want the largest first", i, p.Process.Key.PID)
		}
	}
}
