package summarize

import (
	"math"
	"net/netip"
	"slices"
	"testing"

	"apptap/flows"
	"apptap/pidmap"
)

func TestProportional(t *testing.T) {
	const much = math.MaxUint64
	tests := []struct {
		name    string
		n       uint64
		weights []uint64
		want    []uint64
	}{
		{"even", 10, []uint64{1, 1}, []uint64{5, 5}},
		{"remainder to the largest", 10, []uint64{1, 2}, []uint64{3, 7}},
		{"remainder to the first of equals", 11, []uint64{1, 1}, []uint64{6, 5}},
		{"nothing to one", 10, []uint64{0, 4}, []uint64{0, 10}},
		{"no weights", 10, []uint64{0, 0}, []uint64{10, 0}},
		{"one", 7, []uint64{3}, []uint64{7}},
		{"large", much, []uint64{much - 1, 1}, []uint64{much - 1, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := proportional(tt.n, tt.weights); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestShares divides a flow that one program opened and wrote and another one read.
func TestShares(t *testing.T) {
	shell, cat := ownedBy("shell", 1), ownedBy("cat", 2)
	f := flows.Flow{Key: flows.MakeKey(flows.TCP, netip.MustParseAddrPort("192.0.2.2:40000"), netip.MustParseAddrPort("198.51.100.1:80")), Locality: flows.LocalOne, Interface: -1,
		Counts: flows.Counts{TxPackets: 4, TxBytes: 300, TxPayload: 3, RxPackets: 5, RxBytes: 1400, RxPayload: 1000}}
	in := Input{Live: true, Flows: []flows.Flow{f}, Owner: func(flows.Key, flows.Initiator, int64, int64) pidmap.Attribution {
		a := cat
		a.Shares = []pidmap.Share{
			{App: cat.App, Process: cat.Process, Moved: pidmap.Moved{Rx: 1000}},
			{App: shell.App, Process: shell.Process, Moved: pidmap.Moved{Tx: 3}},
		}
		return a
	}}
	s := Build(in)
	got := map[string]Totals{}
	for _, a := range s.Apps {
		got[a.App.ID] = a.Totals
		if len(a.Processes) != 1 || a.Processes[0].Totals != a.Totals || a.Methods[cat.Method] != a.Bytes() {
			t.Errorf("%s: processes %+v, methods %v, want its totals %+v", a.App.ID, a.Processes, a.Methods, a.Totals)
		}
	}
	want := map[string]Totals{
		cat.App.ID:   {flows.Counts{RxPackets: 5, RxBytes: 1400, RxPayload: 1000}, 1},
		shell.App.ID: {flows.Counts{TxPackets: 4, TxBytes: 300, TxPayload: 3}, 0},
	}
	if len(got) != 2 || got[cat.App.ID] != want[cat.App.ID] || got[shell.App.ID] != want[shell.App.ID] {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
