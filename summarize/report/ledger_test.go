package report

import (
	"testing"

	"apptap/summarize"
)

func TestLedgerNotes(t *testing.T) {
	closed := summarize.Ledger{
		KernelBytes: 15_250, CapturedBytes: 14_400, Apps: 7100, Unattributed: 7100, Undecoded: 120, SeenBefore: 80, FilteredOut: 800,
		Causes: []summarize.Cause{{Name: summarize.CauseCaptureDrop, Bytes: 50}},
	}
	off := closed
	off.Apps, off.ResidualBytes = 7107, -7
	const words = " + 7,100 unattributed + 120 undecoded + 80 seen before + 800 filtered out + capture_drop +50 B; residual "
	tests := []struct {
		name    string
		ledger  summarize.Ledger
		verbose bool
		want    string
	}{
		{"it closes", closed, false, ""},
		{"it closes, verbose", closed, true, "ledger: kernel 15,250 B = 7,100 of apps" + words + "0 B"},
		{"it does not close", off, false, "ledger: kernel 15,250 B = 7,107 of apps" + words + "-7 B"},
		{"no counters", summarize.Ledger{Unavailable: "a file has no kernel counters"}, true, ""},
	}
	for _, tt := range tests {
		got := ""
		for _, n := range ledgerNotes(tt.ledger, tt.verbose) {
			got += n.Text
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
