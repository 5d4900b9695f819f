package report

import (
	"fmt"
	"strings"

	"apptap/summarize"
)

// auditNote is the last line: whether the kernel's own counters agree, in words.
func auditNote(s *summarize.Summary, verbose bool) note {
	a := s.Audit
	switch a.Verdict {
	case summarize.VerdictExact, summarize.VerdictExplained:
		if s.Source.CountedOnly() {
			break // counters of interfaces agree with counters of sockets: that holds no capture against them
		}
		return note{good, "kernel agrees: " + flowWords(a, verbose)}
	case summarize.VerdictUnexplained:
		if s.Source.CountedOnly() {
			return note{bad, "kernel disagrees with itself: " + contradictions(&a)}
		}
		words := "no flow could be compared, only interfaces"
		if a.Checked > 0 {
			words = flowWords(a, verbose)
		}
		return note{bad, "kernel disagrees: " + words + residualWords(a)}
	}
	return note{quiet, "kernel: not available (" + unavailableWords(s) + ")"}
}

// contradictions are "its sockets counted 94,248 B more than interface lo", for each interface whose count is another.
func contradictions(a *summarize.Audit) string {
	var parts []string
	for _, i := range a.Interfaces {
		if i.Unavailable != "" || i.ResidualBytes == 0 {
			continue
		}
		than := " B more than interface "
		if i.ResidualBytes > 0 {
			than = " B less than interface "
		}
		parts = append(parts, unsigned(i.ResidualBytes)+than+visible(i.Name))
	}
	return "its sockets counted " + strings.Join(parts, ", ")
}

// flowWords is "400 of 412 flows exact, 12 explained (still_open 1,234 B), 0 B unexplained".
func flowWords(a summarize.Audit, verbose bool) string {
	if a.Checked == 0 { // then it speaks of the interfaces alone
		return "on interfaces alone, no flow to compare, " + grouped(a.UnexplainedBytes) + " B unexplained"
	}
	parts := []string{fmt.Sprintf("%s of %s exact", grouped(a.Exact), counted(a.Checked, "flow"))}
	if a.Explained > 0 || len(a.Causes) > 0 {
		explained := grouped(a.Explained) + " explained"
		if len(a.Causes) > 0 {
			explained += " (" + causeWords(a.Causes, verbose, unsigned) + ")"
		}
		parts = append(parts, explained)
	}
	if a.Unexplained > 0 {
		parts = append(parts, grouped(a.Unexplained)+" unexplained")
	}
	return strings.Join(append(parts, grouped(a.UnexplainedBytes)+" B unexplained"), ", ")
}

// residualWords names the interfaces whose counters do not close.
func residualWords(a summarize.Audit) string {
	var parts []string
	for _, i := range a.Interfaces {
		if i.Unavailable == "" && i.ResidualBytes != 0 {
			parts = append(parts, visible(i.Name)+" "+signed(i.ResidualBytes)+" B")
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "; residual " + strings.Join(parts, ", ")
}
