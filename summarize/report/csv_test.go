package report

import (
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestCSVAddsUp(t *testing.T) {
	for name, s := range sampleSummaries() {
		forms := []Options{{Format: CSV}}
		if len(s.Flows) > 0 && name != "interfaces" { // whose flows stand for nothing
			forms = append(forms, Options{Format: CSV, Flows: true})
		}
		for _, opts := range forms {
			records, err := csv.NewReader(strings.NewReader(rendered(t, s, opts))).ReadAll()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			column := slices.Index(records[0], "bytes")
			var got uint64
			for _, record := range records[1:] {
				n, err := strconv.ParseUint(record[column], 10, 64)
				if err != nil {
					t.Fatalf("%s: bytes of %q: %v", name, record, err)
				}
				got += n
			}
			if want := s.Totals.Bytes() + s.Undecoded.Bytes; got != want {
				t.Errorf("%s (flows %v): column bytes sums to %d, captured were %d", name, opts.Flows, got, want)
			}
		}
	}
}

func TestCSVHasNoFormula(t *testing.T) {
	records, err := csv.NewReader(strings.NewReader(rendered(t, hostileSummary(hostileNames...), Options{Format: CSV}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	neutralised := 0
	for _, record := range records {
		for _, text := range record {
			if text != "" && strings.ContainsAny(text[:1], "=+-@\t\r") {
				t.Errorf("cell %q starts as a formula does", text)
			}
			if strings.HasPrefix(text, "'=HYPERLINK") {
				neutralised++
			}
		}
	}
	if neutralised == 0 {
		t.Error("the formula of the sample is gone: want it kept as text")
	}
}
