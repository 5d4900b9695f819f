// Package report answers what a Summary looks like: as a table for people, JSON and CSV for programs, and
// one HTML page to keep or send. Only cmd calls it. It never counts, sorts or judges: the order and the
// figures are the Summary's, "other" rows are sums of rows that it leaves out.
package report

import (
	"bytes"
	"fmt"
	"io"

	"apptap/summarize"
)

// Format is a form of the report. The zero value is Table.
type Format uint8

// The formats.
const (
	Table Format = iota
	JSON
	CSV
	HTML
)

// String is the word of the command line for f.
func (f Format) String() string {
	switch f {
	case Table:
		return "table"
	case JSON:
		return "json"
	case CSV:
		return "csv"
	case HTML:
		return "html"
	}
	return fmt.Sprintf("format %d", uint8(f))
}

// ParseFormat is the reverse of String.
func ParseFormat(word string) (Format, error) {
	for _, f := range []Format{Table, JSON, CSV, HTML} {
		if word == f.String() {
			return f, nil
		}
	}
	return Table, fmt.Errorf("format %q: want table, json, csv or html", word)
}

const (
	defaultWidth = 80 // columns, where nobody knows the terminal's
	minWidth     = 60 // below it names are cut beyond recognition; narrower terminals wrap
	defaultTop   = 20 // apps: a table that is read without scrolling
)

// Options say how a Summary is shown. The zero value is a plain table in 80 columns.
type Options struct {
	Format Format
	Width  int  // of the table, in display cells; 0 = 80, and no less than 60
	Color  bool // of the table: SGR sequences; nothing else ever writes an escape
	Top    int  // apps shown by the table; 0 = 20, negative = all
	Flows  bool // add the flows; CSV: one row a flow instead of one a destination
	// Explain is whose time is explained in words, in place of the table: an app, a name or an address. "" = the table.
	Explain string
	Verbose bool // table: more destinations, the processes, every cause
	// ToolVersion is the version that the report names as its maker's.
	ToolVersion string
}

// Write writes s to w in the format that opts name. The same s and opts give the same bytes. It keeps
// neither and may be called by several goroutines at once. Its errors are w's.
func Write(w io.Writer, s *summarize.Summary, opts Options) error {
	write, err := opts.Format.writer()
	if opts.Explain != "" && opts.Format == Table {
		write = whole(writeExplanation)
	}
	if err != nil {
		return err
	}
	if err := write(w, s, opts.filled()); err != nil {
		return fmt.Errorf("write %v report: %w", opts.Format, err)
	}
	return nil
}

// writer is what writes a Summary in one format.
type writer func(io.Writer, *summarize.Summary, Options) error

func (f Format) writer() (writer, error) {
	switch f {
	case Table:
		return whole(writeTable), nil
	case JSON:
		return writeJSON, nil
	case CSV:
		return whole(writeCSV), nil
	case HTML:
		return whole(writeHTML), nil
	}
	return nil, fmt.Errorf("write report: no such %v", f)
}

// whole writes all or nothing: a summary that cannot be shown leaves no half of a report.
func whole(write func(*bytes.Buffer, *summarize.Summary, Options) error) writer {
	return func(w io.Writer, s *summarize.Summary, o Options) error {
		var out bytes.Buffer
		if err := write(&out, s, o); err != nil {
			return err
		}
		_, err := out.WriteTo(w)
		return err
	}
}

// filled is o with its defaults in place.
func (o Options) filled() Options {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	o.Width = max(o.Width, minWidth)
	if o.Top == 0 {
		o.Top = defaultTop
	}
	return o
}
