package report

import (
	"bytes"
	"strings"
	"testing"

	"apptap/summarize"

	"github.com/google/go-cmp/cmp"
)

// TestJSONListsAreTheEncoders: what is spliced in is, byte for byte, what encoding/json makes of the structs that are
// the contract.
func TestJSONListsAreTheEncoders(t *testing.T) {
	for name, s := range sampleSummaries() {
		r := jsonReportOf(s, "")
		r.Unattributed.Destinations = each(s.Unattributed.Destinations, jsonDestinationOf)
		for i := range s.Apps {
			r.Apps[i].Destinations = each(s.Apps[i].Destinations, jsonDestinationOf)
		}
		var want bytes.Buffer
		if err := indented(plainWriter{&want}, "").Encode(r); err != nil {
			t.Fatal(err)
		}
		got := rendered(t, s, Options{Format: JSON})
		if diff := cmp.Diff(strings.Split(want.String(), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s: (-encoding/json +written):\n%s", name, diff)
		}
	}
}

func jsonDestinationOf(d summarize.Destination) jsonDestination {
	return jsonDestination{
		Name: d.Name, NameSource: d.NameSource, Addresses: each(d.Addresses, textOf),
		Proto: d.Proto.String(), Port: d.Port, Service: d.Service,
		Inbound: d.Inbound, PeerApp: d.PeerApp, jsonTotals: jsonTotalsOf(d.Totals), Times: jsonTimesOf(d.Times),
	}
}

func BenchmarkJSONDestination(b *testing.B) {
	s := browserSummary()
	list := s.Apps[0].Destinations
	var out bytes.Buffer
	b.ReportAllocs()
	for range b.N {
		out.Reset()
		if err := writeDestinations(&out, "\n      ", list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(list)), "ns/destination")
}
