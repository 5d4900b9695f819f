package report

import (
	"bytes"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"apptap/summarize"
)

const (
	tableDestinations  = 5  // listed under an app: enough to recognise what it does
	verboseEntries     = 20 // destinations and processes listed under an app with -v
	continuationIndent = "    "
)

// writeTable writes the table: head, rows, foot. No line is wider than o.Width cells.
func writeTable(out *bytes.Buffer, s *summarize.Summary, o Options) error {
	ink := ink{o.Color}
	for _, l := range headOf(s, o.Verbose, o.ToolVersion) {
		label := l.Label + strings.Repeat(" ", 10-len(l.Label))
		for _, text := range wrap(l.Text, o.Width-10, "") {
			out.WriteString(ink.dim(label) + text + "\n")
			label = strings.Repeat(" ", 10)
		}
	}
	out.WriteByte('\n')
	limit := limits{apps: o.Top, destinations: tableDestinations}
	if o.Verbose {
		limit.destinations, limit.processes = verboseEntries, verboseEntries
	}
	if err := drawTable(out, flatten(groupsOf(s, limit)), o.Width, ink); err != nil {
		return err
	}
	if o.Flows {
		out.WriteByte('\n')
		for _, line := range flowLines(s.Flows) {
			for _, text := range wrap(line, o.Width, continuationIndent) {
				out.WriteString(text + "\n")
			}
		}
	}
	out.WriteByte('\n')
	for _, n := range footOf(s, o.Verbose) {
		for _, text := range wrap(n.Text, o.Width, continuationIndent) {
			out.WriteString(ink.note(n.Tone, text) + "\n")
		}
	}
	writeOwners(out, s.Owners, o.Width)
	return nil
}

func flatten(groups []group) []row {
	var rows []row
	for _, g := range groups {
		rows = append(append(rows, g.row), g.Beneath...)
	}
	return rows
}

// drawTable draws rows, the last of them under a rule.
func drawTable(out *bytes.Buffer, rows []row, width int, ink ink) error {
	c, nameWidth := fit(rows, width)
	table := newTable(out, c)
	table.Header(spaced(ink.each(c.header(), ink.dim)))
	last := len(rows) - 1
	for _, r := range rows[:last] {
		if err := table.Append(c.inked(r, nameWidth, ink)); err != nil {
			return err
		}
	}
	table.Footer(c.inked(rows[last], nameWidth, ink))
	return table.Render()
}

// inked is r's cells as they are printed.
func (c columns) inked(r row, nameWidth int, ink ink) []string {
	texts := c.cells(r)
	texts[0] = ink.name(r.Kind, c.name(r, nameWidth))
	return spaced(texts)
}

// spaced puts the gap before every cell but the first.
func spaced(texts []string) []string {
	for i := range texts[1:] {
		texts[i+1] = strings.Repeat(" ", gap) + texts[i+1]
	}
	return texts
}

// newTable is a table without borders: text to the left, numbers to the right, a rule above the total.
// tablewriter would otherwise trim the indent, title-case the header and wrap what is too long. It also takes the
// width of ambiguous characters from the locale; EastAsian off keeps the output the same everywhere. The gap
// between columns is part of their cells: v1.1.5 cuts a cell by twice its padding.
func newTable(out *bytes.Buffer, c columns) *tablewriter.Table {
	n := len(c.header())
	align := make(tw.Alignment, n)
	for i := range n {
		align[i] = tw.AlignRight
	}
	align[0] = tw.AlignLeft
	if c.port {
		align[1] = tw.AlignLeft
	}
	cell := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off},
		Padding:    tw.CellPadding{Global: tw.PaddingNone},
		Alignment:  tw.CellAlignment{PerColumn: align},
	}
	return tablewriter.NewTable(out,
		tablewriter.WithConfig(tablewriter.Config{
			Header: cell, Row: cell, Footer: cell,
			Behavior: tw.Behavior{TrimSpace: tw.Off, TrimTab: tw.Off, TrimLine: tw.Off, AutoHide: tw.Off},
		}),
		tablewriter.WithEastAsian(tw.Off),
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Symbols: tw.NewSymbols(tw.StyleLight),
			Settings: tw.Settings{
				Separators: tw.SeparatorsNone,
				Lines:      tw.Lines{ShowTop: tw.Off, ShowBottom: tw.Off, ShowHeaderLine: tw.Off, ShowFooterLine: tw.On},
			},
		})),
	)
}
