package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"apptap/capture/live"
	"apptap/pidmap"
	"apptap/summarize/kernel"
)

// finding is one line of `apptap doctor`. Its JSON is a contract (docs/scripting.md).
type finding struct {
	Area   string `json:"area"` // capture, owners or counters
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Mend   string `json:"mend,omitempty"`
}

func newDoctorCommand(s streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "say what this machine offers: capture rights, sources of owners and counters, and the mend",
		Args:  noArgs,
		Long: `Say what this machine offers: the right to capture, each source of owners and counters, and the mend.
With --json it also captures two seconds of its own traffic, whose bytes and owner are known, and says
what came of that; on a Mac it holds the sources against each other and against nettop, and adds
messages of the kernel without names and addresses, which help those who have no such Mac.`,
		RunE: func(c *cobra.Command, _ []string) error { return runDoctor(c.Context(), s, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func runDoctor(ctx context.Context, s streams, asJSON bool) error {
	findings := probeCapture()
	for _, c := range pidmap.Probe() {
		findings = append(findings, finding{"owners", c.Name, c.OK, c.Detail, c.Mend})
	}
	for _, c := range kernel.Probe() {
		findings = append(findings, finding{"counters", c.Name, c.OK, c.Detail, c.Mend})
	}
	mac := macReportOf(pidmap.ExamineSystem())
	findings = append(findings, mac.findings()...)
	if asJSON {
		if mac != nil {
			mac.Tap = sampleTap()
		}
		encoder := json.NewEncoder(s.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{
			"schema": "apptap.doctor/1", "version": version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "findings": findings,
			"root": os.Geteuid() == 0, "self_capture": captureSelf(ctx), "mac": mac,
		})
	}
	return printFindings(s, findings)
}

// printFindings writes a line each, and below what does not work how to mend it.
func printFindings(s streams, findings []finding) error {
	for _, f := range findings {
		mark := "ok  "
		if !f.OK {
			mark = "MISS"
		}
		if _, err := fmt.Fprintf(s.out, "%s  %-8s  %s: %s\n", mark, f.Area, f.Name, f.Detail); err != nil {
			return err
		}
		if f.Mend != "" {
			if _, err := fmt.Fprintf(s.out, "                mend: %s\n", f.Mend); err != nil {
				return err
			}
		}
	}
	return nil
}

// probeCapture opens the default interface and closes it again.
func probeCapture() []finding {
	f, source := probeDefault()
	findings := []finding{f}
	if source == nil {
		return findings
	}
	switch {
	case source.Reader == live.ReaderPKTAP:
		findings = append(findings, finding{Area: "capture", Name: tapName, OK: true, Detail: "each with whom it acts for"})
	case source.NoTap != nil:
		findings = append(findings, finding{"capture", tapName, false, oneLine(source.NoTap), "run as root: sudo apptap ...; owners come from the other sources meanwhile"})
	}
	return findings
}

const tapName = "packets that name their processes (pktap)"

// probeDefault returns the interface closed, for what it says of itself; nil if it could not be opened.
func probeDefault() (finding, *live.Source) {
	f := finding{Area: "capture", Name: "packets of the default interface"}
	name, _, err := live.Default()
	if err != nil {
		f.Detail, f.Mend = oneLine(err), "name an interface with -i; 'apptap interfaces' lists them"
		return f, nil
	}
	source, err := live.Open(live.Config{Interface: name})
	var hinted interface{ Hint() string }
	switch {
	case err == nil:
		defer source.Close() // nothing was read
		f.OK, f.Detail = true, fmt.Sprintf("%s, link type %v, reader %s", name, source.Interfaces()[0].LinkType, source.Reader)
		if source.NoRing != nil {
			f.Detail += fmt.Sprintf(" (no ring: %s)", oneLine(source.NoRing))
		}
	case errors.Is(err, errors.ErrUnsupported): // a build without libpcap
		f.Detail, f.Mend = oneLine(err), "make build, which says what this machine lacks for libpcap"
	case errors.As(err, &hinted):
		f.Detail, f.Mend = oneLine(err), hinted.Hint()
	default:
		f.Detail, f.Mend = oneLine(err), "'apptap interfaces' lists what there is"
	}
	return f, source
}
