package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"apptap/capture/live"
	"apptap/internal/pipeline"
	"apptap/pidmap"
	"apptap/summarize"
)

const (
	defaultSnapLen = 262144 // tcpdump's default: no real frame is longer
	maxBufferMiB   = 2047   // the kernel takes the size as an int of bytes
)

// captureFlags are what `apptap capture` can be told.
type captureFlags struct {
	outputFlags
	keptFlags
	interfaces []string
	filter     string
	duration   string
	packets    uint64
	record     string
	rotation   rotation
	wireshark  bool // describe processes for Wireshark 5 too
	snapLen    int
	bufferMiB  int    // not given = 0 = by memory and link
	reader     string // auto, ring or pcap
	timeStamps string // "" for the kernel's
	countOnly  bool

	snapLenGiven, bufferGiven bool
}

// captureGCPercent lets garbage be so much of what is in use before it is collected. A capture goes on for hours beside what it captures: at a
// thousand connections a second it is to stay under 200 MiB, which Go's 100 is at the edge of. At 40 the collector took a third of the
// processor time (docs/performance.md).
const captureGCPercent = 70

func newCaptureCommand(s streams) *cobra.Command {
	var f captureFlags
	c := &cobra.Command{
		Use:   "capture [flags] [BPF-EXPR...]",
		Short: "capture packets until ^C and report per app and destination",
		Long: `Capture packets on one or more interfaces until -d, -c, ^C, ^\, SIGTERM or SIGHUP, and report what every app
sent and received. Without -i it takes the physical interface that carries the default route.
BPF-EXPR is a filter as in tcpdump (pcap-filter(7)). What -w writes is a pcapng file that every
analyser opens, and 'apptap replay' makes the same report from it.`,
		Example: `  sudo apptap capture
  sudo apptap capture -i eth0 -i wlan0 -d 10s --format json -o report.json
  sudo apptap capture -w session.pcapng tcp port 443
  sudo apptap capture -w ring.pcapng -C 100 -W 10`,
		RunE: func(c *cobra.Command, args []string) error {
			f.snapLenGiven, f.bufferGiven = c.Flags().Changed("snaplen"), c.Flags().Changed("buffer")
			return runCapture(c.Context(), s, &f, args)
		},
	}
	flags := c.Flags()
	flags.StringArrayVarP(&f.interfaces, "interface", "i", nil, "capture on `IFACE`; may be given several times")
	flags.StringVarP(&f.filter, "filter", "f", "", "capture only what matches `BPF-EXPR`")
	flags.StringVarP(&f.duration, "duration", "d", "", "end after `DURATION`: 30s, 5m, or a number of seconds")
	flags.Uint64VarP(&f.packets, "count", "c", 0, "end after `PACKETS` packets")
	flags.StringVarP(&f.record, "write", "w", "", "write packets, owners and counters to `SESSION.pcapng` too, for replay; .zst or .gz behind it compresses; - for standard output")
	flags.VarP((*positive)(&f.rotation.megabytes), "rotate-size", "C", "with -w: go on in another file after `MILLIONS` of bytes: SESSION.pcapng1, SESSION.pcapng2, ...")
	flags.VarP((*positive)(&f.rotation.seconds), "rotate-seconds", "G", "with -w: go on in another file every `SECONDS`, named by its time: -w 'session-%Y%m%d-%H%M%S.pcapng'")
	flags.VarP((*positive)(&f.rotation.count), "rotate-count", "W", "with -C: overwrite the oldest of `FILES`; with -G: end after so many")
	flags.BoolVar(&f.wireshark, "wireshark-processes", false, "with -w: describe processes in Wireshark 5's own blocks too, which older versions list as packets")
	f.keptFlags.register(flags, "with -w: ")
	flags.IntVarP(&f.snapLen, "snaplen", "s", defaultSnapLen, "keep `BYTES` of each frame, 0 for all; without this and without -w of bulk data headers alone")
	flags.IntVarP(&f.bufferMiB, "buffer", "B", 0, "capture buffer of each interface in `MIB` (default: what its speed and memory suggest)")
	flags.BoolVar(&f.countOnly, "count-only", false, "capture nothing: report what the kernel counted of each socket's packets (Linux, eBPF)")
	flags.StringVar(&f.reader, "reader", "auto", "take packets through `READER`: ring (Linux), pcap (libpcap), pktap (macOS, as root) or auto, the first that works")
	flags.StringVarP(&f.timeStamps, "time-stamp-type", "j", "", "have packets stamped by `TYPE`, host or adapter, as tcpdump does (through libpcap; a type that is not there is answered with those that are)")
	f.outputFlags.register(c)
	return c
}

// check turns the flags into what they mean, before anything is opened.
func (f *captureFlags) check(args []string) (expr string, limit time.Duration, err error) {
	if err := f.outputFlags.check(); err != nil {
		return "", 0, err
	}
	expr = strings.Join(args, " ")
	if f.filter != "" && expr != "" {
		return "", 0, usageError("a filter was given with -f (%q) and without (%q): give one", f.filter, expr)
	}
	if f.filter != "" {
		expr = f.filter
	}
	if limit, err = parseDuration(f.duration); err != nil {
		return "", 0, err
	}
	if f.snapLen < 0 || f.snapLen > defaultSnapLen {
		return "", 0, usageError("snaplen %d: want 0 to %d", f.snapLen, defaultSnapLen)
	}
	if f.bufferMiB < 1 && f.bufferGiven || f.bufferMiB > maxBufferMiB {
		return "", 0, usageError("buffer %d MiB: want 1 to %d", f.bufferMiB, maxBufferMiB)
	}
	if !slices.Contains([]string{"auto", "ring", "pcap", "pktap"}, f.reader) {
		return "", 0, usageError("reader %q: want auto, ring, pcap or pktap", f.reader)
	}
	if err := f.rotation.check(f.record, f.file); err != nil {
		return "", 0, err
	}
	if most := f.rotation.limit(); most > 0 && (limit == 0 || most < limit) {
		limit = most
	}
	if f.wireshark && f.record == "" {
		return "", 0, usageError("--wireshark-processes is about what -w writes: give -w too")
	}
	if err := f.keptFlags.check(); err != nil {
		return "", 0, err
	}
	if f.given() && f.record == "" {
		return "", 0, usageError("--headers and --anonymize are about what -w writes: give -w too")
	}
	if err := f.checkCountOnly(expr); err != nil {
		return "", 0, err
	}
	if f.snapLen == 0 {
		f.snapLen = defaultSnapLen
	}
	if f.record != "" && sameName(f.record, f.file) {
		return "", 0, usageError("-w and -o name the same file %s", f.file)
	}
	return expr, limit, nil
}

// parseDuration reads a Go duration or a plain number of seconds; "" is no limit.
func parseDuration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if seconds, numErr := strconv.ParseFloat(text, 64); err != nil && numErr == nil {
		d, err = time.Duration(seconds*float64(time.Second)), nil
	}
	if err != nil || d <= 0 {
		return 0, usageError("duration %q: want a time such as 30s, 5m or 1h30m, or a number of seconds", text)
	}
	return d, nil
}

// config is what the flags say of a run, whose sources are not open yet.
func (f *captureFlags) config(s streams, expr string) (c pipeline.Config, err error) {
	c = pipeline.Config{
		Live: true, Once: true, MaxPackets: f.packets, LocalAddrs: hostAddrs, AbsentReason: pidmap.ReasonNoSocketSeen, View: progressLine(s.err, nil),
	}
	if err := f.configure(&c); err != nil {
		return c, err
	}
	names, notes, err := chooseInterfaces(f.interfaces)
	c.Degraded, c.Source = notes, summarize.Source{Kind: "live", Interfaces: names, Filter: expr, SnapLen: f.snapLen}
	return c, err
}

func runCapture(ctx context.Context, s streams, f *captureFlags, args []string) error {
	expr, limit, err := f.check(args)
	if err != nil {
		return err
	}
	c, err := f.config(s, expr)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(captureGCPercent)
	}
	pipe, err := f.openPipe(ctx, s, limit)
	if err != nil {
		return err
	}
	closeSources, err := openLive(ctx, &c, f, expr)
	if err != nil {
		return interfaceAsFilter(expr, err)
	}
	defer closeSources()
	if s.through != nil {
		for i := range c.Sources {
			c.Sources[i] = s.through(c.Sources[i])
		}
	}
	recorder, err := openRecorder(ctx, s, f, &c, pipe)
	if err != nil {
		return err
	}
	if f.record == "-" {
		// Whoever reads the packets may leave: that ends the recording, not the capture and its report.
		signal.Ignore(syscall.SIGPIPE)
	}
	c.RecordEnded = func(err error) {
		fmt.Fprintf(s.err, "apptap: warning: the recording has ended, the capture goes on: %s\n", oneLine(pathCause(err)))
	}
	giveUpRights(s, f)
	c.Begun = func() { fmt.Fprintln(s.err, capturingOn(c.Sources, &c.Source)) }
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	defer recorder.endsWith(ctx)()
	result := pipeline.Run(ctx, c)
	return finishCapture(s, f, result, recorder)
}

// finishCapture ends the recording and prints the report; neither keeps the other from happening.
func finishCapture(s streams, f *captureFlags, result pipeline.Result, recorder *recorder) error {
	recordErr := recorder.close(result)
	warn(s, result.Warnings)
	if f.record == "-" {
		s.out = s.err // standard output carries the packets
	}
	return errors.Join(f.outputFlags.write(context.Background(), s, result.Summary), recordErr)
}

// chooseInterfaces is what -i names, else the default interface.
func chooseInterfaces(wanted []string) (names, notes []string, err error) {
	if len(wanted) == 0 {
		name, note, err := live.Default()
		if err != nil {
			return nil, nil, withHint(err, "name one with -i; 'apptap interfaces' lists them")
		}
		if note != "" {
			notes = append(notes, note)
		}
		return []string{name}, notes, nil
	}
	if len(wanted) > 1 && slices.Contains(wanted, "any") {
		return nil, nil, usageError("-i any has the packets of every interface: beside others they would count twice")
	}
	for i, name := range wanted {
		if name == "" {
			return nil, nil, usageError("-i wants the name of an interface; 'apptap interfaces' lists them")
		}
		for _, earlier := range wanted[:i] {
			if earlier == name {
				return nil, nil, usageError("-i %s is given twice: its packets would count twice", name)
			}
		}
	}
	return wanted, nil, nil
}
