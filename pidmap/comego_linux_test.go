package pidmap

import (
	"net/netip"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"apptap/fixtures/netns"
	"apptap/fixtures/storm"
)

// TestIntegrationNamespacesComeAndGo has a pair of namespaces made, used and removed again and again under one Watcher, all with the same
// addresses and local port: each connection is its own program's, and in the end no namespace is left and nothing is remembered.
func TestIntegrationNamespacesComeAndGo(t *testing.T) {
	const rounds = 4
	s := newStorm(t)
	var truths []stormTruth
	inodes := map[uint64]bool{}
	h := watchWhile(t, s, Config{}, func() {
		for round := range rounds {
			t.Run(strconv.Itoa(round), func(t *testing.T) {
				a, b := netns.Pair(t)
				guest := &storm.Storm{Ports: map[string]int{}, Servers: []netip.Addr{b.IPv4}, Here: func(do func()) { a.Do(t, do) },
					There: func(do func()) { b.Do(t, do) }, Failed: func(err error) { t.Error(err) }}
				defer guest.Close()
				if err := guest.Serve(b.IPv4); err != nil {
					t.Fatal(err)
				}
				program := filepath.Join(s.Programs, "guest"+strconv.Itoa(round))
				linkAs(t, filepath.Join(s.Programs, "client"), program)
				ip := b.IPv4.String()
				c := a.Command(t, program, "reuse", ip, strconv.Itoa(guest.Ports["tcp"+ip]), "2000", "3000", "31998")
				out, err := c.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				a.Do(t, func() {
					var stat unix.Stat_t
					if err := unix.Stat("/proc/thread-self/ns/net", &stat); err != nil {
						t.Error(err)
					}
					inodes[stat.Ino] = true
				})
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				truths = append(truths, truthsIn(t, out)...)
				if err := c.Wait(); err != nil {
					t.Error(err)
				}
			})
		}
	})
	if len(truths) != rounds {
		t.Fatalf("%d programs said something, want %d", len(truths), rounds)
	}
	for _, truth := range truths {
		if a := truth.owner(t, h); a.Process.Path != truth.Program || !a.Foreign {
			t.Errorf("got %q %s%s, in another namespace %v; want %+v", a.Process.Path, a.Method, a.Reason, a.Foreign, truth)
		}
	}
	h.Forget(truths[rounds-1].Last.UnixNano()+1_000_000_000, nothingNeeded{})
	for _, truth := range truths {
		if a := truth.owner(t, h); a.Known() {
			t.Errorf("%q is still remembered for %+v", a.Process.Path, truth)
		}
	}
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var stat unix.Stat_t
		if unix.Stat(file, &stat) == nil && inodes[stat.Ino] {
			t.Errorf("%s keeps a namespace that was removed", file)
		}
	}
}
