package report

import (
	"net/netip"
	"path/filepath"
	"testing"

	"apptap/flows"
	"apptap/summarize"
)

// TestExplain: words of every layer, and of names that nobody followed.
func TestExplain(t *testing.T) {
	for file, subject := range map[string]string{
		"explain.app.txt":     "FIREFOX",
		"explain.name.txt":    "example.com",
		"explain.nothing.txt": "no\x1bsuch",
	} {
		s := browserSummary()
		client := netip.MustParseAddr("192.0.2.2")
		s.Lookups = append(s.Lookups,
			flows.Lookup{Client: client, Name: "blocked.example.com", Queries: 2, Answers: 2, Addressed: 2},
			flows.Lookup{Client: client, Name: "missing.example.com", Queries: 3, Answers: 2, TimedOut: 1, Failures: [16]uint32{3: 2}})
		for i, change := range []func(*summarize.Times){
			func(t *summarize.Times) { t.DNS.Sum = 90_000_000 },
			func(t *summarize.Times) { t.TLS.Sum = 80_000_000 },
			func(t *summarize.Times) { t.SYNRTT.Sum, t.Connect.Sum = 1e8, 1e8 },
			func(t *summarize.Times) { t.Transferred, t.TxShut = 70_000_000, 50_000_000 },
			func(t *summarize.Times) { t.Failed.Took = 120_000_000 },
			func(t *summarize.Times) { t.Connect.Sum = 60_000_000 },
		} {
			times := sampleTimes()
			change(times)
			s.Apps[0].Destinations[i+1].Times = times
		}
		compareGolden(t, filepath.Join("testdata", file), rendered(t, s, Options{Explain: subject}))
	}
}
