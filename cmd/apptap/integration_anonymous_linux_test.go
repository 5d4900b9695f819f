package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures/netns"
)

// TestIntegrationAnonymizedRecording records with --anonymize into several files: their report has the sums of the live one, and no
// address of either namespace is in them.
func TestIntegrationAnonymizedRecording(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap")
	}
	here, there := netns.Pair(t)
	serveShort(t, there)
	dir := t.TempDir()
	live := filepath.Join(dir, "live.json")
	c := here.Command(t, "apptap", "capture", "-i", netns.Interface, "-w", filepath.Join(dir, "s.pcapng"), "--anonymize", "-C", "1", "--format", "json", "-o", live,
		"host "+there.IPv4.String())
	wait := start(t, c, "capturing on")
	short(t, here, there.IPv4, t.TempDir(), 20)
	interrupt(t, c)
	wait()
	files, err := filepath.Glob(filepath.Join(dir, "s.pcapng*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got files %v, %v", files, err)
	}
	text, err := os.ReadFile(live)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sumsOf(t, text), sumsOf(t, replayed(t, files...))); diff != "" {
		t.Errorf("replay (-live +anonymized):\n%s", diff)
	}
	found := traces{map[netip.Addr]bool{}, map[[6]byte]bool{}}
	for _, a := range []netip.Addr{here.IPv4, here.IPv6, there.IPv4, there.IPv6} {
		found.addr(a)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found.in(t, file, text)
	}
}
