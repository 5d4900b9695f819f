package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apptap/capture"
	"apptap/capture/live"
	"apptap/internal/pipeline"
	"apptap/pidmap"
	"apptap/summarize"
	"apptap/summarize/kernel"
)

const (
	defaultSnapLen   = 262144 // tcpdump's default: no real frame is longer
	defaultBufferMiB = 32     // libpcap's own default of 2 MiB loses packets at 400 Mbit/s
	maxBufferMiB     = 2047   // the kernel takes the size as an int of bytes
)

// captureFlags are what `apptap capture` can be told.
type captureFlags struct {
	outputFlags
	interfaces []string
	filter     string
	duration   string
	packets    uint64
	record     string
	snapLen    int
	bufferMiB  int
}

func newCaptureCommand(s streams) *cobra.Command {
	var f captureFlags
	c := &cobra.Command{
		Use:   "capture [flags] [BPF-EXPR...]",
		Short: "capture packets until ^C and report per app and destination",
		Long: `Capture packets on one or more interfaces until -d, -c, ^C or SIGTERM, and report what every app sent
and received. Without -i it takes the physical interface that carries the default route.
BPF-EXPR is a filter as in tcpdump (pcap-filter(7)).`,
		Example: `  sudo apptap capture
  sudo apptap capture -i eth0 -i wlan0 -d 10s --format json -o report.json
  sudo apptap capture -w session.pcapng tcp port 443`,
		RunE: func(c *cobra.Command, args []string) error { return runCapture(c.Context(), s, &f, args) },
	}
	flags := c.Flags()
	flags.StringArrayVarP(&f.interfaces, "interface", "i", nil, "capture on `IFACE`; may be given several times")
	flags.StringVarP(&f.filter, "filter", "f", "", "capture only what matches `BPF-EXPR`")
	flags.StringVarP(&f.duration, "duration", "d", "", "end after `DURATION`: 30s, 5m, or a number of seconds")
	flags.Uint64VarP(&f.packets, "count", "c", 0, "end after `PACKETS` packets")
	flags.StringVarP(&f.record, "write", "w", "", "write the packets to `SESSION.pcapng` too, - for standard output")
	flags.IntVarP(&f.snapLen, "snaplen", "s", defaultSnapLen, "keep `BYTES` of each frame, 0 for all")
	flags.IntVarP(&f.bufferMiB, "buffer", "B", defaultBufferMiB, "capture buffer in `MIB`")
	f.register(c)
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
	if f.bufferMiB < 1 || f.bufferMiB > maxBufferMiB {
		return "", 0, usageError("buffer %d MiB: want 1 to %d", f.bufferMiB, maxBufferMiB)
	}
	if f.snapLen == 0 {
		f.snapLen = defaultSnapLen
	}
	if f.record != "" && f.record != "-" && f.record == f.file {
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

func runCapture(ctx context.Context, s streams, f *captureFlags, args []string) error {
	expr, limit, err := f.check(args)
	if err != nil {
		return err
	}
	names, notes, err := chooseInterfaces(f.interfaces)
	if err != nil {
		return err
	}
	c := pipeline.Config{
		Live:         true,
		MaxPackets:   f.packets,
		ListFlows:    f.flows,
		LocalAddrs:   hostAddrs,
		AbsentReason: pidmap.ReasonNoSocketSeen,
		Degraded:     notes,
		View:         progressLine(s.err, nil),
		Source: summarize.Source{
			Kind: "live", Interfaces: names, Filter: expr, SnapLen: f.snapLen,
		},
	}
	closeSources, err := openLive(&c, f, expr)
	if err != nil {
		return err
	}
	defer closeSources()
	recorder, err := openRecorder(s, f, &c)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.err, capturingOn(c.Sources, f.snapLen))
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	result := pipeline.Run(ctx, c)
	return finishCapture(s, f, result, recorder)
}

// finishCapture ends the recording and prints the report; neither keeps the other from happening.
func finishCapture(s streams, f *captureFlags, result pipeline.Result, recorder *recorder) error {
	recordErr := recorder.close(result.Interfaces)
	for _, warning := range result.Warnings {
		fmt.Fprintf(s.err, "apptap: warning: %v\n", oneLine(warning))
	}
	if f.record == "-" {
		s.out = s.err // standard output carries the packets
	}
	return errors.Join(f.outputFlags.write(s, result.Summary), recordErr)
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

// openLive opens the sources of ownership, the counters and the interfaces, in this order: what owns a socket
// is looked at before the first packet, and counters are read on both sides of the opening.
func openLive(c *pipeline.Config, f *captureFlags, expr string) (closeAll func(), err error) {
	var watching []io.Closer
	counters, degraded, err := kernel.Open()
	if err != nil {
		degraded = append(degraded, fmt.Sprintf("no kernel counters: %v", err))
	} else {
		c.Counters = counters
		watching = append(watching, counters)
	}
	c.Degraded = append(c.Degraded, degraded...)
	c.BeforeOpen = interfaceCounters(c)
	closeAll = func() { // all only read: nothing is lost
		for _, source := range c.Sources {
			source.Close()
		}
		for _, opened := range watching {
			opened.Close()
		}
	}
	for _, name := range c.Source.Interfaces {
		source, err := live.Open(live.Config{
			Interface: name, Filter: expr, SnapLen: f.snapLen, BufferBytes: f.bufferMiB << 20,
		})
		if err != nil {
			closeAll()
			return nil, err
		}
		c.Sources = append(c.Sources, source)
	}
	c.AfterOpen = interfaceCounters(c)
	watcher, degraded, err := pidmap.Open(pidmap.Config{})
	if err != nil {
		degraded = append(degraded, fmt.Sprintf("no owners of sockets: %v", err))
	} else {
		c.Owners = watcher
		watching = append(watching, watcher)
	}
	c.Degraded = append(c.Degraded, degraded...)
	return closeAll, nil
}

func interfaceCounters(c *pipeline.Config) map[string]summarize.InterfaceCounters {
	if c.Counters == nil {
		return nil
	}
	readings, err := c.Counters.Interfaces(c.Source.Interfaces)
	if err != nil {
		return nil // the run asks again and says why there are none
	}
	return readings
}

// capturingOn is the line that says that packets count from now on, in tcpdump's words.
func capturingOn(sources []capture.Source, snapLen int) string {
	var where []string
	for _, source := range sources {
		for _, i := range source.Interfaces() {
			where = append(where, fmt.Sprintf("%s (%v)", i.Name, i.LinkType))
		}
	}
	return fmt.Sprintf("apptap: capturing on %s, snapshot length %d bytes; ^C ends it", strings.Join(where, ", "), snapLen)
}

// hostAddrs lists this host's addresses.
func hostAddrs() []netip.Prefix {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // the loopback addresses are always known
	}
	var prefixes []netip.Prefix
	for _, addr := range addrs {
		if ipNet, ok := addr.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(ipNet.IP); ok {
				ip = ip.Unmap()
				prefixes = append(prefixes, netip.PrefixFrom(ip, ip.BitLen()))
			}
		}
	}
	return prefixes
}

// recorder writes the captured packets to a file. A nil recorder does nothing.
type recorder struct {
	name   string
	writer *capture.Writer
	file   io.Closer
}

func openRecorder(s streams, f *captureFlags, c *pipeline.Config) (*recorder, error) {
	if f.record == "" {
		return nil, nil
	}
	r := &recorder{name: f.record}
	out := s.out
	if f.record != "-" {
		if err := checkWritable(f.record); err != nil {
			return nil, err
		}
		file, err := os.Create(f.record)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f.record, pathCause(err))
		}
		out, r.file = file, file
	}
	var interfaces []capture.Interface
	for _, source := range c.Sources {
		interfaces = append(interfaces, source.Interfaces()...)
	}
	writer, err := capture.NewWriter(out, capture.WriterOptions{
		OS: runtime.GOOS, Hardware: runtime.GOARCH, Application: "apptap " + version(),
		Filter: c.Source.Filter, Interfaces: interfaces,
	})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", f.record, err)
	}
	r.writer, c.Record = writer, writer
	return r, nil
}

// close writes what was received and dropped on each interface, and ends the file.
func (r *recorder) close(interfaces []capture.Interface) error {
	if r == nil {
		return nil
	}
	for i, described := range interfaces {
		r.writer.SetStats(i, described.Stats)
	}
	err := r.writer.Close()
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
	}
	if err != nil {
		return withHint(fmt.Errorf("write %s: %w", r.name, pathCause(err)), "what was written until then can be replayed")
	}
	return nil
}
