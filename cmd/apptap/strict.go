package main

import (
	"fmt"

	"apptap/summarize"
)

// strictly ends with exitIncomplete where --strict wants a whole report and this is none.
func (o *outputFlags) strictly(summary *summarize.Summary) error {
	if !o.strict {
		return nil
	}
	why := shortOf(summary)
	if why == "" {
		return nil
	}
	return &exitErr{code: exitIncomplete, err: fmt.Errorf("%w: %s", errIncomplete, why)}
}

// shortOf says what a report lacks to be whole, "" for nothing. Of a live one whatever was not compared with the kernel is
// something; a file may have come without counters.
func shortOf(summary *summarize.Summary) string {
	switch d, a := summary.Drops, &summary.Audit; {
	case summary.Incomplete:
		return "the input is incomplete"
	case d.DroppedKernel+d.DroppedInterface+d.DroppedUserspace > 0:
		return "packets were dropped"
	case summary.Unattributed.Packets() > 0:
		return "there are bytes without an owner"
	case a.Verdict == summarize.VerdictUnexplained, a.Ledger.ResidualBytes != 0:
		return "the audit does not close"
	case summary.Source.Kind == "live" && (a.Unavailable > 0 || a.Verdict == summarize.VerdictUnavailable):
		return "not all could be compared with the kernel's counters"
	}
	return ""
}
