package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/fixtures/mac"
	"apptap/flows"
	"apptap/internal/pipeline"
	"apptap/pidmap"
	"apptap/summarize"
)

// macTape is a capture of a Mac's en0: it gives its packets, then ends the run.
type macTape struct {
	packets []capture.Packet
	end     func()
}

func (m *macTape) Next(p *capture.Packet) error {
	if len(m.packets) == 0 {
		m.end()
		return capture.ErrTimeout
	}
	*p, m.packets = m.packets[0], m.packets[1:]
	return nil
}

func (m *macTape) Interfaces() []capture.Interface {
	return []capture.Interface{{Name: "en0", LinkType: capture.LinkTypeEthernet}}
}
func (m *macTape) Stats() capture.Stats { return capture.Stats{Known: true} }
func (m *macTape) Close() error         { return nil }

// macIdle are the counters of a Mac beside those that come with its owners: here none.
type macIdle struct{}

func (macIdle) Sockets(summarize.Moment) ([]summarize.SocketCounters, error) { return nil, nil }
func (macIdle) Overflows() uint64                                            { return 0 }
func (macIdle) RunClosed(ctx context.Context, _ func([]summarize.SocketCounters)) error {
	<-ctx.Done()
	return ctx.Err()
}
func (macIdle) Interfaces([]string) (map[string]summarize.InterfaceCounters, error) { return nil, nil }

// TestMacSession records what the sources of a Mac tell of a run, and replays it: owners by the kernel's control and by packets that name
// their process, and the audit by the control's counters, of sockets that ended, are open, and lost their last.
func TestMacSession(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	host, peer := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddrPort("198.51.100.7:443")
	local := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(host, port) }
	var clock atomic.Int64
	clock.Store(start.Add(2 * time.Second).UnixNano())

	kernel := mac.NewKernel()
	table := mac.NewTable(
		mac.Process{PID: 402, PPID: 1, Name: "curl", Path: "/usr/bin/curl", Start: 5},
		mac.Process{PID: 403, PPID: 1, Name: "dig", Path: "/usr/bin/dig", Start: 6},
	)
	tape := &macTape{}
	for i, port := range []uint16{40001, 40002, 40003} {
		packets, truth := fixtures.Conversation{Client: local(port), Server: peer, Up: make([]byte, 3000), Down: make([]byte, 5000),
			Start: start.Add(time.Second), Resend: 2, Open: port == 40002}.Packets()
		tape.packets = append(tape.packets, packets...)
		ref := uint64(i + 1)
		kernel.Begin(mac.Flow{Ref: ref, Provider: mac.TCPKernel, Key: flows.MakeKey(flows.TCP, local(port), peer), PID: 402, Name: "curl", State: 4, Interface: 14})
		kernel.Count(ref, mac.Counts{TxBytes: truth.TxPayload, RxBytes: truth.RxPayload, TxPackets: truth.TxPackets, RxPackets: truth.RxPackets,
			TxRetransmitted: uint32(truth.TxPayload - truth.TxStream), RxDuplicate: uint32(truth.RxPayload - truth.RxStream)})
		if port != 40002 {
			kernel.End(ref, port == 40003, false)
		}
	}
	add := func(port uint16, size int, owner *capture.Owner) {
		data := fixtures.UDP(local(port), peer, make([]byte, size))
		tape.packets = append(tape.packets, capture.Packet{Time: start.Add(2 * time.Second).UnixNano(), Data: data, Length: len(data),
			LinkType: capture.LinkTypeEthernet, Owner: owner})
	}
	add(40004, 300, nil)
	kernel.Begin(mac.Flow{Ref: 9, Provider: mac.UDPKernel, Key: flows.MakeKey(flows.UDP, local(40004), peer), PID: 402, Name: "curl", Interface: 14})
	kernel.Count(9, mac.Counts{TxBytes: 300, TxPackets: 1})
	add(40005, 50, &capture.Owner{Header: true, Outgoing: true, Process: &capture.Process{PID: 403, Name: "dig"}})

	watcher, _ := pidmap.OpenMac(pidmap.MacSystem{
		Flows: func() (io.ReadWriteCloser, error) { return kernel, nil }, ProcInfo: table.ProcInfo, Refused: func(error) bool { return false },
		Now: clock.Load, InterfaceName: func(uint32) string { return "en0" },
	})
	defer watcher.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	tape.end = stop
	c := pipeline.Config{
		Sources: []capture.Source{tape}, Live: true, ListFlows: true, TakeTimes: true, Owners: watcher, Counters: macIdle{},
		AbsentReason: pidmap.ReasonNoSocketSeen, Now: func() time.Time { return time.Unix(0, clock.Load()) },
		LocalAddrs: func() []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(host, 32)} },
		Source:     summarize.Source{Kind: "live", Interfaces: []string{"en0"}, SnapLen: defaultSnapLen},
	}
	file := filepath.Join(t.TempDir(), "mac.pcapng")
	report := filepath.Join(t.TempDir(), "live.json")
	f := captureFlags{record: file, outputFlags: outputFlags{format: "json", flows: true, file: report, list: 100, by: "name"}}
	s := streams{out: io.Discard, err: io.Discard}
	recorder, err := openRecorder(t.Context(), s, &f, &c, nil)
	if err != nil {
		t.Fatal(err)
	}
	result := pipeline.Run(ctx, c)
	if err := errors.Join(f.outputFlags.write(t.Context(), s, result.Summary), recorder.close(result)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	live, again := macReportParts(t, string(text)), macReportParts(t, replay(t, "--format", "json", "--flows", file))
	if diff := cmp.Diff(live, again); diff != "" {
		t.Errorf("replay (-live +replayed):\n%s", diff)
	}
	audit := result.Summary.Audit
	if audit.Exact != 3 || audit.Unavailable != 2 || audit.Unexplained != 0 || len(result.Summary.Apps) != 2 {
		t.Errorf("audit %+v of %d apps; want 3 flows exact, one whose counters were lost, one without, of two apps", audit, len(result.Summary.Apps))
	}
}

// macReportParts are those of a report that a replay gives again.
func macReportParts(t *testing.T, text string) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	parts := map[string]any{}
	for _, name := range []string{"totals", "apps", "unattributed", "undecoded", "audit", "flows", "degraded"} {
		parts[name] = all[name]
	}
	return parts
}
