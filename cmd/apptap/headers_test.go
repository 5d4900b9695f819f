package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures"
)

// exported runs apptap export and returns the file that it wrote.
func exported(t *testing.T, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.pcapng")
	var stdout, stderr bytes.Buffer
	if code := run(append(append([]string{"export"}, args...), "-w", out), strings.NewReader(""), &stdout, &stderr); code != exitOK {
		t.Fatalf("export %v: exit code %d: %s", args, code, stderr.String())
	}
	return out
}

// whole is the report of a file as JSON, without what differs between a file and a copy of it.
func whole(t *testing.T, args ...string) string {
	t.Helper()
	var report map[string]json.RawMessage
	if err := json.Unmarshal([]byte(replay(t, append([]string{"--format", "json", "--flows"}, args...)...)), &report); err != nil {
		t.Fatal(err)
	}
	delete(report, "source")
	same, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(same)
}

// TestHeadersSameReport keeps headers and what states names of recorded captures: the report is the same, flows, names and times.
func TestHeadersSameReport(t *testing.T) {
	for _, name := range []string{"demo.pcapng", "namespaces.pcapng", "encapsulations.pcapng", "times.pcap"} {
		file := fixtures.Path(t, name)
		headers := exported(t, "--headers", file)
		for _, tunnels := range []string{"outer", "inner"} {
			if diff := cmp.Diff(whole(t, "--tunnels", tunnels, file), whole(t, "--tunnels", tunnels, headers)); diff != "" {
				t.Errorf("%s, %s: (-whole +headers):\n%s", name, tunnels, diff)
			}
		}
		again := exported(t, "--headers", headers)
		if a, b := sizeOn(t, headers), sizeOn(t, again); b > a {
			t.Errorf("%s: %d bytes after the second time, %d after the first", name, b, a)
		}
	}
}

// TestExportBeginsWithInterfaces: nothing stands before the descriptions of interfaces, or editcap does not rewrite the file.
func TestExportBeginsWithInterfaces(t *testing.T) {
	for _, name := range []string{"demo.pcapng", "demo-session.pcapng", "times.pcap"} {
		for _, how := range []string{"--headers", "--anonymize", "--app=*"} {
			file, err := os.ReadFile(exported(t, how, fixtures.Path(t, name)))
			if err != nil {
				t.Fatal(err)
			}
			section := binary.LittleEndian.Uint32(file[4:]) // its length
			if kind := binary.LittleEndian.Uint32(file[section:]); kind != 1 {
				t.Errorf("%s %s: the second block is of type %#x, want 1, an interface's", name, how, kind)
			}
		}
	}
}

// TestExportOfCutStaysIncomplete: what is made of a capture that was cut says so too, twice over, whether it was a session or not.
func TestExportOfCutStaysIncomplete(t *testing.T) {
	for _, name := range []string{"demo.pcapng", "demo-session.pcapng"} {
		bytes, err := os.ReadFile(fixtures.Path(t, name))
		if err != nil {
			t.Fatal(err)
		}
		cut := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(cut, bytes[:60_000], 0o600); err != nil {
			t.Fatal(err)
		}
		for _, how := range [][]string{{"--headers"}, {"--anonymize"}, {"--app", "*"}} {
			once := exported(t, append(how, cut)...)
			for _, file := range []string{once, exported(t, append(how, once)...)} {
				var report struct {
					Incomplete bool
					Degraded   []string
				}
				if err := json.Unmarshal([]byte(replay(t, "--format", "json", file)), &report); err != nil {
					t.Fatal(err)
				}
				if !report.Incomplete || !strings.Contains(strings.Join(report.Degraded, "\n"), "cut short at byte") {
					t.Errorf("%s, %v: incomplete %v, %q", name, how, report.Incomplete, report.Degraded)
				}
			}
		}
	}
}

func sizeOn(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
