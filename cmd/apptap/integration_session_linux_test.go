package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures/netns"
)

// runShape are the parts of a report that say where it was made from and not what of.
var runShape = []string{"source", "window", "tool"}

// reportOf reads a report, without what differs between a run and its replay.
func reportOf(t *testing.T, text []byte) string {
	t.Helper()
	var report map[string]json.RawMessage
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	for _, name := range runShape {
		if len(report[name]) == 0 {
			t.Errorf("the report has no %s", name)
		}
		delete(report, name)
	}
	same, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(same)
}

// replayed is the report of session files as JSON with flows.
func replayed(t *testing.T, flags ...string) []byte {
	t.Helper()
	c := exec.CommandContext(t.Context(), "apptap", append([]string{"replay", "--format", "json", "--flows"}, flags...)...)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v", c.Args, err)
	}
	return out
}

// TestIntegrationSession captures 300 programs that live milliseconds, on two interfaces, and makes the report again from
// what was recorded: it is the same.
func TestIntegrationSession(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap")
	}
	here, there := netns.Pair(t)
	serveShort(t, there)
	programs := t.TempDir()
	for _, c := range []struct {
		name  string
		flags []string
		file  string
		files int // at least
	}{
		{name: "one file", file: "s.pcapng", files: 1},
		{name: "compressed", file: "s.pcapng.zst", files: 1},
		{name: "headers", flags: []string{"--headers"}, file: "s.pcapng", files: 1},
		{name: "several files", flags: []string{"-C", "1"}, file: "s.pcapng", files: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			live := filepath.Join(dir, "live.json")
			run := here.Command(t, "apptap", append([]string{"capture", "-i", netns.Interface, "-i", "lo", "-w", filepath.Join(dir, c.file),
				"--format", "json", "--flows", "-o", live, "ip or ip6"}, c.flags...)...)
			wait := start(t, run, "capturing on")
			short(t, here, there.IPv4, programs, 300)
			interrupt(t, run)
			wait()
			files, err := filepath.Glob(filepath.Join(dir, c.file+"*"))
			if err != nil || len(files) < c.files {
				t.Fatalf("got files %v, %v, want %d", files, err, c.files)
			}
			slices.Reverse(files) // the order is the run's, not the caller's
			again := checkReplay(t, live, files)
			if len(files) == 1 {
				checkForeign(t, dir, files[0])
				checkLabels(t, files[0])
				checkEdited(t, dir, again)
			}
		})
	}
}

// checkReplay compares the report of the capture with that of its files, which it returns.
func checkReplay(t *testing.T, live string, files []string) []byte {
	t.Helper()
	text, err := os.ReadFile(live)
	if err != nil {
		t.Fatal(err)
	}
	want := reportOf(t, text)
	if !strings.Contains(want, "/p19") || !strings.Contains(want, `"flows_exact"`) {
		t.Errorf("the live report has no p19 or no audit: there is little to compare")
	}
	again := replayed(t, files...)
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(reportOf(t, again), "\n")); diff != "" {
		t.Errorf("replay (-live +replay):\n%s", diff)
	}
	checkSource(t, text, again)
	return again
}

// checkSource compares what a replay says of the run itself.
func checkSource(t *testing.T, live, again []byte) {
	t.Helper()
	var reports [2]struct {
		Source struct {
			Interfaces, Local []string
			LocalFrom         string `json:"local_from"`
			Filter            string
			SnapLen           int
		}
		Window struct{ Start, End string }
	}
	for i, text := range [][]byte{live, again} {
		if err := json.Unmarshal(text, &reports[i]); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(reports[0], reports[1]); diff != "" {
		t.Errorf("source and window (-live +replay):\n%s", diff)
	}
}

// checkForeign has Wireshark's programs read the session: the same packets, and not a word of complaint.
func checkForeign(t *testing.T, dir, session string) {
	t.Helper()
	want := recorded(t, session)
	for _, name := range []string{"tshark", "editcap", "mergecap", "capinfos"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Logf("not read by %s: it is not installed", name)
			continue
		}
		out := filepath.Join(dir, name+".pcapng")
		args := map[string][]string{
			"tshark":   {"-r", session, "-w", out},
			"editcap":  {session, out},
			"mergecap": {"-w", out, session},
			"capinfos": {session},
		}[name]
		said, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		lines := slices.DeleteFunc(strings.Split(string(said), "\n"), func(line string) bool {
			return line == "" || strings.HasPrefix(line, "Running as user")
		})
		if err != nil || name != "capinfos" && len(lines) > 0 {
			t.Errorf("%s: %v: %s", name, err, said)
			continue
		}
		for _, about := range []string{"Name = " + netns.Interface, "Name = lo", "Filter string = ip or ip6", "Hardware = ", "Operating system = linux", "Number of stat entries = 1"} {
			if name == "capinfos" && !strings.Contains(string(said), about) {
				t.Errorf("capinfos does not say %q: %s", about, said)
			}
		}
		if name != "capinfos" && recorded(t, out) != want {
			t.Errorf("%s wrote %d packets, want %d", name, recorded(t, out), want)
		}
	}
}
