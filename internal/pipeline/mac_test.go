package pipeline

import (
	"context"
	"io"
	"net/netip"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/fixtures/mac"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// TestRunMac runs the sources of macOS, over a Mac that answers in its bytes, to a report: a browser whose networking is in
// user space, a tool in a terminal that only a scan finds, and a flow of nobody.
func TestRunMac(t *testing.T) {
	const safari = "/Applications/Safari.app"
	at := time.Unix(1_700_000_000, 0)
	addr := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(host.Addr(), port) }
	kernel := mac.NewKernel(mac.QUIC(1, flows.MakeKey(flows.UDP, addr(40000), peer), 301, 300, "com.apple.WebKit.Networking"))
	table := mac.NewTable(
		mac.Process{PID: 300, PPID: 1, Name: "Safari", Path: safari + "/Contents/MacOS/Safari", Start: 1},
		mac.Process{PID: 400, PPID: 1, Name: "Terminal", Path: "/System/Applications/Utilities/Terminal.app/Contents/MacOS/Terminal", Start: 2},
		mac.Process{PID: 402, PPID: 400, Name: "dig", Path: "/usr/bin/dig", Start: 3, Sockets: []mac.Socket{{Local: addr(40001), Remote: peer}}},
	)
	watcher, degraded := pidmap.OpenMac(pidmap.MacSystem{
		Flows: func() (io.ReadWriteCloser, error) { return kernel, nil }, ProcInfo: table.ProcInfo,
		Refused: func(error) bool { return false }, Now: func() int64 { return at.UnixNano() },
		Files: fstest.MapFS{safari[1:] + "/Contents/Info.plist": {Mode: 0o644, Data: []byte(
			`<plist><dict><key>CFBundleIdentifier</key><string>com.apple.Safari</string></dict></plist>`)}},
	})
	defer watcher.Close()
	if len(degraded) > 0 {
		t.Fatalf("degraded: %q", degraded)
	}
	var packets []capture.Packet
	for port, payload := range map[uint16]int{40000: 1158, 40001: 58, 40002: 8} {
		data := fixtures.UDP(addr(port), peer, make([]byte, payload))
		packets = append(packets, capture.Packet{Time: at.UnixNano(), Data: data, Length: len(data), LinkType: capture.LinkTypeEthernet})
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	s := Run(ctx, Config{
		Sources: []capture.Source{&tapeSource{packets: packets, end: capture.ErrTimeout, iface: ethernet("en0"), drained: stop}},
		Live:    true, Owners: watcher, AbsentReason: pidmap.ReasonNoSocketSeen, Now: func() time.Time { return at },
		LocalAddrs: func() []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(host.Addr(), 32)} },
		Source:     summarize.Source{Kind: "live", Interfaces: []string{"en0"}},
	}).Summary
	type row struct {
		ID, Name string
		Bytes    uint64
		Methods  map[pidmap.Method]uint64
	}
	var got []row
	for _, a := range s.Apps {
		got = append(got, row{a.App.ID, a.App.Name, a.Bytes(), a.Methods})
	}
	want := []row{
		{"com.apple.Safari", "Safari", 1200, map[pidmap.Method]uint64{pidmap.MethodNtstat: 1200}},
		{"/usr/bin/dig", "dig", 100, map[pidmap.Method]uint64{pidmap.MethodLibproc: 100}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("apps (-want +got):\n%s", diff)
	}
	if s.Unattributed.Bytes() == 0 {
		t.Error("the flow of nobody has an owner")
	}
}
