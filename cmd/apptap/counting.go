package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"apptap/capture"
	"apptap/internal/pipeline"
	"apptap/summarize"
)

// checkCountOnly refuses what wants packets beside --count-only.
func (f *captureFlags) checkCountOnly(expr string) error {
	if !f.countOnly {
		return nil
	}
	for what, given := range map[string]bool{
		"-w": f.record != "", "a filter": expr != "", "-c": f.packets > 0, "-s": f.snapLenGiven, "-B": f.bufferGiven, "--reader": f.reader != "auto", "-j": f.timeStamps != "",
	} {
		if given {
			return usageError("--count-only captures nothing: %s is about packets", what)
		}
	}
	return nil
}

const onlyCounts = "nothing was captured (--count-only): the figures are what the kernel counted of sockets; " +
	"names, times and packets without a socket want a capture"

// openCounting makes sources that describe the interfaces and have no packets. It wants the kernel events of c.Owners.
func openCounting(ctx context.Context, c *pipeline.Config) error {
	if refused, asked := c.Owners.(interface{ Untold() error }); asked && errors.Is(refused.Untold(), os.ErrPermission) {
		return &exitErr{exitPermission, fmt.Errorf("%w: %w", errNoCounting, refused.Untold()), "run it with sudo; 'apptap doctor' says which capabilities do"}
	}
	if watcher, ok := c.Owners.(interface{ Counts() bool }); !ok || !watcher.Counts() {
		return withHint(errNoCounting, "see 'apptap doctor'; without --count-only apptap captures")
	}
	for _, name := range c.Source.Interfaces {
		i := capture.Interface{Name: name, LinkType: capture.LinkTypeEthernet}
		if name != "any" {
			described, err := net.InterfaceByName(name)
			if err != nil {
				return err
			}
			i.Loopback = described.Flags&net.FlagLoopback != 0
			if len(described.HardwareAddr) != 6 && !i.Loopback {
				i.LinkType = capture.LinkTypeRaw
			}
		}
		c.Sources = append(c.Sources, pipeline.NewUncaptured(ctx, i))
	}
	c.CountOnly = true
	c.Source.Reader, c.Source.Kept = "none", summarize.KeptNothing
	c.Degraded = append(c.Degraded, onlyCounts)
	return nil
}
