package report

import (
	"bytes"
	"fmt"
	"strings"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// jsonOwned is a flow whose owner is explained.
type jsonOwned struct {
	jsonFlow
	Why      []string       `json:"why"` // the rules that named the app
	Evidence []jsonEvidence `json:"evidence"`
	Peer     []jsonEvidence `json:"peer_evidence"`
}

// jsonEvidence is one thing that is known of a socket that may have had the flow.
type jsonEvidence struct {
	Time      *string        `json:"time"`
	What      string         `json:"what"` // translated, opened, held, made, moved, became, closed or lost
	Method    string         `json:"method"`
	Process   *jsonCandidate `json:"process"`
	TxPayload uint64         `json:"tx_payload"`
	RxPayload uint64         `json:"rx_payload"`
	Local     string         `json:"local"`
	Remote    string         `json:"remote"`
	Cookie    uint64         `json:"cookie"`
	Inode     uint64         `json:"inode"`
	Foreign   bool           `json:"foreign"`
	Since     *string        `json:"since"`
}

func jsonOwnedOf(o summarize.OwnedFlow) jsonOwned {
	return jsonOwned{jsonFlowOf(o.Use), each(o.Use.Owner.App.Why, same), each(o.Evidence, jsonEvidenceOf), each(o.Peer, jsonEvidenceOf)}
}

func jsonEvidenceOf(e pidmap.Evidence) jsonEvidence {
	j := jsonEvidence{
		Time: jsonTime(e.Time), What: e.What, Method: string(e.Method), TxPayload: e.Moved.Tx, RxPayload: e.Moved.Rx,
		Local: e.Socket.Key.LocalAddr().String(), Cookie: e.Socket.Cookie, Inode: e.Socket.Inode, Foreign: e.Socket.Foreign, Since: jsonTime(e.Since),
	}
	if e.Socket.Key.Remote.Port != 0 {
		j.Remote = e.Socket.Key.RemoteAddr().String()
	}
	if e.Process.Name != "" || e.Process.Path != "" {
		p := jsonCandidateOf(e.Process)
		j.Process = &p
	}
	return j
}

// writeOwners says in words why flows have the owners that they have.
func writeOwners(out *bytes.Buffer, list []summarize.OwnedFlow, width int) {
	line := func(indent, text string) {
		for i, part := range wrap(visible(text), width-len(indent), continuationIndent) {
			if i == 0 {
				out.WriteString(indent)
			} else {
				out.WriteString(strings.Repeat(" ", len(indent)))
			}
			out.WriteString(part + "\n")
		}
	}
	for i := range list {
		o := &list[i]
		f := &o.Use.Flow
		out.WriteByte('\n')
		line("", fmt.Sprintf("%s %s -> %s, %s to %s, %s in %s", f.Key.Proto, f.Key.LocalAddr(), f.Key.RemoteAddr(),
			clock(f.First), clock(f.Last), grouped(f.Bytes())+" B", counted(f.Packets(), "packet")))
		line("  ", ownerInWords(&o.Use.Owner))
		for k := range o.Use.Parts {
			if len(o.Use.Owner.Shares) == 0 { // else they say it
				line("  ", partInWords(&o.Use.Parts[k]))
			}
		}
		if len(o.Evidence) == 0 {
			line("  ", "nothing is known of a socket with this address")
		}
		for k := range o.Evidence {
			line("    ", evidenceInWords(&o.Evidence[k]))
		}
		if len(o.Peer) > 0 {
			line("  ", "the other side, "+ownerInWords(&o.Use.Peer))
		}
		for k := range o.Peer {
			line("    ", evidenceInWords(&o.Peer[k]))
		}
	}
}

func clock(nanos int64) string { return nanosTime(nanos).Format("15:04:05.000000") }

// partInWords says what one owner had of a flow whose 5-tuple went from one program to another.
func partInWords(p *summarize.Part) string {
	whose := string(p.Owner.Reason)
	if p.Owner.Known() {
		whose = processInWords(&p.Owner.Process)
	}
	return fmt.Sprintf("of it %s: %s B up, %s B down", whose, grouped(p.TxBytes), grouped(p.RxBytes))
}

func ownerInWords(a *pidmap.Attribution) string {
	switch {
	case len(a.Candidates) > 0:
		var names []string
		for i := range a.Candidates {
			names = append(names, processInWords(&a.Candidates[i]))
		}
		if len(names) == 1 {
			names = append(names, "a program that was not seen")
		}
		return fmt.Sprintf("owner: none, %s: %s", a.Reason, strings.Join(names, " or "))
	case !a.Known():
		return fmt.Sprintf("owner: none, %s", a.Reason)
	case a.App.ID == "":
		return "owner: not looked for"
	}
	text := fmt.Sprintf("owner: %s, %s, by %s", a.App.Name, processInWords(&a.Process), a.Method)
	if a.Translated != (flows.Key{}) {
		text += fmt.Sprintf(", forwarded and translated from %s -> %s", a.Translated.LocalAddr(), a.Translated.RemoteAddr())
	}
	if len(a.App.Why) > 0 {
		text += "; the app because of: " + strings.Join(a.App.Why, ", ")
	}
	for i := range a.Shares {
		s := &a.Shares[i]
		text += fmt.Sprintf("; %s moved %s B up, %s B down", processInWords(&s.Process), grouped(s.Tx), grouped(s.Rx))
	}
	return text
}

func processInWords(p *pidmap.Process) string {
	name := p.Path
	if name == "" {
		name = p.Name
	}
	return fmt.Sprintf("%s (pid %d)", name, p.Key.PID)
}

func evidenceInWords(e *pidmap.Evidence) string {
	socket := "socket " + e.Socket.Key.LocalAddr().String()
	if e.Socket.Key.Remote.Port != 0 {
		socket += " -> " + e.Socket.Key.RemoteAddr().String()
	}
	if e.Socket.Cookie != 0 {
		socket += fmt.Sprintf(", cookie %d", e.Socket.Cookie)
	}
	if e.Socket.Foreign {
		socket += ", in another network namespace"
	}
	text := clock(e.Time) + " "
	switch e.What {
	case "translated":
		text += "forwarded: its addresses are translated here, " + socket
	case "opened":
		text += socket + ": seen for the first time"
		if e.Since > 0 {
			text += ", not yet there at " + clock(e.Since)
		}
	case "held":
		text += "held by " + processInWords(&e.Process)
	case "made":
		text += "made by " + processInWords(&e.Process)
	case "moved":
		text += fmt.Sprintf("until then %s had sent %s B and received %s B", processInWords(&e.Process), grouped(e.Moved.Tx), grouped(e.Moved.Rx))
	case "became":
		text += fmt.Sprintf("pid %d became %s", e.Process.Key.PID, processInWords(&e.Process))
	case "lost":
		text += "kernel events were lost from then on, perhaps that of its end"
	default:
		text += e.What
	}
	if e.Method != "" {
		text += fmt.Sprintf(" (%s)", e.Method)
	}
	return text
}
