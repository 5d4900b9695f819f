package report

import "strings"

// columns says which columns a table has. The name and TOTAL are always there.
type columns struct {
	port, service, directions, packets, flows bool
}

const (
	gap      = 2  // cells between columns
	wantName = 28 // cells of the name column that further columns must leave: "unknown: no_owner_in_file" beneath a row, a host name mostly
)

// ladder is what a narrow table gives up first. Byte counts are never rounded: that would cost their sum.
var ladder = [...]columns{
	{port: true, service: true, directions: true, packets: true, flows: true},
	{port: true, directions: true, packets: true, flows: true},
	{port: true, directions: true, packets: true},
	{port: true, directions: true},
	{directions: true},
	{},
}

// fit chooses the columns for rows and the width of the name column, so that a line has at most width
// cells.
func fit(rows []row, width int) (columns, int) {
	for _, c := range ladder {
		name, others := c.measure(rows)
		room := width - others
		if room >= name {
			return c, name
		}
		if room >= wantName || c == (columns{}) {
			return c, max(room, 1)
		}
	}
	panic("unreachable: the last rung is taken as it is")
}

// measure is the cells that the longest name wants, and those that all other columns take with their gaps.
func (c columns) measure(rows []row) (name, others int) {
	widths := make([]int, len(c.header()))
	for i, title := range c.header() {
		widths[i] = len(title)
	}
	for _, r := range rows {
		for i, text := range c.cells(r) {
			widths[i] = max(widths[i], roomOf(text))
		}
	}
	for _, w := range widths[1:] {
		others += gap + w
	}
	return widths[0], others
}

func (c columns) header() []string {
	titles := []string{"APP / DESTINATION"}
	if c.port {
		titles = append(titles, "PORT")
	}
	if c.directions {
		titles = append(titles, "SENT", "RECEIVED")
	}
	titles = append(titles, "BYTES")
	if c.packets {
		titles = append(titles, "PACKETS")
	}
	if c.flows {
		titles = append(titles, "FLOWS")
	}
	return titles
}

// cells is r as text, its name whole.
func (c columns) cells(r row) []string {
	texts := []string{r.indent() + r.Name + c.suffix(r)}
	if c.port {
		texts = append(texts, c.portText(r))
	}
	if c.directions {
		texts = append(texts, r.Sent.String(), r.Received.String())
	}
	texts = append(texts, r.Total.String())
	if c.packets {
		texts = append(texts, r.Packets.String())
	}
	if c.flows {
		texts = append(texts, r.Flows.String())
	}
	return texts
}

// name is r's first cell in at most width cells: indent and port stay, the name between them is cut. A name with
// a shorter form takes that, since half a number would be read as a number.
func (c columns) name(r row, width int) string {
	suffix := c.suffix(r)
	for _, shorter := range r.Shorter {
		if len(r.indent())+roomOf(r.Name) <= width {
			break
		}
		r.Name = shorter
	}
	if room := width - len(r.indent()) - len(suffix); room > len(suffix) {
		return r.indent() + cut(r.Name, room) + suffix
	}
	return cut(r.indent()+r.Name+suffix, width)
}

// suffix is the port of a table that has no column for it.
func (c columns) suffix(r row) string {
	if c.port || r.Port == "" {
		return ""
	}
	return " " + r.Port
}

func (c columns) portText(r row) string {
	if !c.service {
		return r.Port
	}
	return strings.TrimSpace(r.Port + " " + r.Service)
}

func (r row) indent() string {
	if r.Kind.beneath() {
		return "  "
	}
	return ""
}

func (k rowKind) beneath() bool {
	return k == rowProcess || k == rowDestination || k == rowHost || k == rowReason || k == rowMissed || k == rowRest
}
