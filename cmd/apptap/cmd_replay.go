package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apptap/capture"
	"apptap/flows"
	"apptap/internal/pipeline"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"
)

// replayFlags are what `apptap replay` can be told.
type replayFlags struct {
	outputFlags
	filter  string
	local   []string
	tunnel  string
	sockets []string
}

func newReplayCommand(s streams) *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay [flags] FILE... [BPF-EXPR]",
		Short: "report from capture files",
		Long: `Read capture files (pcap and pcapng, also gzip or zstd, - for standard input) and report as capture does. What
'apptap capture -w' wrote gives the same report again, with owners and the kernel's counters.
Several files are merged by time. What follows the last FILE that exists is a filter as in tcpdump
(pcap-filter(7)).`,
		Example: `  apptap replay session.pcapng
  tcpdump -w - -i eth0 | apptap replay -
  apptap replay --format json --flows a.pcap b.pcap.gz 'tcp port 443'`,
		RunE: func(c *cobra.Command, args []string) error { return runReplay(c.Context(), s, &f, args) },
	}
	flags := c.Flags()
	flags.StringVarP(&f.filter, "filter", "f", "", "count only what matches `BPF-EXPR`")
	flags.StringSliceVar(&f.local, "local", nil, "addresses of the captured host, as `CIDR,...`")
	flags.StringArrayVar(&f.sockets, "sockets", nil, "who owned which socket when, JSON lines in `FILE`, for captures that do not say")
	flags.StringVar(&f.tunnel, "tunnels", "outer", "count a packet in a tunnel over UDP (VXLAN, GENEVE, GTP-U, ...) for the `WHICH` flow, outer or inner")
	f.register(c)
	return c
}

func runReplay(ctx context.Context, s streams, f *replayFlags, args []string) error {
	if err := f.outputFlags.check(); err != nil {
		return err
	}
	files, expr, err := f.splitArgs(args)
	if err != nil {
		return err
	}
	if err := f.keepsInputs(files); err != nil {
		return err
	}
	result, err := f.replay(ctx, s, files, expr, nil)
	if err != nil {
		return err
	}
	warn(s, result.Warnings)
	return f.outputFlags.write(ctx, s, result.Summary)
}

// config is what the flags say of a run, whose sources are not open yet.
func (f *replayFlags) config(files []string, expr string) (c pipeline.Config, err error) {
	tunnels, ok := map[string]flows.Tunnels{"outer": flows.Outer, "inner": flows.Inner}[f.tunnel]
	if !ok {
		return c, usageError("--tunnels %q: want outer or inner", f.tunnel)
	}
	local, err := parseLocal(f.local)
	if err != nil {
		return c, err
	}
	if slices.Contains(files, "-") && slices.Contains(f.sockets, "-") {
		return c, usageError("standard input is either the capture or what --sockets reads")
	}
	c = pipeline.Config{
		Tunnels: tunnels, AbsentReason: pidmap.ReasonNoOwnerInFile, Source: summarize.Source{Kind: "file", Files: files, Filter: expr, Local: local},
	}
	if len(local) > 0 {
		c.Source.LocalFrom = "flag"
	}
	if len(f.sockets) > 0 {
		c.AbsentReason = pidmap.ReasonNoSocketSeen
	}
	return c, f.configure(&c)
}

// replay reads files into a Summary. change, which may be nil, has the last word on how.
func (f *replayFlags) replay(ctx context.Context, s streams, files []string, expr string, change func(*pipeline.Config) error) (result pipeline.Result, err error) {
	c, err := f.config(files, expr)
	if err != nil {
		return result, err
	}
	in, err := openFiles(ctx, s.in, files)
	if err != nil {
		return result, err
	}
	defer in.close()
	c.Sources, c.View = []capture.Source{capture.Merge(in.sources)}, progressLine(s.err, in.done)
	c.Once = len(in.sources) == 1 // captures of their own are not several interfaces of one
	if expr != "" {
		filter, err := newFileFilter(expr, in.sources)
		if err != nil {
			return result, err
		}
		c.Match = filter.match
	}
	owners := session.NewReplay(in.sessions)
	for _, name := range f.sockets {
		if err := addSockets(ctx, s, owners, name); err != nil {
			return result, err
		}
	}
	c.Session = owners
	if change != nil {
		if err := change(&c); err != nil {
			return result, err
		}
	}
	result = pipeline.Run(ctx, c)
	if name, earlier := owners.Copy(); name != "" { // files are looked at beforehand
		return pipeline.Result{}, usageError("%s is a copy of %s: its packets would count twice", inputName(name), inputName(earlier))
	}
	if len(f.sockets) > 0 && !ownedBy(result.Summary, session.MethodSocketsFile) {
		result.Summary.Degraded = append(result.Summary.Degraded,
			"no flow has a socket that --sockets tells of: compare their addresses, ports and times with the capture's")
	}
	result.Warnings = append(in.warnings, result.Warnings...)
	if c.Destinations.By == summarize.ByName && !f.numeric {
		result.Summary = withFileNames(result.Summary, in.sessions)
	}
	return result, nil
}

// inputName is what people call an input.
func inputName(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// ownedBy says whether the owner of any byte became known in that way.
func ownedBy(s *summarize.Summary, method pidmap.Method) bool {
	return slices.ContainsFunc(s.Apps, func(a summarize.AppUse) bool { return a.Methods[method] > 0 })
}

// addSockets reads a file of --sockets.
func addSockets(ctx context.Context, s streams, to *session.Replay, name string) error {
	file, err := openFile(ctx, s.in, name)
	if err != nil {
		return err
	}
	defer file.Close() // read only
	events, err := session.ReadSockets(file, name)
	if err != nil {
		return withHint(err, `a line is such as {"proto": "tcp", "local": "192.0.2.2:51584", "remote": "198.51.100.1:443", "pid": 4711, "path": "/usr/bin/curl"}; `+
			"docs/scripting.md has all members")
	}
	to.Add(events)
	return nil
}

// keepsInputs refuses to write the report over a capture that it is made from.
func (f *replayFlags) keepsInputs(files []string) error {
	for _, file := range files {
		if sameFile(f.file, file) {
			return &exitErr{exitUsage, fmt.Errorf("write %s: it is a capture to be read", f.file), "name another file with -o"}
		}
	}
	return nil
}

func parseLocal(texts []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); err != nil && addrErr == nil {
			p, err = netip.PrefixFrom(addr.WithZone(""), addr.BitLen()), nil
		}
		if err != nil {
			return nil, usageError("--local %q: want an address or a prefix such as 192.0.2.0/24", text)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

// namesFile says that what should be a filter is likelier a file. Beside another filter everything with a dot or a slash is; alone it may be
// a host, so that it has to end as captures do.
func namesFile(word string, beside bool) bool {
	switch {
	case strings.ContainsAny(word, " =<>!()"):
		return false
	case beside:
		return strings.ContainsAny(word, "./")
	}
	return slices.Contains([]string{".pcap", ".pcapng", ".cap", ".dmp", ".gz", ".zst"}, strings.ToLower(filepath.Ext(word)))
}

// splitArgs tells files from the filter behind them: the first argument is a file, and each one that
// exists; the rest is the filter.
func (f *replayFlags) splitArgs(args []string) (files []string, expr string, err error) {
	if len(args) == 0 || args[0] == "" {
		return nil, "", usageError("replay wants a capture file, or - for standard input")
	}
	n := 1
	for n < len(args) && (args[n] == "-" || exists(args[n])) {
		n++
	}
	files, expr = args[:n], strings.Join(args[n:], " ")
	for i, file := range files {
		for _, earlier := range files[:i] {
			if file == earlier || sameFile(file, earlier) {
				return nil, "", usageError("%s is given twice (%s): its packets would count twice", earlier, file)
			}
		}
	}
	if beside := f.filter != ""; n < len(args) && (beside || n == len(args)-1) && namesFile(args[n], beside) {
		return nil, "", fmt.Errorf("open %s: no such file or directory", args[n])
	}
	if f.filter != "" && expr != "" {
		return nil, "", usageError("a filter was given with -f (%q) and behind the files (%q): give one", f.filter, expr)
	}
	if f.filter != "" {
		expr = f.filter
	}
	return files, expr, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
