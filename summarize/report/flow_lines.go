package report

import (
	"fmt"

	"apptap/flows"
	"apptap/summarize"
)

// flowLines are the flows as people read them, a line each, in the Summary's order.
func flowLines(list []summarize.FlowUse) []string {
	lines := make([]string, len(list))
	for i := range list {
		lines[i] = flowLine(&list[i])
	}
	return lines
}

// flowLine says who spoke with whom, who opened the flow, how much went which way and when, and what the kernel says to it.
func flowLine(use *summarize.FlowUse) string {
	f := &use.Flow
	who := fmt.Sprintf("unknown (%s)", use.Owner.Reason)
	if use.Owner.Known() {
		who = use.Owner.App.Name
	}
	arrow := map[flows.Initiator]string{flows.InitiatorLocal: "->", flows.InitiatorRemote: "<-"}[f.Initiator]
	if arrow == "" {
		arrow = "--"
	}
	text := fmt.Sprintf("%s: %s %s %s %s", who, f.Key.Proto, f.Key.LocalAddr(), arrow, f.Key.RemoteAddr())
	if name, _ := f.Names.Best(); name != "" {
		text += fmt.Sprintf(" (%s)", flows.DisplayName(name))
	} else if use.Peer.App.Name != "" {
		text += fmt.Sprintf(" (%s)", use.Peer.App.Name)
	}
	text += fmt.Sprintf(", sent %s B, received %s B in %s, %s to %s", grouped(f.TxBytes), grouped(f.RxBytes), counted(f.Packets(), "packet"),
		clock(f.First), clock(f.Last))
	if v := verdict(use.Verdict); v != summarize.VerdictUnavailable {
		text += ", " + string(v)
	}
	return visible(text)
}
