package report

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"apptap/summarize"
)

// TestWindowOfAllTime: the first and last time stamps that there are lie 584 years apart, not -1 ns.
func TestWindowOfAllTime(t *testing.T) {
	s := &summarize.Summary{Window: summarize.Window{Start: math.MinInt64, End: math.MaxInt64}}
	var out bytes.Buffer
	if err := Write(&out, s, Options{Format: JSON}); err != nil {
		t.Fatal(err)
	}
	if want := `"seconds": 18446744073.709553`; !strings.Contains(out.String(), want) {
		t.Errorf("want %s in\n%s", want, out.String()[:min(out.Len(), 600)])
	}
}
