package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"apptap/fixtures"
)

// wireshark runs one of Wireshark's programs, which must have nothing to complain of.
func wireshark(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	c := exec.CommandContext(t.Context(), name, args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	said := slices.DeleteFunc(strings.Split(stderr.String(), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "Running as user")
	})
	if err != nil || len(said) > 0 {
		t.Fatalf("%v: %v: %q", c.Args, err, said)
	}
	return stdout.String()
}

// TestForeign has Wireshark's programs read what export writes in every way: the same packets with the same times and lengths, no
// complaint, names, and what they write again replays to the same bytes.
func TestForeign(t *testing.T) {
	for _, name := range []string{"encapsulations.pcapng", "demo-session.pcapng"} {
		file := fixtures.Path(t, name)
		fields := func(file string) string {
			return wireshark(t, "tshark", "-n", "-r", file, "-T", "fields", "-e", "frame.number", "-e", "frame.time_epoch", "-e", "frame.len")
		}
		want := fields(file)
		for _, flags := range [][]string{{"--headers"}, {"--anonymize"}} {
			out := exported(t, append(flags, file)...)
			if fields(out) != want {
				t.Errorf("%s %v: tshark lists other packets", name, flags)
			}
			about := wireshark(t, "capinfos", out)
			for _, has := range []string{"Capture application: apptap", "Capture hardware:", "Capture oper-sys:"} {
				if !strings.Contains(about, has) {
					t.Errorf("%s %v: capinfos does not say %q: %s", name, flags, has, about)
				}
			}
			for tool, args := range map[string]func(to string) []string{
				"editcap":  func(to string) []string { return []string{out, to} },
				"mergecap": func(to string) []string { return []string{"-w", to, out} },
			} {
				to := filepath.Join(t.TempDir(), "again.pcapng")
				wireshark(t, tool, args(to)...)
				if fields(to) != want {
					t.Errorf("%s %v: after %s tshark lists other packets", name, flags, tool)
				}
				if name == "demo-session.pcapng" {
					continue // of a session they keep the packets, and no block of owners
				}
				again := []string{"diff", "--exit-code", out, to} // they keep no counters: apps and destinations are compared
				var stdout, stderr bytes.Buffer
				if code := run(again, strings.NewReader(""), &stdout, &stderr); code != exitOK {
					t.Errorf("%s %v: after %s: %s%s", name, flags, tool, &stdout, &stderr)
				}
			}
		}
	}
	named := wireshark(t, "tshark", "-r", exported(t, "--headers", fixtures.Path(t, "times.pcap")), "-q", "-z", "hosts")
	if !strings.Contains(named, ".test") {
		t.Errorf("tshark knows no names of addresses: %s", named)
	}
}
