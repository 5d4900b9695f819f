package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"apptap/internal/usage"
)

// diffFlags are what `apptap diff` can be told.
type diffFlags struct {
	format   string
	top      int
	exitCode bool
}

// errDiffers ends a diff with --exit-code that found a change; the changes have been printed.
var errDiffers = errors.New("the reports differ")

func newDiffCommand(s streams) *cobra.Command {
	var f diffFlags
	c := &cobra.Command{
		Use:   "diff [flags] A B",
		Short: "what apps and destinations are new, gone, grown or shrunk from one report to another",
		Long: `Compare two files, each a JSON report of apptap, a session or any other capture, by app and destination. The greatest
change in frame bytes comes first.`,
		Example: `  apptap diff monday.json tuesday.json
  apptap diff --format json before.pcapng after.pcapng`,
		RunE: func(c *cobra.Command, args []string) error { return runDiff(c.Context(), s, &f, args) },
	}
	c.Flags().StringVar(&f.format, "format", "text", "say the changes as `FORMAT`, text or json")
	c.Flags().IntVar(&f.top, "top", 10, "show the `N` greatest changes of an app's destinations, 0 for all (text)")
	c.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit with 1 if anything changed")
	return c
}

func runDiff(ctx context.Context, s streams, f *diffFlags, args []string) error {
	switch {
	case f.format != "text" && f.format != "json":
		return usageError("--format %q: want text or json", f.format)
	case f.top < 0:
		return usageError("--top %d: want 0 or more", f.top)
	case len(args) != 2:
		return usageError("diff wants two files, got %d", len(args))
	case args[0] == "-" && args[1] == "-":
		return usageError("standard input can be one of the two files only")
	}
	before, err := usageOf(ctx, s, args[0])
	if err != nil {
		return err
	}
	after, err := usageOf(ctx, s, args[1])
	if err != nil {
		return err
	}
	changes := usage.Diff(before, after)
	out := bufio.NewWriter(s.out)
	if f.format == "json" {
		err = writeChangesJSON(out, changes)
	} else if err = f.writeChanges(out, changes); err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("write to standard output: %w", pathCause(err))
	}
	if f.exitCode && changed(changes) {
		return errDiffers
	}
	return nil
}

func changed(changes []usage.Change) bool {
	for i := range changes {
		if c := &changes[i]; c.Before != c.After || changed(c.Beneath) {
			return true
		}
	}
	return false
}

// writeChanges prints apps and destinations that changed; what is the same is counted.
func (f *diffFlags) writeChanges(w io.Writer, changes []usage.Change) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "CHANGE\tBEFORE\tAFTER\tBYTES\tFLOWS\t  APP, DESTINATION\n")
	same := 0
	line := func(c *usage.Change, name string) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%+d\t%+d\t  %s\n",
			c.Kind(), c.Before.Bytes(), c.After.Bytes(), c.Grown(), int64(c.After.Flows-c.Before.Flows), printable(name))
	}
	for i := range changes {
		c := &changes[i]
		if c.Before == c.After && !changed(c.Beneath) {
			same++
			continue
		}
		line(c, c.App)
		shown, more := 0, 0
		for k := range c.Beneath {
			d := &c.Beneath[k]
			switch {
			case d.Before == d.After:
			case f.top > 0 && shown == f.top:
				more++
			default:
				line(d, "  "+whereTo(d.Dst, d.Proto, d.Port, d.Inbound))
				shown++
			}
		}
		if more > 0 {
			fmt.Fprintf(table, "\t\t\t\t\t    and %d more\n", more)
		}
	}
	if same < len(changes) {
		if err := table.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d of %s unchanged\n", same, plural(len(changes), "app"))
	return err
}

// changeJSON is an app or a destination of `apptap diff --format json`.
type changeJSON struct {
	App          string        `json:"app"`
	AppID        string        `json:"app_id"`
	Dst          string        `json:"dst,omitempty"`
	Proto        string        `json:"proto,omitempty"`
	Port         uint16        `json:"port,omitempty"`
	Inbound      bool          `json:"inbound,omitempty"`
	Change       string        `json:"change"`
	Bytes        int64         `json:"bytes"`
	Before       usage.Amounts `json:"before"`
	After        usage.Amounts `json:"after"`
	Destinations []changeJSON  `json:"destinations,omitempty"`
}

func writeChangesJSON(out *bufio.Writer, changes []usage.Change) error {
	return writeJSONLines(out, struct {
		Schema string       `json:"schema"`
		Apps   []changeJSON `json:"apps"`
	}{"apptap.diff/1", changesJSON(changes)})
}

func changesJSON(changes []usage.Change) []changeJSON {
	list := []changeJSON{}
	for i := range changes {
		c := &changes[i]
		list = append(list, changeJSON{
			App: c.App, AppID: c.AppID, Dst: c.Dst, Proto: c.Proto, Port: c.Port, Inbound: c.Inbound,
			Change: c.Kind(), Bytes: c.Grown(), Before: c.Before, After: c.After, Destinations: changesJSON(c.Beneath),
		})
	}
	return list
}
