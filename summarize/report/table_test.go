package report

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"apptap/flows"
	"apptap/summarize"
)

// terminalCells is the width of text on a terminal, counted apart from the code under test: enough for the characters of
// these tests.
func terminalCells(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Me, r):
		case unicode.Is(unicode.Han, r), r >= 0x1f300:
			n += 2
		default:
			n++
		}
	}
	return n
}

var sgr = regexp.MustCompile("\x1b\\[[0-9]+m")

func TestTableFitsItsWidth(t *testing.T) {
	for name, s := range sampleSummaries() {
		for width := minWidth; width <= 140; width++ {
			for _, opts := range []Options{{}, {Verbose: true}, {Color: true}} {
				opts.Width = width
				for text := range strings.Lines(rendered(t, s, opts)) {
					text = sgr.ReplaceAllString(strings.TrimSuffix(text, "\n"), "")
					if got := terminalCells(text); got > width {
						t.Fatalf("%s at width %d: a line of %d cells: %q", name, width, got, text)
					}
				}
			}
		}
	}
}

func TestTableWithHugeCountsStaysExact(t *testing.T) {
	huge := counts(1<<62, 1<<62, 1<<62, 1<<62+1)
	d := destination(strings.Repeat("name", 30), "dns", 6, 443, "https", huge)
	s := seal(&summarize.Summary{Apps: []summarize.AppUse{appUse("/bin/huge", "huge", 1, d)}})
	got := rendered(t, s, Options{Width: minWidth})
	if want := grouped(uint64(1<<63) + 1); strings.Count(got, want) < 3 {
		t.Errorf("table does not show %s for the app, its destination and TOTAL:\n%s", want, got)
	}
	if !strings.Contains(got, "tcp/443") {
		t.Errorf("the narrow table lost the port:\n%s", got)
	}
}

// printedRow is a row read back from a table.
type printedRow struct {
	beneath bool
	text    string
	columns map[string]uint64 // without those that show "-"
}

// printedRows reads a table as a person would: the numbers from the right, below their titles.
func printedRows(t *testing.T, table string) []printedRow {
	t.Helper()
	_, table, found := strings.Cut(table, "\n\nAPP / DESTINATION")
	if !found {
		t.Fatalf("no header in %q", table)
	}
	lines := strings.Split(table, "\n")
	titles := slices.DeleteFunc(strings.Fields(lines[0]), func(title string) bool { return title == "PORT" })
	var rows []printedRow
	for _, text := range lines[1:] {
		if text == "" {
			break
		}
		if strings.HasPrefix(text, "─") {
			continue
		}
		row := printedRow{beneath: strings.HasPrefix(text, " "), text: text, columns: map[string]uint64{}}
		fields := strings.Fields(text)
		fields = fields[len(fields)-len(titles):]
		for i, title := range titles {
			if fields[i] == "-" || strings.HasPrefix(fields[i], "+") {
				continue // not known, or on top of the row above
			}
			n, err := strconv.ParseUint(strings.ReplaceAll(fields[i], ",", ""), 10, 64)
			if err != nil {
				t.Fatalf("column %s of %q: %v", title, text, err)
			}
			row.columns[title] = n
		}
		rows = append(rows, row)
	}
	return rows
}

func TestTableAddsUp(t *testing.T) {
	for name, s := range sampleSummaries() {
		for _, opts := range []Options{{}, {Width: 200}, {Width: 60}, {Top: 1}, {Top: 3, Width: 132}, {Top: -1}} {
			t.Run(fmt.Sprintf("%s/width %d, top %d", name, opts.Width, opts.Top), func(t *testing.T) {
				rows := printedRows(t, rendered(t, s, opts))
				total := rows[len(rows)-1]
				if want := s.Totals.Bytes() + s.Undecoded.Bytes; total.columns["BYTES"] != want {
					t.Errorf("TOTAL: got %d bytes, want all that was captured, %d", total.columns["BYTES"], want)
				}
				for title, want := range total.columns {
					var got uint64
					for _, row := range rows[:len(rows)-1] {
						if !row.beneath {
							got += row.columns[title]
						}
					}
					if got != want {
						t.Errorf("column %s: rows sum to %d, TOTAL says %d", title, got, want)
					}
				}
				addUpBeneath(t, rows)
			})
		}
	}
}

// addUpBeneath checks that the rows beneath one sum to it.
func addUpBeneath(t *testing.T, rows []printedRow) {
	t.Helper()
	for i, parent := range rows {
		var sum uint64
		n := i + 1
		for ; n < len(rows) && rows[n].beneath; n++ {
			sum += rows[n].columns["BYTES"]
		}
		if !parent.beneath && n > i+1 && sum != parent.columns["BYTES"] {
			t.Errorf("rows beneath %q sum to %d bytes, it says %d", parent.text, sum, parent.columns["BYTES"])
		}
	}
}

// harmless says what in text could act on a terminal or hide from a reader, "" if nothing.
func harmless(text string) string {
	if !utf8.ValidString(text) {
		return "invalid UTF-8"
	}
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			return fmt.Sprintf("%U", r)
		}
	}
	return ""
}

func TestNoEscapeReachesTheReader(t *testing.T) {
	for name, s := range sampleSummaries() {
		for _, opts := range []Options{{}, {Verbose: true, Width: 132}, {Format: HTML}, {Format: CSV}, {Format: CSV, Flows: true}} {
			if bad := harmless(rendered(t, s, opts)); bad != "" {
				t.Errorf("%s as %v (%+v) has %s", name, opts.Format, opts, bad)
			}
		}
		colored := rendered(t, s, Options{Color: true})
		if !strings.Contains(colored, "\x1b[") {
			t.Errorf("%s in colour has none", name)
		}
		if bad := harmless(sgr.ReplaceAllString(colored, "")); bad != "" {
			t.Errorf("%s in colour has %s besides the colours", name, bad)
		}
		if got, want := sgr.ReplaceAllString(colored, ""), rendered(t, s, Options{}); got != want {
			t.Errorf("%s without its colours is not the plain table: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestLastLinesAreTheAudit(t *testing.T) {
	off := []summarize.InterfaceAudit{{Name: "lo", ResidualBytes: -94248}, {Name: "eth0"}, {Name: "eth1", ResidualBytes: 5}}
	tests := []struct {
		name  string
		audit summarize.Audit
		want  string
	}{
		{"exact", summarize.Audit{Verdict: summarize.VerdictExact, Checked: 412, Exact: 412},
			"kernel agrees: 412 of 412 flows exact, 0 B unexplained"},
		{"explained", summarize.Audit{Verdict: summarize.VerdictExplained, Checked: 412, Exact: 400, Explained: 12, Causes: []summarize.Cause{{Name: "still_open", Bytes: 1234}}},
			"kernel agrees: 400 of 412 flows exact, 12 explained (still_open 1,234 B), 0 B unexplained"},
		{"unexplained", summarize.Audit{Verdict: summarize.VerdictUnexplained, Checked: 2, Exact: 1, Unexplained: 1, UnexplainedBytes: 5},
			"kernel disagrees: 1 of 2 flows exact, 1 unexplained, 5 B unexplained"},
		{"residual", summarize.Audit{Verdict: summarize.VerdictUnexplained, Checked: 1, Exact: 1, Interfaces: []summarize.InterfaceAudit{{Name: "eth0", ResidualBytes: -7}}},
			"kernel disagrees: 1 of 1 flow exact, 0 B unexplained; residual eth0 -7 B"},
		{"interfaces only", summarize.Audit{Verdict: summarize.VerdictExact, Interfaces: []summarize.InterfaceAudit{{Name: "eth0"}}},
			"kernel agrees: on interfaces alone, no flow to compare, 0 B unexplained"},
		{"counted only", summarize.Audit{Verdict: summarize.VerdictExact, Interfaces: []summarize.InterfaceAudit{{Name: "eth0"}},
			Unchecked: []summarize.Unchecked{{Proto: flows.TCP, Why: summarize.OnlyCounted, Flows: 2}}},
			"kernel: not available (nothing was captured: the figures are the kernel's own)"},
		{"residual and no flow", summarize.Audit{Verdict: summarize.VerdictUnexplained, Interfaces: off},
			"kernel disagrees: no flow could be compared, only interfaces; residual lo -94,248 B, eth1 +5 B"},
		{"counted only, residual", summarize.Audit{Verdict: summarize.VerdictUnexplained, Interfaces: off},
			"kernel disagrees with itself: its sockets counted 94,248 B more than interface lo, 5 B less than interface eth1"},
		{"unavailable", summarize.Audit{Verdict: summarize.VerdictUnavailable, Interfaces: []summarize.InterfaceAudit{{Name: "eth0", Unavailable: "no rights"}}},
			"kernel: not available (no rights)"},
		{"no audit", summarize.Audit{}, "kernel: not available (no counters for any of 2 flows)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &summarize.Summary{Audit: test.audit, Totals: summarize.Totals{Flows: 2}}
			if strings.HasPrefix(test.name, "counted only") {
				s.Source.Kept = summarize.KeptNothing
			}
			lines := strings.Split(strings.TrimSpace(rendered(t, s, Options{Width: 200})), "\n")
			if got := lines[len(lines)-1]; got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestCountedOnly: where nothing was captured nothing is said to be.
func TestCountedOnly(t *testing.T) {
	s := &summarize.Summary{
		Source: summarize.Source{Kind: "live", Interfaces: []string{"lo"}, Kept: summarize.KeptNothing},
		Window: summarize.Window{Start: 1, End: 2},
		Drops:  summarize.Drops{Known: true},
		Audit: summarize.Audit{Verdict: summarize.VerdictExact, Interfaces: []summarize.InterfaceAudit{
			{Name: "lo", CapturedPackets: 2, CapturedBytes: 108, KernelPackets: 2, KernelBytes: 108}}},
	}
	got := rendered(t, s, Options{Width: 200})
	for _, want := range []string{"counted   0 packets, 0 bytes, 0 flows\n", "lo: its sockets counted 108 B in 2 packets; interface counted 108 B in 2 packets; residual 0 B\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, not := range []string{"captured ", "drops:"} {
		if strings.Contains(got, not) {
			t.Errorf("%q in\n%s", not, got)
		}
	}
}
