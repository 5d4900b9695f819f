package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"apptap/pidmap"
	"apptap/summarize"
)

// limits say how much of a Summary is listed; the rest is summed in "other" rows. Negative = all.
type limits struct {
	apps, destinations, processes int
}

// groupsOf lists s: apps, other apps, unknown owners, undecoded packets, and TOTAL, which is every packet
// and byte captured.
func groupsOf(s *summarize.Summary, limit limits) []group {
	var groups []group
	apps := shown(len(s.Apps), limit.apps)
	names := appNames(s.Apps)
	for i, use := range s.Apps[:apps] {
		groups = append(groups, appGroup(use, names[i], limit))
	}
	if rest := s.Apps[apps:]; len(rest) > 0 {
		groups = append(groups, group{row: otherRow(rowOther, counted(len(rest), "app"), sum(rest, appTotals))})
	}
	groups = append(groups, unknownGroups(&s.Unattributed, limit)...)
	if s.Undecoded.Packets > 0 || s.Undecoded.Bytes > 0 {
		groups = append(groups, group{row: undecodedRow(s.Undecoded)})
	}
	return append(groups, group{row: totalRow(s)})
}

// shown is how many of n entries are listed: one too many is listed too, an "other" row would take its line.
func shown(n, limit int) int {
	if limit < 0 || n <= limit+1 {
		return n
	}
	return limit
}

func sum[T any](entries []T, totals func(T) summarize.Totals) summarize.Totals {
	var all summarize.Totals
	for _, e := range entries {
		all = all.Add(totals(e))
	}
	return all
}

func appTotals(a summarize.AppUse) summarize.Totals              { return a.Totals }
func processTotals(p summarize.ProcessUse) summarize.Totals      { return p.Totals }
func hostTotals(h summarize.HostUse) summarize.Totals            { return h.Totals }
func destinationTotals(d summarize.Destination) summarize.Totals { return d.Totals }

// appNames are the apps' names, with the ID where a name is not one app's alone: anyone can call a program
// Safari.
func appNames(apps []summarize.AppUse) []string {
	names, uses := make([]string, len(apps)), map[string]int{}
	for i, use := range apps {
		names[i] = named(cmp.Or(use.App.Name, use.App.ID))
		uses[names[i]]++
	}
	for i, use := range apps {
		if uses[names[i]] > 1 && use.App.ID != use.App.Name {
			names[i] += " (" + visible(use.App.ID) + ")"
		}
	}
	return names
}

func appGroup(use summarize.AppUse, name string, limit limits) group {
	g := group{row: totalsRow(rowApp, name, use.Totals)}
	g.Title = visible(cmp.Or(use.App.Path, use.App.ID))
	if limit.processes != 0 {
		n := shown(len(use.Processes), limit.processes)
		for _, p := range use.Processes[:n] {
			g.Beneath = append(g.Beneath, processRow(p))
		}
		rest := use.Processes[n:]
		if others := len(rest) + use.OtherProcesses.Processes; others > 0 {
			g.Beneath = append(g.Beneath, otherRow(rowRest, processesWord(others), sum(rest, processTotals).Add(use.OtherProcesses.Totals)))
		}
	}
	g.Beneath = append(g.Beneath, destinationRows(use.Destinations, use.OtherDestinations, limit)...)
	g.Beneath = append(g.Beneath, missedRows(use.Missed)...)
	return g
}

func destinationRows(all []summarize.Destination, others summarize.OtherDestinations, limit limits) []row {
	var rows []row
	n := min(shown(len(all)+others.Destinations, limit.destinations), len(all))
	for _, d := range all[:n] {
		rows = append(rows, destinationRow(d))
	}
	if rest := len(all) - n + others.Destinations; rest > 0 {
		rows = append(rows, otherRow(rowRest, counted(rest, "destination"), others.Totals.Add(sum(all[n:], destinationTotals))))
	}
	return rows
}

func otherRow(kind rowKind, what string, t summarize.Totals) row {
	r := totalsRow(kind, "other ("+what+")", t)
	n, _, _ := strings.Cut(what, " ")
	r.Shorter = []string{"other (" + n + ")", "other"}
	return r
}

// unknownGroups are one group for a single reason. Of several reasons the Summary knows the bytes but not
// their direction, so they stand beneath a row that has both.
func unknownGroups(u *summarize.Unattributed, limit limits) []group {
	reasons := sortedReasons(u.Reasons)
	if u.Flows == 0 && u.Packets() == 0 && len(reasons) == 0 && u.Missed == nil {
		return nil
	}
	if len(reasons) == 1 {
		g := group{row: totalsRow(rowUnknown, unknownName(reasons[0]), u.Totals)}
		g.Beneath = append(hostRows(u, limit), destinationRows(u.Destinations, u.OtherDestinations, limit)...)
		g.Beneath = append(g.Beneath, missedRows(u.Missed)...)
		return []group{g}
	}
	g := group{row: totalsRow(rowUnknown, fmt.Sprintf("unknown (%s)", counted(len(reasons), "reason")), u.Totals)}
	for _, reason := range reasons {
		g.Beneath = append(g.Beneath, row{Kind: rowReason, Name: unknownName(reason), Total: known(u.Reasons[reason])})
	}
	g.Beneath = append(g.Beneath, missedRows(u.Missed)...)
	return []group{g}
}

// hostRows are the local addresses of a file that names no owners; none for a single one, which the foot names.
func hostRows(u *summarize.Unattributed, limit limits) []row {
	if len(u.Hosts) < 2 {
		return nil
	}
	var rows []row
	n := shown(len(u.Hosts), limit.destinations)
	for _, h := range u.Hosts[:n] {
		rows = append(rows, hostRow(h))
	}
	rest := u.OtherHosts.Add(sum(u.Hosts[n:], hostTotals))
	switch {
	case u.OtherHosts.Flows > 0: // how many they are was not counted
		rows = append(rows, totalsRow(rowRest, "other hosts", rest))
	case n < len(u.Hosts):
		rows = append(rows, otherRow(rowRest, counted(len(u.Hosts)-n, "host"), rest))
	}
	return rows
}

func unknownName(r pidmap.Reason) string { return "unknown: " + visible(string(r)) }

// sortedReasons are the keys of reasons by bytes, then name.
func sortedReasons(reasons map[pidmap.Reason]uint64) []pidmap.Reason {
	return slices.SortedFunc(maps.Keys(reasons), func(a, b pidmap.Reason) int {
		return cmp.Or(cmp.Compare(reasons[b], reasons[a]), cmp.Compare(a, b))
	})
}

// undecodedRow names as many kinds as there is room for, "undecoded (arp 3, icmp 2, 4 more kinds)".
func undecodedRow(u summarize.Undecoded) row {
	names := []string{"undecoded"}
	var listed strings.Builder
	for i, k := range u.Kinds {
		if i > 0 {
			listed.WriteString(", ")
		}
		listed.WriteString(visible(k.Kind) + " " + grouped(k.Packets))
		more := ""
		if rest := len(u.Kinds) - i - 1; rest > 0 {
			more = ", " + counted(rest, "more kind")
		}
		names = append(names, "undecoded ("+listed.String()+more+")")
	}
	slices.Reverse(names)
	return row{Kind: rowUndecoded, Name: names[0], Shorter: names[1:], Total: known(u.Bytes), Packets: known(u.Packets)}
}

func totalRow(s *summarize.Summary) row {
	r := totalsRow(rowTotal, "TOTAL", s.Totals)
	r.Total.n += s.Undecoded.Bytes
	r.Packets.n += s.Undecoded.Packets
	return r
}

// processesWord is "1 process", "2 processes".
func processesWord(n int) string {
	if n == 1 {
		return "1 process"
	}
	return grouped(n) + " processes"
}
