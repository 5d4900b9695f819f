package report

import (
	"net/netip"
	"strings"
	"testing"

	"apptap/flows"
	"apptap/summarize"
)

// TestInternationalNames: every output has a name as it is on the wire and as it reads, but what could pass for another only as it
// is on the wire.
func TestInternationalNames(t *testing.T) {
	const wire, read, lookalike = "xn--bcher-kva.example", "bücher.example", "xn--80ak6aa92e.com"
	s := browserSummary()
	list := s.Apps[0].Destinations
	list[0].Name, list[1].Name, list[1].Times = wire, lookalike, sampleTimes()
	list[0].Times.Failed = summarize.Failed{}
	s.Lookups = []flows.Lookup{{Client: netip.MustParseAddr("192.0.2.2"), Name: "www." + wire, Queries: 1}}
	for i, name := range []string{wire, lookalike} {
		s.Flows = append(s.Flows, loopbackSummary().Flows[0])
		s.Flows[i].Flow.Names = flows.Names{DNS: name}
	}
	for name, tt := range map[string]struct {
		options Options
		both    string
	}{
		"table":    {Options{Width: 120}, wire + " (" + read + ")"},
		"narrow":   {Options{Width: 80}, " " + wire + " "},
		"page":     {Options{Format: HTML}, wire + " (" + read + ")"},
		"words":    {Options{Explain: read}, wire + " (" + read + ") tcp/443"},
		"look-up":  {Options{Explain: "EXAMPLE"}, "www." + wire + " (www." + read + "): 1 query"},
		"JSON":     {Options{Format: JSON}, "\"name\": \"" + wire + "\",\n          \"name_unicode\": \"" + read + "\","},
		"of flows": {Options{Format: JSON, Flows: true}, "\"dns_name\": \"" + wire + "\",\n      \"name_unicode\": \"" + read + "\","},
		"CSV":      {Options{Format: CSV}, "," + read + ",0,0,,,,\n"},
		"CSV rows": {Options{Format: CSV, Flows: true}, "," + read + ",,,,,\n"},
	} {
		got := rendered(t, s, tt.options)
		if !strings.Contains(got, tt.both) {
			t.Errorf("%s: no %q in:\n%s", name, tt.both, got)
		}
		if strings.Contains(got, "аррӏе") {
			t.Errorf("%s: shows what passes for apple.com", name)
		}
	}
}
