package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"apptap/flows"
	"apptap/summarize"
)

// uncheckedReason is why flows of a protocol had nothing to be compared with.
type uncheckedReason struct {
	udp bool
	why string
}

// uncheckedFlows counts the flows that had nothing to be compared with.
func uncheckedFlows(all []summarize.FlowUse) map[uncheckedReason]int {
	n := map[uncheckedReason]int{}
	for i := range all {
		if use := &all[i]; use.Verdict == summarize.VerdictUnavailable {
			n[uncheckedReason{use.Flow.Key.Proto == flows.UDP, use.Unavailable}]++
		}
	}
	return n
}

// byFlows are the reasons of n: TCP's first, for which there could have been counters; then by flows, then
// words.
func byFlows(n map[uncheckedReason]int) []uncheckedReason {
	return slices.SortedFunc(maps.Keys(n), func(a, b uncheckedReason) int {
		if a.udp != b.udp {
			if b.udp {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a.why, b.why))
	})
}

// uncheckedNotes are one line in all, or with verbose one a reason: "9 UDP flows have no kernel counters". A run
// without any counters says so in its last line alone.
func uncheckedNotes(s *summarize.Summary, verbose bool) []note {
	n := uncheckedFlows(s.Flows)
	if verbose {
		var notes []note
		for _, r := range byFlows(n) {
			notes = append(notes, note{quiet, haveNone(n[r], r.noun()) + r.because()})
		}
		return notes
	}
	if len(n) == 0 || verdict(s.Audit.Verdict) == summarize.VerdictUnavailable {
		return nil
	}
	var tcp, udp int
	for r, flows := range n {
		if r.udp {
			udp += flows
		} else {
			tcp += flows
		}
	}
	switch {
	case udp == 0:
		return []note{{quiet, haveNone(tcp, "TCP flow")}}
	case tcp == 0:
		return []note{{quiet, haveNone(udp, "UDP flow")}}
	}
	return []note{{quiet, counted(tcp, "TCP flow") + " and " + counted(udp, "UDP flow") + " have no kernel counters"}}
}

func haveNone(n int, noun string) string {
	if n == 1 {
		return counted(n, noun) + " has no kernel counters"
	}
	return counted(n, noun) + " have no kernel counters"
}

func (r uncheckedReason) noun() string {
	if r.udp {
		return "UDP flow"
	}
	return "TCP flow"
}

func (r uncheckedReason) because() string {
	if r.why == "" {
		return ""
	}
	return ": " + visible(r.why)
}

// unavailableWords is why nothing at all could be compared, by the reason of the most flows.
func unavailableWords(s *summarize.Summary) string {
	if s.Totals.Flows == 0 {
		return "no flow to compare"
	}
	reasons := byFlows(uncheckedFlows(s.Flows))
	if len(reasons) > 0 && strings.TrimSpace(reasons[0].why) != "" {
		return visible(reasons[0].why)
	}
	for _, i := range s.Audit.Interfaces {
		if i.Unavailable != "" {
			return visible(i.Unavailable)
		}
	}
	return "no counters for any of " + counted(s.Totals.Flows, "flow")
}
