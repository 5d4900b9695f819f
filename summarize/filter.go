package summarize

import (
	"slices"
	"strings"
)

// splitsFlows says whether a BPF expression (pcap-filter(7)) may pass some packets of a TCP connection and not
// others. Host, net, port and protocol without a direction take both sides' packets or none; a look into the packet
// (tcp[13], len > 100) need not. It looks for what may split, so a primitive it has not heard of leaves a difference
// unexplained rather than excused.
func splitsFlows(expr string) bool {
	if strings.ContainsAny(expr, "[<>=") {
		return true
	}
	words := strings.FieldsFunc(strings.ToLower(expr), func(r rune) bool { return strings.ContainsRune(" \t\r\n()!&|", r) })
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(splittingWords[:], word) })
}

// splittingWords tell packets of one flow apart by direction, length or what surrounds them.
var splittingWords = [...]string{
	"src", "dst", "inbound", "outbound", "less", "greater", "broadcast", "multicast", "gateway",
	"ra", "ta", "addr1", "addr2", "addr3", "addr4", "dir", "action", "reason", "rulenum", "type", "subtype",
	"vlan", "mpls", "pppoed", "pppoes", "geneve", "vxlan",
}
