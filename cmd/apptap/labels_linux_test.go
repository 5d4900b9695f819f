package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"apptap/capture"
	"apptap/fixtures/netns"
)

// checkLabels reads a session as another program does: a good part of its packets say whose they are.
func checkLabels(t *testing.T, session string) {
	t.Helper()
	file, err := os.Open(session)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	source, err := capture.NewReader(file, session)
	if err != nil {
		t.Fatal(err)
	}
	var p capture.Packet
	packets, owned, named := 0, 0, map[string]bool{}
	for source.Next(&p) == nil {
		packets++
		if p.Owner != nil {
			owned++
			named[p.Owner.Process.Name] = true
		}
	}
	t.Logf("%d of %d packets say whose they are, of %d names", owned, packets, len(named))
	if owned < packets/4 || len(named) < 10 {
		t.Errorf("got %d of %d packets with an owner, %d names; want most: %v", owned, packets, len(named), named)
	}
}

// checkEdited replays what editcap made of a session: the same bytes, each under an app or a reason.
func checkEdited(t *testing.T, dir string, whole []byte) {
	t.Helper()
	edited := filepath.Join(dir, "editcap.pcapng")
	if _, err := os.Stat(edited); err != nil {
		t.Logf("not edited: editcap is not installed")
		return
	}
	var reports [2]struct{ Totals map[string]uint64 }
	for i, text := range [][]byte{whole, replayed(t, edited)} {
		if err := json.Unmarshal(text, &reports[i]); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range reports[0].Totals {
		if got := reports[1].Totals[name]; got != want {
			t.Errorf("edited: %s is %d, want %d", name, got, want)
		}
	}
}

// TestIntegrationWiresharkProcesses writes the blocks that Wireshark 5 reads.
func TestIntegrationWiresharkProcesses(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap")
	}
	here, there := netns.Pair(t)
	dir := t.TempDir()
	serveShort(t, there)
	session := filepath.Join(dir, "s.pcapng")
	c := here.Command(t, "apptap", "capture", "-i", netns.Interface, "-w", session, "--wireshark-processes", "-o", os.DevNull)
	wait := start(t, c, "capturing on")
	short(t, here, there.IPv4, dir, 3)
	interrupt(t, c)
	wait()
	file, err := os.ReadFile(session)
	if err != nil {
		t.Fatal(err)
	}
	const block = "\xad\x0b\x00\x00"
	if n := strings.Count(string(file), block); n < 3 {
		t.Errorf("got %d of Wireshark's blocks, want one for each of three programs at least", n)
	}
	if out, err := exec.CommandContext(t.Context(), "apptap", "capture", "--wireshark-processes").CombinedOutput(); err == nil || !strings.Contains(string(out), "give -w too") {
		t.Errorf("without -w: got %v and %s", err, out)
	}
}
