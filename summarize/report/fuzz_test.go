package report

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzTable: no name gets a control character onto the table, a line past its width, a row past the sum, or
// anything but UTF-8 into the JSON.
func FuzzTable(f *testing.F) {
	for i, name := range hostileNames {
		f.Add(name, hostileNames[(i+1)%len(hostileNames)], minWidth+i)
	}
	f.Fuzz(func(t *testing.T, one, two string, width int) {
		width = minWidth + (width&0xff)%140
		s := hostileSummary(one, two)
		table := rendered(t, s, Options{Width: width, Verbose: width%2 == 0})
		if bad := harmless(table); bad != "" {
			t.Errorf("the table has %s", bad)
		}
		for line := range strings.Lines(table) {
			if line = strings.TrimSuffix(line, "\n"); cells(line) > width {
				t.Errorf("a line of %d cells at width %d: %q", cells(line), width, line)
			}
		}
		if rows := printedRows(t, table); len(rows) < 4 || rows[len(rows)-1].columns["BYTES"] != s.Totals.Bytes()+s.Undecoded.Bytes {
			t.Errorf("not both apps, what is undecoded and TOTAL:\n%s", table)
		}
		text := rendered(t, s, Options{Format: JSON})
		if !utf8.ValidString(text) || !json.Valid([]byte(text)) {
			t.Errorf("no JSON in UTF-8: %q", text)
		}
		for _, format := range []Format{CSV, HTML} {
			if bad := harmless(rendered(t, s, Options{Format: format})); bad != "" {
				t.Errorf("%v has %s", format, bad)
			}
		}
	})
}
