package main

import (
	"context"
	"errors"
	"fmt"
	slashpath "path"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"apptap/capture"
	"apptap/flows"
	"apptap/internal/anonymize"
	"apptap/internal/pipeline"
	"apptap/internal/session"
	"apptap/internal/usage"
	"apptap/pidmap"
	"apptap/summarize"
)

// exportFlags are what `apptap export` can be told.
type exportFlags struct {
	keptFlags
	apps, dsts []string
	out        string
	local      []string
	sockets    []string
}

func newExportCommand(s streams) *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use:   "export [flags] FILE... --app APP -w OUT.pcapng",
		Short: "cut the packets of an app or a destination out of a capture",
		Long: `Write the packets of the flows of an app, or to a destination, to a capture of its own, with what is known of their
owners and the kernel's counters of their sockets, and of nobody else's. APP is a name or an id, DST a name or an address; both may
have * and ? as in a shell. Several of one kind are either's; both kinds select what is both.
Packets of other protocols than TCP and UDP are nobody's.`,
		Example: `  apptap export session.pcapng --app firefox -w firefox.pcapng
  apptap export a.pcap b.pcap --dst '*.example.com' --dst 192.0.2.0/24 -w - | wireshark -k -i -`,
		RunE: func(c *cobra.Command, args []string) error { return runExport(c.Context(), s, &f, args) },
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.apps, "app", nil, "packets of `APP`; \""+usage.Unattributed+"\" is what has no owner")
	flags.StringArrayVar(&f.dsts, "dst", nil, "packets exchanged with `DST`")
	f.register(flags, "")
	flags.StringVarP(&f.out, "write", "w", "", "write them to `OUT.pcapng`; .zst or .gz behind it compresses; - for standard output")
	flags.StringArrayVar(&f.sockets, "sockets", nil, "who owned which socket when, JSON lines in `FILE`, for captures that do not say")
	flags.StringSliceVar(&f.local, "local", nil, "addresses of the captured host, as `CIDR,...`")
	return c
}

func (f *exportFlags) check(args []string) error {
	switch {
	case len(args) == 0:
		return usageError("export wants a capture file")
	case slices.Contains(append(slices.Clone(args), f.sockets...), "-") && !f.everything():
		return usageError("export reads its files twice: standard input can be read once only")
	case f.everything() && !f.given():
		return usageError("export wants --app or --dst, or --headers or --anonymize")
	case f.out == "":
		return usageError("export wants -w OUT.pcapng")
	}
	if err := f.keptFlags.check(); err != nil {
		return err
	}
	for _, pattern := range append(slices.Clone(f.apps), f.dsts...) {
		if _, err := slashpath.Match(pattern, ""); err != nil {
			return usageError("%q is no pattern: %v", pattern, err)
		}
	}
	for _, file := range args {
		if f.out != "-" && sameFile(f.out, file) {
			return usageError("write %s: it is a capture to be read", f.out)
		}
	}
	if f.out == "-" {
		return nil
	}
	return checkWritable(f.out)
}

func runExport(ctx context.Context, s streams, f *exportFlags, args []string) error {
	if err := f.check(args); err != nil {
		return err
	}
	if f.everything() {
		return convert(ctx, s, f, args)
	}
	replay := f.replayFlags()
	replay.flows = true
	var kept pipeline.Session
	found, err := replay.replay(ctx, s, args, "", func(c *pipeline.Config) error { kept = c.Session; return nil })
	if err != nil {
		return err
	}
	warn(s, found.Warnings)
	wanted := newSelection(f, found.Summary.Flows)
	if len(wanted.uses) == 0 {
		return withHint(fmt.Errorf("no flow of %s", f.words()), "apptap replay lists apps and destinations")
	}
	if err := wanted.findFragments(ctx, s, args); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	var r *export
	replay.flows = false
	written, err := replay.replay(ctx, s, args, "", func(c *pipeline.Config) error {
		c.Match, c.Source.Filter, c.View = wanted.match, f.words(), nil
		r, err = openExport(ctx, s, f, c, &exporter{wanted: wanted, live: isLive(kept)}, found.Interfaces)
		return err
	})
	if err != nil {
		return err
	}
	written.Interfaces = nil // what was received and dropped is not the selection's
	if err := r.close(written); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "apptap: %s of %s written to %s\n", plural(wanted.packets, "packet"), plural(len(wanted.uses), "flow"), printable(f.out))
	return nil
}

// replayFlags are those under which the files are read.
func (f *exportFlags) replayFlags() replayFlags {
	r := replayFlags{tunnel: "outer", local: f.local, sockets: f.sockets}
	r.by = "name"
	return r
}

// exportAgain is the hint for an export that ended in err: replayable says whether a part of it is there, file whether -w names a file.
func exportAgain(err error, replayable, file bool) string {
	hint := "export again on another disk"
	switch {
	case !file:
		return "-w FILE writes to a file"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		hint = "make room and export again"
	}
	if replayable {
		hint = "what was written until then can be replayed; " + hint
	}
	return hint
}

// isLive says whether the files of a run were sessions.
func isLive(s pipeline.Session) bool {
	var in summarize.Input
	s.Complete(&in)
	return in.Live
}

// words is what was asked for, as the file's filter says it.
func (f *exportFlags) words() string {
	var words []string
	for _, app := range f.apps {
		words = append(words, "app="+app)
	}
	for _, dst := range f.dsts {
		words = append(words, "dst="+dst)
	}
	return strings.Join(words, " ")
}

// openExport opens the file and has the run write to it.
func openExport(ctx context.Context, s streams, f *exportFlags, c *pipeline.Config, e *exporter, interfaces []capture.Interface) (*export, error) {
	r, err := newExport(ctx, s, f, c, interfaces)
	if err != nil {
		return nil, err
	}
	e.recording, c.Record, c.Journal = r.to, e, e
	if e.live {
		return r, nil
	}
	return r, e.tellOwners()
}

// export is a file being written.
type export struct {
	*recorder
	mapper *anonymize.Mapper // nil = addresses stay
	to     recording
}

// newExport makes the file.
func newExport(ctx context.Context, s streams, f *exportFlags, c *pipeline.Config, interfaces []capture.Interface) (*export, error) {
	mapper, err := f.mapper()
	if err != nil {
		return nil, err
	}
	r, out, err := newRecorder(ctx, s, f.out)
	if err != nil {
		return nil, err
	}
	r.writer, err = session.NewWriter(out, capture.WriterOptions{
		OS: runtime.GOOS, Hardware: runtime.GOARCH, Application: "apptap " + version(), Filter: anonymizedFilter(mapper, c.Source.Filter), Interfaces: anonymizedInterfaces(mapper, interfaces),
	})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", f.out, err)
	}
	if f.headers {
		r.writer.KeepHeaders()
	}
	r.nameless = f.anonymize
	r.exported = true
	r.endsWith(ctx)
	return &export{r, mapper, anonymized(mapper, r.writer)}, nil
}

// exporter writes what belongs to the selection. Where the capture is no session, what its packets say of owners is told as
// events: they would not be found in another file.
type exporter struct {
	recording
	wanted *selection
	live   bool
}

// WriteEvents implements pipeline.Journal.
func (e *exporter) WriteEvents(events []pidmap.Event) error {
	return e.recording.WriteEvents(slices.DeleteFunc(slices.Clone(events), func(event pidmap.Event) bool { return !e.wanted.concerns(&event) }))
}

// WriteState implements pipeline.Journal. Its sockets are those that the session has told of.
func (e *exporter) WriteState(in *summarize.Input, final bool) error {
	if !e.live && final {
		return writeLacks(e.recording, in)
	}
	if !e.live {
		return nil
	}
	if final {
		mine := slices.DeleteFunc(slices.Clone(in.Sockets), func(c summarize.SocketCounters) bool { return !e.wanted.has(c.Key) })
		if err := e.WriteCounters(mine); err != nil {
			return err
		}
	}
	return e.recording.WriteState(in, final)
}

// tellOwners writes the owners of the selected flows as if their sockets had been looked at.
func (e *exporter) tellOwners() error {
	for i := range e.wanted.uses {
		use := &e.wanted.uses[i]
		for _, side := range []struct {
			key   flows.Key
			owner pidmap.Attribution
		}{{use.Flow.Key, use.Owner}, {use.Flow.Key.Reverse(), use.Peer}} {
			if !side.owner.Known() || side.owner.App.ID == "" {
				continue
			}
			err := e.recording.WriteEvents([]pidmap.Event{
				{Kind: pidmap.SocketSeen, Time: use.Flow.First, Method: side.owner.Method, Socket: pidmap.Socket{Key: side.key}, Holders: []pidmap.Process{side.owner.Process}},
				{Kind: pidmap.SocketClosed, Time: use.Flow.Last, LastSeen: use.Flow.Last, Socket: pidmap.Socket{Key: side.key}},
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
