package report

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"apptap/flows"
	"apptap/summarize"
)

// writeExplanation says in words where the time of o.Explain went, the destination that cost most first.
func writeExplanation(out *bytes.Buffer, s *summarize.Summary, o Options) error {
	list, silent := s.Explain(o.Explain)
	for i := range list {
		if i > 0 {
			out.WriteByte('\n')
		}
		explainDestination(out, &list[i])
	}
	if len(list) > 0 && len(silent) > 0 {
		out.WriteByte('\n')
	}
	for _, l := range silent {
		fmt.Fprintln(out, silentSentence(l))
	}
	if len(list)+len(silent) == 0 {
		fmt.Fprintf(out, "Nothing here is called %s, or no packet of it tells of time.\n", visible(o.Explain))
		return nil
	}
	fmt.Fprintf(out, "\n%s\n", blindSentence)
	return nil
}

const blindSentence = "What packets cannot show: what the program did before it asked and between its requests, and what the server did while it\nwas asked. Times are as they passed where the packets were captured."

func explainDestination(out *bytes.Buffer, e *summarize.Explanation) {
	d := &e.Destination
	fmt.Fprintf(out, "%s %s/%d%s: %s, %s\n", destinationName(d, flows.DisplayName(d.Name)), d.Proto, d.Port, ofApp(e.App), counted(d.Flows, "flow"), counted(d.Bytes(), "byte"))
	if text := finding(e); text != "" {
		fmt.Fprintf(out, "  %s\n", text)
	}
	for _, c := range e.Costs {
		l := layers[c.Layer]
		fmt.Fprintf(out, "    %-9s %9s  %s\n", l.name, duration(c.Micros), l.evidence(e))
	}
	for _, text := range remarks(e) {
		fmt.Fprintf(out, "  %s\n", text)
	}
	if text := nextLook(e); text != "" {
		fmt.Fprintf(out, "  Look next at %s.\n", text)
	}
}

// finding is one sentence about all of e.
func finding(e *summarize.Explanation) string {
	sum := e.Sum()
	switch {
	case e.Failed():
		return fmt.Sprintf("None of these flows came to anything, over %s.", duration(sum))
	case sum == 0:
		return "No step of them was seen whole: the capture begins or ends within it, or the protocol shows none."
	case e.RoundTripsOnly():
		return fmt.Sprintf("Of %s that these flows took, no layer stands out: each step took the round trips that it needs, of %s.", duration(sum), duration(e.RoundTrip))
	}
	return fmt.Sprintf("Of %s that these flows took, %s (%d %%).", duration(sum), layers[e.Costs[0].Layer].took, (e.Costs[0].Micros*100+sum/2)/sum)
}

// nextLook is what to look at, "" without a hint.
func nextLook(e *summarize.Explanation) string {
	switch {
	case e.Failed():
		return failedNext(e)
	case len(e.Costs) == 0:
		return ""
	case e.RoundTripsOnly():
		return "the distance: fewer round trips (connections that are kept, sessions that are resumed, TLS 1.3, HTTP/3), or a server that is nearer"
	}
	return layers[e.Costs[0].Layer].next(e)
}

func ofApp(name string) string {
	if name == "" {
		return ""
	}
	return " by " + visible(name)
}

// remarks are what costs do not say.
func remarks(e *summarize.Explanation) (texts []string) {
	t := e.Destination.Times
	if n := t.Failed.Flows; n > 0 {
		text := fmt.Sprintf("%s came to nothing (%s): %s", counted(n, "flow"), failures(&t.Failed), counted(t.Failed.Bytes(), "byte"))
		if t.Failed.Retries > 0 {
			text += "; " + triedAgain(&t.Failed)
		}
		texts = append(texts, text+".")
	}
	if t.Waiting > 0 {
		texts = append(texts, counted(t.Waiting, "flow")+" ended with a request that nobody had answered.")
	}
	if t.First.Count > 0 && t.Later.Count > 0 {
		texts = append(texts, fmt.Sprintf("Cold, %s behind a look-up: first byte after %s (median); warm, %s: after %s.",
			counted(t.First.Count, "flow"), duration(t.First.Median), counted(t.Later.Count, "flow"), duration(t.Later.Median)))
	}
	if t.Resumed+t.EarlyData > 0 {
		texts = append(texts, sessions(t))
	}
	if e.Destination.NameSource == "ech_outer" {
		texts = append(texts, "The name is only the outer one of an encrypted ClientHello: which site behind it was meant does not show.")
	}
	for _, l := range e.Lookups {
		if trouble := lookupTrouble(l); trouble != "" {
			texts = append(texts, fmt.Sprintf("Look-ups by %s: %s.", l.Client, trouble))
		}
	}
	return texts
}

// sessions is about TLS handshakes that were short, or had data in them.
func sessions(t *summarize.Times) string {
	early := counted(t.EarlyData, "flow") + " sent data ahead of the handshake's end (0-RTT)"
	if t.Resumed+t.Full == 0 { // QUIC hides which
		return early + "."
	}
	text := fmt.Sprintf("TLS resumed a session in %s and made one anew in %s", counted(t.Resumed, "flow"), grouped(t.Full))
	if t.TLSResumed.Count > 0 && t.TLSFull.Count > 0 {
		text += fmt.Sprintf(", in %s against %s (median)", duration(t.TLSResumed.Median), duration(t.TLSFull.Median))
	}
	if t.EarlyData > 0 {
		text += "; " + early
	}
	return text + "."
}

// triedAgain is what trying again cost.
func triedAgain(f *summarize.Failed) string {
	return fmt.Sprintf("%s of them, %s, tried again within %s what had failed, over %s", grouped(f.Retries), counted(f.RetryBytes, "byte"),
		duration(uint64(summarize.RetryWindow.Microseconds())), duration(uint64(f.Last-f.First)/1000))
}

// failures are the ways in which flows came to nothing.
func failures(f *summarize.Failed) string {
	var parts []string
	for way, words := range [...]string{"unanswered", "refused", "reset before any answer", "without an answer over UDP", "unreachable by ICMP"} {
		if n := f.Ways[way]; n > 0 {
			parts = append(parts, grouped(n)+" "+words)
		}
	}
	return strings.Join(parts, ", ")
}

// lookupTrouble is what went wrong with look-ups, "" if nothing did.
func lookupTrouble(l flows.Lookup) string {
	var parts []string
	if l.TimedOut > 0 {
		parts = append(parts, queries(l.TimedOut)+" timed out")
	}
	for code, n := range l.Failures {
		if n > 0 {
			parts = append(parts, counted(uint64(n), "answer")+" "+responseCode(code))
		}
	}
	if l.NoAddress > 0 && l.Addressed == 0 {
		parts = append(parts, counted(l.NoAddress, "answer")+" without an address")
	}
	return strings.Join(parts, ", ")
}

// silentSentence is about a name that no flow followed.
func silentSentence(l flows.Lookup) string {
	asked := fmt.Sprintf("%s: %s of %s", visible(flows.DisplayName(l.Name)), queries(l.Queries), l.Client)
	trouble := lookupTrouble(l)
	switch {
	case l.Addressed > 0:
		return fmt.Sprintf("%s, answered with an address, and no flow followed: the request never left, or took a connection that was open already. Look next at the program, or at a local firewall.", asked)
	case trouble != "":
		return fmt.Sprintf("%s: %s. The request never left, for want of an address. Look next at the resolver, or the name.", asked, trouble)
	}
	return asked + " without an answer yet."
}

// duration is a time in three digits: 938 us, 18.9 ms, 3.60 s.
func duration(us uint64) string {
	switch v := float64(us); {
	case us < 1000:
		return strconv.FormatUint(us, 10) + " us"
	case us < 999_950:
		return threeDigits(v/1e3) + " ms"
	default:
		return threeDigits(v/1e6) + " s"
	}
}

func threeDigits(v float64) string {
	switch {
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

func queries(n uint64) string {
	if n == 1 {
		return "1 query"
	}
	return grouped(n) + " queries"
}
