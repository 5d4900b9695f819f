package main

import (
	"errors"
	"testing"

	"apptap/flows"
	"apptap/summarize"
)

// TestStrict: anything short of a report whose every byte has an owner and is exact or explained ends in exit code 3.
func TestStrict(t *testing.T) {
	whole := func(kind string, a summarize.Audit) summarize.Summary {
		return summarize.Summary{Source: summarize.Source{Kind: kind}, Audit: a}
	}
	exact := summarize.Audit{Verdict: summarize.VerdictExact, Checked: 2, Exact: 2}
	for name, tt := range map[string]struct {
		change func(s *summarize.Summary)
		code   int
	}{
		"exact":              {func(*summarize.Summary) {}, exitOK},
		"explained":          {func(s *summarize.Summary) { s.Audit.Verdict, s.Audit.Explained = summarize.VerdictExplained, 1 }, exitOK},
		"unexplained":        {func(s *summarize.Summary) { s.Audit.Verdict = summarize.VerdictUnexplained }, exitIncomplete},
		"residual":           {func(s *summarize.Summary) { s.Audit.Ledger.ResidualBytes = -1 }, exitIncomplete},
		"a flow not checked": {func(s *summarize.Summary) { s.Audit.Unavailable = 1 }, exitIncomplete},
		"nothing checked":    {func(s *summarize.Summary) { s.Audit = summarize.Audit{Verdict: summarize.VerdictUnavailable} }, exitIncomplete},
		"a file without counters": {func(s *summarize.Summary) {
			*s = whole("file", summarize.Audit{Verdict: summarize.VerdictUnavailable, Unavailable: 3})
		}, exitOK},
		"dropped":    {func(s *summarize.Summary) { s.Drops.DroppedUserspace = 1 }, exitIncomplete},
		"cut":        {func(s *summarize.Summary) { s.Incomplete = true }, exitIncomplete},
		"no owner":   {func(s *summarize.Summary) { s.Unattributed.Counts = flows.Counts{RxPackets: 1, RxBytes: 60} }, exitIncomplete},
		"not asked ": {func(s *summarize.Summary) { s.Incomplete = true }, exitOK},
	} {
		s := whole("live", exact)
		tt.change(&s)
		o := outputFlags{strict: name != "not asked "}
		code := exitOK
		var exit *exitErr
		if err := o.strictly(&s); errors.As(err, &exit) {
			code = exit.code
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if code != tt.code {
			t.Errorf("%s: exit code %d, want %d", name, code, tt.code)
		}
	}
}
