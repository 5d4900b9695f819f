package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"
)

// TestRotationNames compares with the names that tcpdump gives (tcpdump(1), -C, -G and -W).
func TestRotationNames(t *testing.T) {
	begun := time.Date(2026, 3, 1, 9, 5, 7, 0, time.Local)
	for _, c := range []struct {
		name string
		when rotation
		file string
		want []string // of the first files
	}{
		{"no rotation", rotation{}, "s.pcapng", []string{"s.pcapng"}},
		{"size", rotation{megabytes: 1}, "s.pcapng", []string{"s.pcapng", "s.pcapng1", "s.pcapng2"}},
		{"ring", rotation{megabytes: 1, count: 3}, "s", []string{"s0", "s1", "s2", "s0"}},
		{"ring of ten", rotation{megabytes: 1, count: 10}, "s", []string{"s0"}},
		{"ring of eleven", rotation{megabytes: 1, count: 11}, "s", []string{"s00", "s01"}},
		{"time", rotation{seconds: 60}, "s-%Y%m%d-%H%M%S.pcapng", []string{"s-20260301-090507.pcapng"}},
		{"time and size", rotation{seconds: 60, megabytes: 1}, "s-%H", []string{"s-09", "s-091"}},
		{"time, size and count", rotation{seconds: 60, megabytes: 1, count: 200}, "s-%H", []string{"s-09000", "s-09001"}},
	} {
		for n, want := range c.want {
			if got := c.when.path(c.file, begun, uint64(n)); got != want {
				t.Errorf("%s, file %d: got %s, want %s", c.name, n, got, want)
			}
		}
	}
}

// TestRotationPipe: a named pipe among the names of a run is not waited for.
func TestRotationPipe(t *testing.T) {
	when, begun := rotation{megabytes: 1, count: 2}, time.Now()
	r, pattern := newRotating(t, when, "s", begun)
	defer r.out.close()
	if err := syscall.Mkfifo(pattern+"1", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := when.check(pattern, "-"); err == nil || !strings.Contains(err.Error(), "s1 is a named pipe") {
		t.Errorf("beforehand: error %v, want that the second one is a named pipe", err)
	}
	if err := r.next(&capture.Packet{}); err == nil || !strings.Contains(err.Error(), "s1, which is a named pipe") {
		t.Errorf("error %v, want that the second one is a named pipe", err)
	}
}

// TestRotationReport: a report does not take the place of a file of its run, nor the other way round.
func TestRotationReport(t *testing.T) {
	size, ring, timed := rotation{megabytes: 1}, rotation{megabytes: 1, count: 11}, rotation{seconds: 60}
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		when         rotation
		name, report string
		refused      bool
	}{
		{size, "s", "s", true},
		{size, "s", "./s1", true},
		{size, "s", "s0", false},
		{size, "s", "s12", true},
		{size, "s", "s01", false},
		{size, "s", "s.json", false},
		{size, "s", "-", false},
		{size, "s", "other/s1", false},
		{ring, "s", absolute("s00"), true},
		{ring, "s", "s10", true},
		{ring, "s", "s11", false},
		{ring, "s", "s1", false},
		{timed, "s-%Y", "s-2031", true},
		{timed, "s-%Y%m%d-%H%M%S.pcapng", "s-20310102-030405.pcapng", true},
		{timed, "s-%Y%m%d-%H%M%S.pcapng", "s-20310102-030405.json", false},
		{timed, "s-%Y.pcapng", "s-pcapng", false},
		{timed, "%a/s-%b.pcapng", "Mon/s-Feb.pcapng", true},
		{timed, "%a/s-%b.pcapng", "Mon/x/s-Feb.pcapng", false},
		{timed, "s-%%-%H(1).pcapng", "s-%-07(1).pcapng", true},
		{timed, "s-%H", "s-071", false},
		{timed, "s-%H", "s-x", false},
		{rotation{seconds: 60, megabytes: 1}, "s-%H.pcapng", "s-07.pcapng12", true},
		{timed, "s-%H", "-", false},
		{timed, "s-%Y", time.Now().Format("s-2006"), true},
	} {
		if err := c.when.check(c.name, c.report); (err != nil) != c.refused {
			t.Errorf("%+v -w %s -o %s: %v, want refused %v", c.when, c.name, c.report, err, c.refused)
		}
	}
	begun := time.Date(2026, 3, 1, 9, 5, 7, 0, time.Local)
	r, pattern := newRotating(t, timed, "s-%M", begun)
	defer r.out.close()
	r.report = strings.TrimSuffix(pattern, "%M") + "06"
	err := r.next(&capture.Packet{Time: begun.Add(time.Minute).UnixNano()})
	if err == nil || !strings.Contains(err.Error(), "s-06, where the report goes") {
		t.Errorf("error %v, want that the next file is the report's", err)
	}
}

// newRotating is a rotating recording to a folder, and the path that its files' names begin with.
func newRotating(t *testing.T, when rotation, name string, begun time.Time) (r *rotating, pattern string) {
	t.Helper()
	pattern = filepath.Join(t.TempDir(), name)
	out, err := createFile(t.Context(), t.Output(), when.path(pattern, begun, 0))
	if err != nil {
		t.Fatal(err)
	}
	w, err := session.NewWriter(out.writer(), capture.WriterOptions{Interfaces: []capture.Interface{{Name: "eth0", LinkType: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	w.Rotate("run")
	return &rotating{Writer: w, when: when, name: pattern, out: out, slot: begun, files: 1, fresh: true}, pattern
}

// recordingOf is a rotating recording to a folder, with so many packets of a kilobyte, a second apart.
func recordingOf(t *testing.T, when rotation, name string, packets int) (files []string) {
	t.Helper()
	begun := time.Unix(1_700_000_000, 0)
	r, pattern := newRotating(t, when, name, begun)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	in := summarize.Input{Window: summarize.Window{Start: begun.UnixNano(), End: begun.UnixNano()}}
	must(r.WriteState(&in, false))
	frame := fixtures.UDP(netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2"), make([]byte, 958))
	for i := range packets {
		p := capture.Packet{Data: frame, Length: len(frame), LinkType: 1, Time: begun.Add(time.Duration(i) * time.Second).UnixNano()}
		must(r.WritePacket(&p))
	}
	must(r.WriteState(&in, true))
	must(r.Close())
	must(r.out.close())
	files, err := filepath.Glob(filepath.Join(filepath.Dir(pattern), "*"))
	must(err)
	return files
}

// TestRotatingBusyHost: thousands of sockets that never send over the captured interface, and as many events as packets of others that come and go
// elsewhere, take no room from the packets of a ring of small files; each file names the owner of its packets by itself.
func TestRotatingBusyHost(t *testing.T) {
	begun := time.Unix(1_700_000_000, 0)
	r, pattern := newRotating(t, rotation{megabytes: 1, count: 2}, "s.pcapng", begun)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := begun.UnixNano()
	made := func(n int) pidmap.Event {
		local := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(20_000+n%40_000))
		return pidmap.Event{Kind: pidmap.SocketMade, Method: pidmap.MethodEBPF, Time: at,
			Socket:  pidmap.Socket{Cookie: uint64(n + 1), Foreign: true, Key: flows.MakeKey(flows.TCP, local, netip.MustParseAddrPort("10.0.0.2:5201"))},
			Process: pidmap.Process{Key: pidmap.ProcessKey{PID: int32(n%100 + 1), Start: 1}, Name: "elsewhere"}}
	}
	const resting, packets = 20_000, 4000
	in := summarize.Input{Window: summarize.Window{Start: at, End: at}}
	must(r.WriteState(&in, false))
	for n := range resting {
		must(r.WriteEvents([]pidmap.Event{made(n)}))
	}
	own, peer := netip.MustParseAddrPort("192.0.2.1:40001"), netip.MustParseAddrPort("192.0.2.2:443")
	must(r.WriteEvents([]pidmap.Event{{Kind: pidmap.SocketMade, Method: pidmap.MethodEBPF, Time: at, Socket: pidmap.Socket{Cookie: 1 << 40, Key: flows.MakeKey(flows.TCP, own, peer)},
		Process: pidmap.Process{Key: pidmap.ProcessKey{PID: 7, Start: 1}, Name: "chat", Path: "/usr/bin/chat"}}}))
	frame := fixtures.TCP(own, peer, "A", 1, 1, make([]byte, 900))
	for n := range packets {
		at += 1_000_000
		comes := made(resting + n)
		goes := comes
		goes.Kind, goes.Totals = pidmap.SocketClosed, pidmap.Totals{Known: true, Sent: 1}
		must(r.WriteEvents([]pidmap.Event{comes, goes}))
		if n%100 == 0 {
			must(r.WriteEvents([]pidmap.Event{{Kind: pidmap.SocketsCurrent, Time: at}}))
		}
		must(r.WritePacket(&capture.Packet{Data: frame, Length: len(frame), Time: at, LinkType: capture.LinkTypeEthernet}))
	}
	in.Window.End = at
	must(r.WriteState(&in, true))
	must(r.Close())
	must(r.out.close())
	files, err := filepath.Glob(pattern + "*")
	must(err)
	if len(files) != 2 {
		t.Fatalf("%d files, want 2", len(files))
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		must(err)
		if n := bytes.Count(text, frame[:54]) * len(frame); n < len(text)*9/10 {
			t.Errorf("%s: %d of %d bytes are packets, want nine of ten", name, n, len(text))
		}
		var out, errs bytes.Buffer
		if code := run([]string{"replay", "--format", "csv", name}, nil, &out, &errs); code != 0 || !strings.Contains(out.String(), "chat") {
			t.Errorf("%s by itself: exit code %d, no owner\n%s%s", name, code, &out, &errs)
		}
	}
}

// TestRotating: no packet is lost between files, and none is in two, but for those that a ring has overwritten.
func TestRotating(t *testing.T) {
	for _, c := range []struct {
		name    string
		when    rotation
		file    string
		files   int
		packets string // how many a replay has
	}{
		{"size", rotation{megabytes: 1}, "s.pcapng", 4, "3000"},
		{"ring", rotation{megabytes: 1, count: 2}, "s.pcapng", 2, "1062"}, // 969 fill a file; the third and the fourth are left
		{"time", rotation{seconds: 600}, "s-%s.pcapng", 5, "3000"},
		{"time, compressed", rotation{seconds: 600}, "s-%s.pcapng.zst", 5, "3000"},
		{"time and count", rotation{seconds: 600, count: 3}, "s-%s.pcapng", 3, "3000"}, // the capture ends then: see rotation.limit
		{"time and size", rotation{seconds: 2000, megabytes: 1}, "s-%s.pcapng", 5, "3000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := recordingOf(t, c.when, c.file, 3000)
			if len(files) != c.files {
				t.Errorf("got %d files, want %d: %v", len(files), c.files, files)
			}
			slices.Reverse(files)
			var out, errs bytes.Buffer
			code := run(append([]string{"replay", "--format", "csv"}, files...), strings.NewReader(""), &out, &errs)
			if code != 0 || !strings.Contains(out.String(), ","+c.packets+",") {
				t.Errorf("replay: exit code %d, want %s packets in\n%s%s", code, c.packets, &out, &errs)
			}
			for _, file := range files {
				if info, err := os.Stat(file); err != nil || c.when.megabytes > 0 && info.Size() > 1_100_000 {
					t.Errorf("%s: %v, larger than asked for", file, err)
				}
			}
		})
	}
}

// TestRotatingQuickly begins files so quickly that the ones before still wait for what is told of their sockets: a ring takes the name of one
// of these, and all are whole in the end.
func TestRotatingQuickly(t *testing.T) {
	for _, when := range []rotation{{megabytes: 1}, {megabytes: 1, count: 2}} {
		begun := time.Unix(1_700_000_000, 0)
		r, pattern := newRotating(t, when, "s.pcapng", begun)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		in := summarize.Input{Window: summarize.Window{Start: begun.UnixNano(), End: begun.UnixNano()}}
		must(r.WriteState(&in, false))
		for i := range 7000 {
			must(r.WritePacket(&capture.Packet{Data: make([]byte, 1000), Length: 1000, Time: begun.UnixNano() + int64(i)}))
		}
		if waiting := len(r.open); waiting == 0 {
			t.Errorf("%+v: no file waits", when)
		}
		must(r.WriteState(&in, true))
		must(r.Close())
		must(r.out.close())
		if len(r.open) > 0 {
			t.Errorf("%+v: still open: %v", when, r.open)
		}
		files, err := filepath.Glob(pattern + "*")
		must(err)
		var out, errs bytes.Buffer
		code := run(append([]string{"replay", "--strict"}, files...), strings.NewReader(""), &out, &errs)
		if code != 0 || errs.Len() > 0 {
			t.Errorf("%+v: replay of %d files: exit code %d\n%s%s", when, len(files), code, &out, &errs)
		}
	}
}
