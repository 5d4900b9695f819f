package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"apptap/internal/pipeline"
	"apptap/summarize"
	"apptap/summarize/report"
)

// defaultMaxFlows bounds the flows of a run where --max-flows says nothing else.
const defaultMaxFlows = 1_500_000

// outputFlags are the flags of every command that ends in a report.
type outputFlags struct {
	format  string
	file    string
	flows   bool
	explain string
	owner   string
	by      string
	mmdb    string
	rdns    bool
	numeric bool
	top     int
	list    int
	most    int
	strict  bool
	verbose bool
}

func (o *outputFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.format, "format", "table", "report as `FORMAT`: table, json, csv or html")
	f.StringVarP(&o.file, "output", "o", "-", "write the report to `FILE`, - for standard output")
	f.BoolVar(&o.flows, "flows", false, "list every flow too; in CSV in place of destinations")
	f.StringVar(&o.explain, "explain", "", "say in words where the time of `APP|NAME` went, in place of the table")
	f.StringVar(&o.owner, "explain-owner", "", "say how the owner of the flows of `[ADDR:]PORT`, a local endpoint, is known: all that was told of its sockets (table, json)")
	f.StringVar(&o.by, "by", "name", "sum up by `WORD[,WORD]`: "+byUsage())
	f.StringVar(&o.mmdb, "mmdb", "", "for --by asn or country: a local database in MaxMind's format, `FILE`")
	f.BoolVar(&o.rdns, "rdns", false, "ask the resolver, after the capture, for names of addresses without one; nothing else is ever looked up")
	f.BoolVarP(&o.numeric, "no-names", "n", false, "read no names from packets: destinations are addresses, and large files take less time")
	f.IntVar(&o.list, "destinations", 10_000, "list the `N` largest destinations of each app and sum up the others, 0 for all (json, csv, html)")
	f.IntVar(&o.most, "max-flows", defaultMaxFlows, "keep `N` flows at a time (250 to 450 bytes each) and sum up the idlest beyond, 0 for no bound")
	f.IntVar(&o.top, "top", 20, "show `N` apps in the table, 0 for all")
	f.BoolVar(&o.strict, "strict", false, "exit with 3 if the report is incomplete: drops, a cut file, bytes without an owner, an audit that does not close")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say more: processes under apps, every cause in the audit")
}

// takesTimes says whether the report shows times: the table and the page have none.
func (o *outputFlags) takesTimes() bool {
	return o.explain != "" || o.format == report.JSON.String() || o.format == report.CSV.String()
}

// check finds mistakes before anything is captured.
func (o *outputFlags) check() error {
	if _, err := report.ParseFormat(o.format); err != nil {
		return &exitErr{code: exitUsage, err: err}
	}
	if o.explain != "" && o.format != report.Table.String() {
		return usageError("--explain is words: it goes with --format table; --format %s has the figures", o.format)
	}
	if o.explain != "" && (o.owner != "" || o.flows) {
		return usageError("--explain, --explain-owner and --flows: --explain takes the report's place, so give it alone")
	}
	if _, err := o.endpoint(); err != nil {
		return err
	}
	if err := o.checkNames(); err != nil {
		return err
	}
	if o.top < 0 {
		return usageError("--top %d: want 0 or more", o.top)
	}
	if o.most < 0 {
		return usageError("--max-flows %d: want 0 or more", o.most)
	}
	if o.list < 0 {
		return usageError("--destinations %d: want 0 or more", o.list)
	}
	if o.file == "-" {
		return nil
	}
	if err := checkWritable(o.file); err != nil {
		return err
	}
	free, err := keepFree(o.file)
	free()
	return notFree(o.file, "-o", err)
}

// configure has a run gather what the report wants.
func (o *outputFlags) configure(c *pipeline.Config) (err error) {
	if c.Explain, err = o.endpoint(); err != nil {
		return err
	}
	if c.Destinations, err = o.grouping(); err != nil {
		return err
	}
	c.By, c.TakeTimes, c.NoNames = o.appsBy(), o.takesTimes(), o.numeric
	c.ListFlows, c.ListDestinations, c.MaxFlows = o.flows, o.list, o.most
	return nil
}

// checkNames finds what asks for names beside -n, which reads none.
func (o *outputFlags) checkNames() error {
	switch {
	case o.numeric && o.rdns:
		return usageError("-n is for addresses, --rdns for names: give one of them")
	case o.numeric && slices.Contains(strings.Split(o.by, ","), "domain"):
		return usageError("-n reads no names, which --by domain wants: give one of them")
	}
	return nil
}

// endpoint is whose owners are explained, the zero Endpoint for none.
func (o *outputFlags) endpoint() (e summarize.Endpoint, err error) {
	if o.owner == "" {
		return e, nil
	}
	if o.format != report.Table.String() && o.format != report.JSON.String() {
		return e, usageError("--explain-owner goes with --format table or json")
	}
	host, port := "", strings.TrimPrefix(o.owner, ":")
	if strings.Contains(port, ":") {
		if host, port, err = net.SplitHostPort(o.owner); err == nil {
			e.Addr, err = netip.ParseAddr(host)
			e.Addr = e.Addr.Unmap().WithZone("")
		}
	}
	number, numErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numErr != nil || number == 0 {
		return e, usageError("--explain-owner %q: want a port, or an address and a port such as 192.0.2.2:443 or [2001:db8::2]:443", o.owner)
	}
	e.Port = uint16(number)
	return e, nil
}

// write prints the report where it is wanted. A report that cannot be written to its file goes to standard
// output instead: what was captured is not lost for a full disk.
func (o *outputFlags) write(ctx context.Context, s streams, summary *summarize.Summary) error {
	format, err := report.ParseFormat(o.format)
	if err != nil {
		return err
	}
	if o.owner != "" && len(summary.Owners) == 0 {
		fmt.Fprintf(s.err, "apptap: no flow has the local endpoint %s; --format csv --flows lists the local endpoints that there are\n", printable(o.owner))
	}
	if o.rdns {
		summary = withReverseNames(ctx, summary, net.DefaultResolver)
	}
	opts := report.Options{Format: format, Top: o.top, Flows: o.flows, Explain: o.explain, Verbose: o.verbose, ToolVersion: version()}
	if o.top == 0 {
		opts.Top = -1 // all: a zero Options means the default
	}
	if o.file == "-" {
		opts.Width, opts.Color = terminal(s.out)
		if err := writeReport(s.out, summary, opts); err != nil {
			return withHint(fmt.Errorf("write the report to standard output: %w", pathCause(err)), "use -o FILE on a disk with room")
		}
		return o.strictly(summary)
	}
	failed := writeReportFile(s.err, o.file, summary, opts)
	if failed == nil {
		return o.strictly(summary)
	}
	failed = withHint(fmt.Errorf("write %s: %w", o.file, pathCause(failed)), "the report was printed on standard output instead")
	if err := writeReport(s.out, summary, opts); err != nil {
		return errors.Join(failed, err)
	}
	return failed
}

func writeReport(w io.Writer, summary *summarize.Summary, opts report.Options) error {
	buffered := bufio.NewWriter(w)
	if err := report.Write(buffered, summary, opts); err != nil {
		return err
	}
	return buffered.Flush()
}

// warn prints what went wrong without ending the run, a line each.
func warn(s streams, warnings []error) {
	for _, warning := range warnings {
		fmt.Fprintf(s.err, "apptap: warning: %s\n", oneLine(warning))
	}
}

// terminal is the width to print in and whether to use colour: COLUMNS, else the terminal's, else 80; no
// colour where the output is no terminal or NO_COLOR is set (https://no-color.org).
func terminal(w io.Writer) (width int, color bool) {
	onTerminal := isTerminal(w)
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		width = columns
	} else if f, ok := w.(*os.File); ok && onTerminal {
		width, _, _ = term.GetSize(int(f.Fd())) // 0 where the terminal does not say: the report then takes 80
	}
	return width, onTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
