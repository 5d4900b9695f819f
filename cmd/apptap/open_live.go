package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"apptap/capture"
	"apptap/capture/live"
	"apptap/internal/pipeline"
	"apptap/pidmap"
	"apptap/summarize"
	"apptap/summarize/kernel"
)

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
	readings, _ := c.Counters.Interfaces(c.Source.Interfaces) // of an interface without any the report says so
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
