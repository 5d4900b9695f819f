package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"

	"apptap/capture"
	"apptap/capture/live"
	"apptap/internal/pipeline"
	"apptap/pidmap"
	"apptap/summarize"
	"apptap/summarize/kernel"
)

// openLive opens the counters, the sources of ownership and the interfaces, in this order: what owns a socket is looked at, and
// its packets are counted, before the first of them is captured, and counters are read on both sides of the opening.
func openLive(ctx context.Context, c *pipeline.Config, f *captureFlags, expr string) (closeAll func(), err error) {
	watching := openWatchers(c)
	c.BeforeOpen = interfaceCounters(c)
	closeAll = func() { // all only read: nothing is lost
		for _, source := range c.Sources {
			source.Close()
		}
		for _, opened := range watching {
			opened.Close()
		}
	}
	if f.countOnly {
		err = openCounting(ctx, c)
	} else {
		err = openInterfaces(c, f, expr)
	}
	if err != nil {
		closeAll()
		return nil, err
	}
	c.AfterOpen = interfaceCounters(c)
	return closeAll, nil
}

// openWatchers opens the counters and the sources of ownership; what cannot be had the report says.
func openWatchers(c *pipeline.Config) (watching []io.Closer) {
	counters, degraded, err := kernel.Open()
	if err != nil {
		degraded = append(degraded, fmt.Sprintf("no kernel counters: %v", err))
	} else {
		c.Counters = counters
		watching = append(watching, counters)
	}
	c.Degraded = append(c.Degraded, degraded...)
	watcher, degraded, err := pidmap.Open(pidmap.Config{})
	if err != nil {
		degraded = append(degraded, fmt.Sprintf("no owners of sockets: %v", err))
	} else {
		c.Owners = watcher
		watching = append(watching, watcher)
		if told, ok := c.Owners.(interface{ Counts() bool }); ok && c.Counters != nil && told.Counts() {
			if err := counters.Second(); err != nil {
				degraded = append(degraded, fmt.Sprintf("the ends of sockets are told of twice, which costs time: %v", err))
			}
		}
	}
	c.Degraded = append(c.Degraded, degraded...)
	return watching
}

// openInterfaces opens the interfaces of c. Those that are open stay so after an error.
func openInterfaces(c *pipeline.Config, f *captureFlags, expr string) error {
	var readers []string
	for _, name := range c.Source.Interfaces {
		source, err := live.Open(live.Config{
			Interface: name, Filter: expr, SnapLen: f.snapLen, BufferBytes: f.bufferMiB << 20,
			Reader: f.takes(), TimeStamps: f.timeStamps, Keep: f.keep(), Relaxed: relaxed(c.Owners),
		})
		if err != nil {
			return err
		}
		c.Sources = append(c.Sources, source.Source)
		readers = append(readers, string(source.Reader))
		if source.NoTap != nil {
			c.Degraded = append(c.Degraded, fmt.Sprintf("packets on %s do not name their processes: %v", name, oneLine(source.NoTap)))
		}
	}
	slices.Sort(readers)
	c.Source.Reader, c.Source.TimeStamps = strings.Join(slices.Compact(readers), ", "), f.timeStamps
	// The kernel's programs do not see through the header of a tap.
	if c.Source.Kept = "whole"; f.keep() == live.KeepHeaders && !slices.Contains(readers, string(live.ReaderPKTAP)) {
		c.Source.Kept = "headers"
	}
	return nil
}

// relaxed says that packets need not be seen at once: without kernel events the socket of a new flow is looked up when its first packet
// is seen, and the program may be gone soon.
func relaxed(owners pipeline.Owners) bool {
	told, knows := owners.(interface{ Told() bool })
	return owners == nil || knows && told.Told()
}

func interfaceCounters(c *pipeline.Config) map[string]summarize.InterfaceCounters {
	if c.Counters == nil {
		return nil
	}
	readings, _ := c.Counters.Interfaces(c.Source.Interfaces) // of an interface without any the report says so
	return readings
}

// takes is what --reader says.
func (f *captureFlags) takes() live.Reader {
	if f.reader == "auto" {
		return live.ReaderAuto
	}
	return live.Reader(f.reader)
}

// keep is what of each frame is kept: for a report headers and names do, a recording is for other programs too unless it is asked
// for headers, and whoever gives a snaplen knows what to keep.
func (f *captureFlags) keep() live.Keep {
	if f.record != "" && !f.given() || f.snapLenGiven {
		return live.KeepWhole
	}
	return live.KeepHeaders
}

// capturingOn is the line that says that packets count from now on, in tcpdump's words.
func capturingOn(sources []capture.Source, source *summarize.Source) string {
	var where []string
	for _, source := range sources {
		for _, i := range source.Interfaces() {
			where = append(where, fmt.Sprintf("%s (%v)", printable(i.Name), i.LinkType))
		}
	}
	if source.CountedOnly() {
		return "apptap: counting on " + strings.Join(where, ", ") + "; ^C ends it"
	}
	kept := ""
	if source.Kept == "headers" {
		kept = ", bulk data cut to headers"
	}
	if source.TimeStamps != "" {
		kept += ", time stamps of type " + source.TimeStamps
	}
	return fmt.Sprintf("apptap: capturing on %s, reader %s, snapshot length %d bytes%s; ^C ends it",
		strings.Join(where, ", "), source.Reader, source.SnapLen, kept)
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
