package report

import (
	"fmt"
	"strings"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// tone is how a line below the table is coloured. The words are the page's CSS classes too.
type tone string

const (
	quiet tone = "quiet"
	good  tone = "good"
	warn  tone = "warn"
	bad   tone = "bad"
)

// note is a line below the table.
type note struct {
	Tone tone
	Text string
}

// causesShown is how many causes of a difference are named without -v.
const causesShown = 3

// footOf says what this run did not see, and last whether the kernel agrees.
func footOf(s *summarize.Summary, verbose bool) []note {
	var foot []note
	for _, text := range s.Degraded {
		foot = append(foot, note{warn, "! " + visible(text)})
	}
	if s.Incomplete {
		foot = append(foot, note{warn, "! the input is incomplete: what is missing is not counted"})
	}
	foot = append(foot, hostsNotes(&s.Unattributed)...)
	if !s.Source.CountedOnly() { // which has nothing to drop
		foot = append(foot, dropsNote(s.Drops))
	}
	foot = append(foot, missedNotes(s)...)
	foot = append(foot, seenBeforeNotes(s.SeenBefore)...)
	for _, a := range s.Audit.Interfaces {
		// Where nothing at all could be compared the last line says it once for all of them.
		if a.Unavailable == "" || verbose || verdict(s.Audit.Verdict) != summarize.VerdictUnavailable {
			foot = append(foot, interfaceNote(a, s.Source.CountedOnly(), verbose))
		}
	}
	foot = append(foot, ledgerNotes(s.Audit.Ledger, verbose)...)
	foot = append(foot, uncheckedNotes(s, verbose)...)
	return append(foot, auditNote(s, verbose))
}

// hostsNotes say why a file's bytes stand under hosts in place of apps, and what brings apps.
func hostsNotes(u *summarize.Unattributed) []note {
	if len(u.Hosts) == 0 {
		return nil
	}
	who := counted(len(u.Hosts), "local host")
	if len(u.Hosts) == 1 {
		who = "local host " + visible(u.Hosts[0].Address.String())
	}
	if u.OtherHosts.Flows > 0 {
		who = "more than " + who
	}
	return []note{{quiet, fmt.Sprintf("no owner in file: %s B are those of %s; replay --sockets FILE tells apps",
		grouped(u.Reasons[pidmap.ReasonNoOwnerInFile]), who)}}
}

func dropsNote(d summarize.Drops) note {
	received := counted(d.Received, "packet") + " received"
	lost := d.DroppedKernel + d.DroppedInterface + d.DroppedUserspace
	switch {
	case lost > 0:
		text := fmt.Sprintf("drops: %s by the kernel, %s by the interface, %s by apptap; %s",
			grouped(d.DroppedKernel), grouped(d.DroppedInterface), grouped(d.DroppedUserspace), received)
		if !d.Known {
			text += "; not every source says what it dropped"
		}
		return note{bad, text}
	case !d.Known:
		return note{quiet, "drops: not known"}
	}
	return note{quiet, "drops: none"} // what was received is only of interest beside what was not
}

// seenBeforeNotes say what several interfaces showed more than once, and how that is known. It is no part of the table.
func seenBeforeNotes(seen flows.Repeated) []note {
	if seen.Bytes == 0 {
		return nil
	}
	words := [flows.RepeatKinds]string{
		flows.SamePacket: "the same packet on several interfaces", flows.Translated: "on the other side of a NAT",
		flows.Carried: "inside a tunnel that was captured too", flows.CarriedUnread: "inside an encrypted tunnel, inferred from lengths and times",
	}
	var parts []string
	for kind, bytes := range seen.Kinds {
		if bytes > 0 {
			parts = append(parts, words[kind]+" "+grouped(bytes)+" B")
		}
	}
	text := fmt.Sprintf("seen before: %s B in %s, counted once above (%s)",
		grouped(seen.Bytes), counted(seen.Packets, "packet"), strings.Join(parts, ", "))
	if seen.Unmatched > 0 {
		text += fmt.Sprintf("; %s B passed the tunnel for which no datagram was found: they may stand in its carrier's row too", grouped(seen.Unmatched))
	}
	return []note{{quiet, text}}
}

// interfaceNote compares an interface's captured frames, or where only sockets were counted theirs, with the interface's count of them.
func interfaceNote(a summarize.InterfaceAudit, sockets, verbose bool) note {
	name := "unnamed interface" // a pcap file has no names
	if a.Name != "" {
		name = named(a.Name)
	}
	what, who := "captured", "kernel counted"
	if sockets {
		what, who = "its sockets counted", "interface counted"
	}
	captured := fmt.Sprintf("%s: %s %s B in %s", name, what, grouped(a.CapturedBytes), counted(a.CapturedPackets, "packet"))
	if a.Unavailable != "" {
		return note{quiet, captured + "; kernel: not available (" + visible(a.Unavailable) + ")"}
	}
	parts := []string{captured, fmt.Sprintf("%s %s B in %s", who, grouped(a.KernelBytes), counted(a.KernelPackets, "packet"))}
	if a.FilteredOut > 0 {
		parts = append(parts, grouped(a.FilteredOut)+" B filtered out")
	}
	if n := a.DroppedKernel + a.DroppedInterface; n > 0 {
		parts = append(parts, counted(n, "packet")+" dropped")
	}
	if len(a.Causes) > 0 {
		parts = append(parts, causeWords(a.Causes, verbose, signed))
	}
	parts = append(parts, "residual "+signed(a.ResidualBytes)+" B")
	tone := quiet
	if a.ResidualBytes != 0 {
		tone = warn
	}
	return note{tone, strings.Join(parts, "; ")}
}

// causeWords is "still_open 1,234 B, capture_drop 12 B".
func causeWords(causes []summarize.Cause, verbose bool, number func(int64) string) string {
	n := shown(len(causes), causesShown)
	if verbose {
		n = len(causes)
	}
	var words []string
	for _, c := range causes[:n] {
		words = append(words, visible(c.Name)+" "+number(c.Bytes)+" B")
	}
	if rest := causes[n:]; len(rest) > 0 {
		var bytes int64
		for _, c := range rest {
			bytes += c.Bytes
		}
		words = append(words, counted(len(rest), "other cause")+" "+number(bytes)+" B")
	}
	return strings.Join(words, ", ")
}

// signed prints a difference, kernel minus captured: "+1,234", "-5", "0".
func signed(n int64) string {
	if n > 0 {
		return "+" + grouped(n)
	}
	return grouped(n)
}

// unsigned prints a difference without its sign.
func unsigned(n int64) string { return strings.TrimPrefix(grouped(n), "-") }
