package report

import (
	"cmp"
	"fmt"
	"strings"

	"apptap/summarize"
)

// line is a labelled line above the table.
type line struct{ Label, Text string }

// headOf says what was captured, when, and how much.
func headOf(s *summarize.Summary, verbose bool, toolVersion string) []line {
	head := []line{
		{"source", sourceWords(s.Source)},
		{"window", windowWords(s.Window)},
		{measured(s), capturedWords(s)},
	}
	if s.Source.Filter != "" {
		head = append(head, line{"filter", visible(s.Source.Filter)})
	}
	if verbose && len(s.Source.Local) > 0 {
		head = append(head, line{"local", localWords(s.Source)})
	}
	if verbose {
		head = append(head, line{"made by", visible(strings.TrimSpace("apptap " + toolVersion))})
	}
	return head
}

// measured is what was done with what the report speaks of.
func measured(s *summarize.Summary) string {
	if s.Source.CountedOnly() {
		return "counted"
	}
	return "captured"
}

func sourceWords(src summarize.Source) string {
	interfaces := visible(strings.Join(src.Interfaces, ", "))
	if len(src.Files) == 0 {
		return cmp.Or(interfaces, "no interface") + " (" + cmp.Or(visible(src.Kind), "unknown") + ")"
	}
	files := visible(strings.Join(src.Files, ", "))
	if interfaces == "" {
		return files
	}
	return files + " (" + interfaces + ")"
}

func windowWords(w summarize.Window) string {
	if w == (summarize.Window{}) {
		return "no packet was captured"
	}
	const layout = "2006-01-02 15:04:05.000"
	start, end := nanosTime(w.Start), nanosTime(w.End)
	until := end.Format(layout)
	if until[:10] == start.Format(layout)[:10] {
		until = until[11:]
	}
	return fmt.Sprintf("%s to %s UTC, %s s", start.Format(layout), until, seconds(lasted(w)))
}

func capturedWords(s *summarize.Summary) string {
	total := totalRow(s)
	words := counted(total.Packets.n, "packet") + ", " + counted(total.Total.n, "byte")
	if total.Total.n >= 1000 {
		words += " (" + rounded(total.Total.n) + ")"
	}
	return words + ", " + counted(s.Totals.Flows, "flow")
}

func localWords(src summarize.Source) string {
	var all []string
	for _, prefix := range src.Local {
		all = append(all, prefix.String())
	}
	return visible(strings.Join(all, ", ")) + " (from " + visible(strings.ReplaceAll(src.LocalFrom, "_", " ")) + ")"
}
