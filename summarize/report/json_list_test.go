package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
	"apptap/summarize"
)

// TestJSONListsAreTheEncoders: what is spliced in is, byte for byte, what encoding/json makes of the structs that are
// the contract.
func TestJSONListsAreTheEncoders(t *testing.T) {
	for name, s := range sampleSummaries() {
		s.Lookups = append(s.Lookups, flows.Lookup{Name: "xn--bcher-kva.example"}, flows.Lookup{Name: "\"odd\" \u00e9", Failures: [16]uint32{1: 1, 2: 2, 3: 3, 15: 4}})
		r := jsonReportOf(s, "")
		r.Unattributed.Destinations = each(s.Unattributed.Destinations, jsonDestinationOf)
		for i := range s.Apps {
			r.Apps[i].Destinations = each(s.Apps[i].Destinations, jsonDestinationOf)
		}
		r.Lookups = each(s.Lookups, jsonLookupOf)
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
		Name: d.Name, Reading: flows.Reading(d.Name), NameSource: d.NameSource, Addresses: each(d.Addresses, textOf),
		Proto: d.Proto.String(), Port: d.Port, Service: d.Service,
		Inbound: d.Inbound, PeerApp: d.PeerApp, jsonTotals: jsonTotalsOf(d.Totals), Times: jsonTimesOf(d.Times),
	}
}

func jsonTimesOf(t *summarize.Times) *jsonTimes {
	if t == nil {
		return nil
	}
	j := &jsonTimes{
		DNS: jsonSpreadOf(t.DNS), SYNRTT: jsonSpreadOf(t.SYNRTT), Connect: jsonSpreadOf(t.Connect), ACKRTT: jsonSpreadOf(t.ACKRTT), TLS: jsonSpreadOf(t.TLS),
		QUIC: jsonSpreadOf(t.QUIC), TTFB: jsonSpreadOf(t.TTFB), Transfer: jsonSpreadOf(t.Transfer), RTT: jsonSpreadOf(t.RTT),
		RTTMin: jsonSpreadOf(t.RTTMin), First: jsonSpreadOf(t.First), Later: jsonSpreadOf(t.Later),
		Exchanges: t.Exchanges, Wait: t.Wait, Transferred: t.Transferred,
		TxAgain: t.TxRetransmitBytes, RxAgain: t.RxRetransmitBytes, TxLate: t.TxLateBytes, RxLate: t.RxLateBytes, TxShut: t.TxShut, RxShut: t.RxShut,
		Handshakes: jsonHandshakes{t.Done, t.Unanswered, t.Refused, t.Half},
		TLSFull:    jsonSpreadOf(t.TLSFull), TLSResumed: jsonSpreadOf(t.TLSResumed), Sessions: jsonSessions{t.Full, t.Resumed}, EarlyData: t.EarlyData,
		TxResets: t.TxResets, RxResets: t.RxResets, Waiting: t.Waiting,
		Failed: jsonFailed{
			Flows: t.Failed.Flows, Bytes: t.Failed.Bytes(), Took: t.Failed.Took, Retries: t.Failed.Retries, Again: t.Failed.RetryBytes,
			SYN: t.Failed.Ways[0], Refused: t.Failed.Ways[1], Reset: t.Failed.Ways[2], Mute: t.Failed.Ways[3], ICMP: t.Failed.Ways[4],
		},
	}
	if t.Failed.Flows > 0 {
		first, last := rfc3339(t.Failed.First), rfc3339(t.Failed.Last)
		j.Failed.First, j.Failed.Last = &first, &last
	}
	return j
}

func jsonSpreadOf(d summarize.Distribution) *jsonSpread {
	if d.Count == 0 {
		return nil
	}
	return &jsonSpread{d.Count, d.Median, d.P95, d.Max, d.Sum}
}

func jsonLookupOf(l flows.Lookup) jsonLookup {
	j := jsonLookup{
		Client: l.Client.String(), Name: l.Name, Reading: flows.Reading(l.Name), Queries: l.Queries, Answers: l.Answers, TimedOut: l.TimedOut,
		Addressed: l.Addressed, NoAddress: l.NoAddress, Failures: map[string]uint64{}, Time: jsonRoundTripsOf(l.Times), Flows: l.Flows,
	}
	for code, n := range l.Failures {
		if n > 0 {
			j.Failures[responseCode(code)] = uint64(n)
		}
	}
	return j
}

func BenchmarkJSONDestination(b *testing.B) {
	s := browserSummary()
	list := s.Apps[0].Destinations
	var out bytes.Buffer
	b.ReportAllocs()
	for range b.N {
		out.Reset()
		if err := writeList(&out, &objects{depth: 6}, list, writeDestination); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(list)), "ns/destination")
}
