package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"
)

// exportedReport is the report of what export makes of files, as CSV.
func exportedReport(t *testing.T, files []string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "x.pcapng")
	var said, report bytes.Buffer
	if code := run(append(append([]string{"export"}, files...), append(flags, "-w", out)...), nil, &report, &said); code != exitOK {
		t.Fatalf("export: exit code %d\n%s", code, &said)
	}
	if code := run([]string{"replay", "--format", "csv", out}, nil, &report, &said); code != exitOK {
		t.Fatalf("replay: exit code %d\n%s", code, &said)
	}
	return report.String()
}

// TestExportTranslated: a flow whose addresses are translated is still its program's when it is exported.
func TestExportTranslated(t *testing.T) {
	name := filepath.Join(t.TempDir(), "s.pcapng")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w, err := session.NewWriter(file, capture.WriterOptions{Interfaces: []capture.Interface{{Name: "eth0", LinkType: 1}}})
	must(err)
	inside, outside, server := netip.MustParseAddrPort("172.17.0.2:40000"), netip.MustParseAddrPort("192.0.2.1:50000"), netip.MustParseAddrPort("198.51.100.1:443")
	at := time.Unix(1_700_000_000, 0).UnixNano()
	in := summarize.Input{Window: summarize.Window{Start: at, End: at + 1000}}
	in.Source.Local = []netip.Prefix{netip.PrefixFrom(outside.Addr(), 32)}
	must(w.WriteState(&in, false))
	socket := flows.MakeKey(flows.TCP, inside, server)
	must(w.WriteEvents([]pidmap.Event{
		{Kind: pidmap.SocketMade, Time: at, Method: pidmap.MethodEBPF, Socket: pidmap.Socket{Cookie: 1, Foreign: true, Key: socket},
			Process: pidmap.Process{Key: pidmap.ProcessKey{PID: 7, Start: 1}, Name: "chat", Path: "/usr/bin/chat"}},
		{Kind: pidmap.FlowTranslated, Time: at, Translation: &pidmap.Translation{Original: socket, Reply: flows.MakeKey(flows.TCP, server, outside)}},
	}))
	frame := fixtures.TCP(outside, server, "A", 1, 1, make([]byte, 100))
	must(w.WritePacket(&capture.Packet{Data: frame, Length: len(frame), Time: at + 10, LinkType: 1}))
	must(w.WriteState(&in, true))
	must(w.Close())
	if report := exportedReport(t, []string{name}, "--app", "chat"); !strings.Contains(report, "/usr/bin/chat") {
		t.Errorf("the export has no chat:\n%s", report)
	}
}

// TestExportOfSome: files of a run of which one in the middle is missing are exported as they are replayed.
func TestExportOfSome(t *testing.T) {
	files := recordingOf(t, rotation{seconds: 600}, "s-%s.pcapng", 3000)
	report := exportedReport(t, []string{files[0], files[2]}, "--dst", "192.0.2.2")
	if want := fmt.Sprintf(",%d,", 2*600); !strings.Contains(report, want) {
		t.Errorf("the export does not have %q:\n%s", want, report)
	}
}
