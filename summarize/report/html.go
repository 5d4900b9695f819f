package report

import (
	"bytes"
	_ "embed" // page.html
	"html/template"

	"apptap/summarize"
)

// htmlDestinations is how many destinations the page lists under an app: it has room, but a port scan has
// tens of thousands of them.
const htmlDestinations = 200

//go:embed page.html
var pageTemplate string

// page is what page.html shows: the table's content, with more beneath each app.
type page struct {
	Version string
	Head    []line
	Groups  []group
	Total   row
	Foot    []note
	Flows   []string // a line each
}

// writeHTML writes one page that needs nothing else: no script, no font, no address to call. Every name on it
// went through visible, which takes out what could hide or reorder text, and html/template, which keeps it text.
func writeHTML(out *bytes.Buffer, s *summarize.Summary, o Options) error {
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return err
	}
	var list []string
	if o.Flows {
		list = flowLines(s.Flows)
	}
	groups := groupsOf(s, limits{apps: -1, destinations: htmlDestinations, processes: htmlDestinations})
	last := len(groups) - 1
	return t.Execute(out, page{
		Version: visible(o.ToolVersion),
		Head:    headOf(s, false, ""),
		Groups:  groups[:last],
		Total:   groups[last].row,
		Foot:    footOf(s, true),
		Flows:   list,
	})
}
