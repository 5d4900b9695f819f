package report

import (
	"strings"

	"apptap/flows"
	"apptap/summarize"
)

// uncheckedNotes are one line in all, or with verbose one a reason: "9 UDP flows have no kernel counters". A run
// without any counters says so in its last line alone.
func uncheckedNotes(s *summarize.Summary, verbose bool) []note {
	if verbose {
		var notes []note
		for _, u := range s.Audit.Unchecked {
			notes = append(notes, note{quiet, haveNone(u.Flows, protocolNoun(u.Proto)) + because(u.Why)})
		}
		return notes
	}
	if len(s.Audit.Unchecked) == 0 || verdict(s.Audit.Verdict) == summarize.VerdictUnavailable || s.Source.CountedOnly() {
		return nil
	}
	var tcp, udp int
	for _, u := range s.Audit.Unchecked {
		if u.Proto == flows.UDP {
			udp += u.Flows
		} else {
			tcp += u.Flows
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

func protocolNoun(p flows.Protocol) string {
	if p == flows.UDP {
		return "UDP flow"
	}
	return "TCP flow"
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + visible(why)
}

// unavailableWords is why nothing at all could be compared, by the reason of the most TCP flows, or UDP flows if there are no others.
func unavailableWords(s *summarize.Summary) string {
	if s.Totals.Flows == 0 {
		return "no flow to compare"
	}
	if unchecked := s.Audit.Unchecked; len(unchecked) > 0 && strings.TrimSpace(unchecked[0].Why) != "" {
		return visible(unchecked[0].Why)
	}
	for _, i := range s.Audit.Interfaces {
		if i.Unavailable != "" {
			return visible(i.Unavailable)
		}
	}
	return "no counters for any of " + counted(s.Totals.Flows, "flow")
}
