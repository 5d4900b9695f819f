package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures/netns"
)

// forwardedReport is what the test reads of a report with --flows.
type forwardedReport struct {
	Totals   counters
	Degraded []string
	Apps     []struct {
		App struct{ Name, Path string }
		counters
	}
	Unattributed struct {
		counters
		Reasons map[string]uint64
	}
	Flows []forwardedFlow
	Audit struct {
		Unexplained uint64 `json:"unexplained_bytes"`
		Flows       struct{ Unexplained int }
	}
}

type forwardedFlow struct {
	Proto, Local, Remote, App, Method, Reason string
	SocketLocal                               string `json:"socket_local"`
	SocketRemote                              string `json:"socket_remote"`
	Kernel                                    *struct{ Verdict string }
	Unavailable                               string
	counters
}

// masquerade is what a host of containers does: what leaves has its address, and one port of it is theirs.
const masquerade = `table inet apptap {
	chain out { type nat hook postrouting priority 100; oifname "` + netns.Interface + `" masquerade; }
	chain in {
		type nat hook prerouting priority -100
		iifname "` + netns.Interface + `" meta nfproto ipv4 meta l4proto { tcp, udp } th dport { ` + serverTCP + `, ` + serverUDP + ` } dnat ip to 10.88.0.2
	}
}
`

// forwarding is a host with a namespace behind it, and a capture of its outer interface.
type forwarding struct {
	*testing.T
	inside, host, outside *netns.Namespace
	dir, talk             string
}

func newForwarding(t *testing.T) *forwarding {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft(8) is not installed")
	}
	f := &forwarding{T: t, dir: t.TempDir()}
	f.host, f.outside = netns.Pair(t)
	f.inside = f.host.Behind(t)
	nft := f.host.Command(t, "nft", "-f", "-")
	nft.Stdin = strings.NewReader(masquerade)
	if out, err := nft.CombinedOutput(); err != nil {
		t.Skipf("this kernel translates no addresses: %v: %s", err, out)
	}
	f.talk = build(t, "talk")
	return f
}

// capture reports on what moves bytes through the host, live and from a recording in several files, which must say the same. Interfaces are those
// captured beside the outer one.
func (f *forwarding) capture(moves func() (truths string), interfaces ...string) (*forwardedReport, map[string]truth) {
	f.Helper()
	live, session, again := filepath.Join(f.dir, "live.json"), filepath.Join(f.dir, "s.pcapng"), filepath.Join(f.dir, "again.json")
	args := []string{"capture", "-i", netns.Interface, "--reader", "ring", "-w", session, "-C", "1", "--format", "json", "--flows", "-o", live}
	for _, name := range interfaces {
		args = append(args, "-i", name)
	}
	run := f.host.Command(f.T, "apptap", args...)
	wait := start(f.T, run, "capturing on")
	truths := moves()
	interrupt(f.T, run)
	wait()
	var report, replayed forwardedReport
	readJSON(f.T, live, &report)
	if slices.ContainsFunc(report.Degraded, func(s string) bool { return strings.Contains(s, "polled") }) {
		f.Skipf("sockets of other namespaces are not told of here: %q", report.Degraded)
	}
	files, err := filepath.Glob(session + "*")
	if err != nil {
		f.Fatal(err)
	}
	if out, err := exec.CommandContext(f.Context(), "apptap", append([]string{"replay", "--format", "json", "--flows", "-o", again}, files...)...).CombinedOutput(); err != nil {
		f.Fatalf("replay: %v: %s", err, out)
	}
	readJSON(f.T, again, &replayed)
	if diff := cmp.Diff(report, replayed, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		f.Errorf("replay (-live +replay):\n%s", diff)
	}
	return &report, readTruth(f.T, truths)
}

// TestIntegrationMasqueraded runs programs in a namespace whose flows leave with the address of the host: each is its
// program's, once, and says under which addresses its socket has it.
func TestIntegrationMasqueraded(t *testing.T) {
	f := newForwarding(t)
	startServer(t, f.outside, f.talk)
	report, truths := f.capture(func() string { return runClients(t, f.inside, f.outside, f.talk, f.dir) })
	var want, got counters
	flows := map[string][]forwardedFlow{}
	for _, flow := range report.Flows {
		flows[flow.Proto+" "+flow.SocketLocal] = append(flows[flow.Proto+" "+flow.SocketLocal], flow)
	}
	for local, truth := range truths {
		want.TxPayload, want.RxPayload = want.TxPayload+truth.Tx, want.RxPayload+truth.Rx
		of := flows[truth.Proto+" "+truth.Local]
		if len(of) != 1 {
			t.Errorf("%s %s has %d flows, want 1", truth.Proto, local, len(of))
			continue
		}
		flow := of[0]
		if filepath.Base(flow.App) != truth.Program || flow.TxPayload != truth.Tx || flow.RxPayload != truth.Rx || flow.SocketRemote != truth.Remote || flow.Local == truth.Local {
			t.Errorf("got %+v, want one of %+v under another address", flow, truth)
		}
	}
	for _, app := range report.Apps {
		got.TxPayload, got.RxPayload = got.TxPayload+app.TxPayload, got.RxPayload+app.RxPayload
	}
	if got != want || len(report.Apps) != len(truths) {
		t.Errorf("%d apps moved %+v, want %d and %+v; nobody's: %+v", len(report.Apps), got, len(truths), want, report.Unattributed)
	}
	report.audited(t)
}

// audited holds that every TCP flow was compared with its program's socket and came out exact, and that UDP says why it was not.
func (r *forwardedReport) audited(t *testing.T) {
	t.Helper()
	if r.Audit.Unexplained != 0 || r.Audit.Flows.Unexplained != 0 {
		t.Errorf("got %+v, want nothing unexplained", r.Audit)
	}
	for _, flow := range r.Flows {
		switch exact := flow.Kernel != nil && flow.Kernel.Verdict == "exact"; {
		case flow.Proto == "tcp" && !exact, flow.Proto == "udp" && flow.Unavailable == "":
			t.Errorf("got %+v (%+v), want it compared, or a reason why not", flow, flow.Kernel)
		}
	}
}

// TestIntegrationBothSides captures before and behind the NAT at once: each byte counts once, under the socket's own addresses.
func TestIntegrationBothSides(t *testing.T) {
	f := newForwarding(t)
	startServer(t, f.outside, f.talk)
	report, truths := f.capture(func() string { return runClients(t, f.inside, f.outside, f.talk, f.dir) }, netns.Inner)
	var want, got counters
	for _, truth := range truths {
		want.TxPayload, want.RxPayload = want.TxPayload+truth.Tx, want.RxPayload+truth.Rx
	}
	for _, app := range report.Apps {
		got.TxPayload, got.RxPayload = got.TxPayload+app.TxPayload, got.RxPayload+app.RxPayload
	}
	if got != want || len(report.Apps) != len(truths) || len(report.Flows) != len(truths) {
		t.Errorf("%d apps moved %+v in %d flows, want %d and %+v; nobody's: %+v", len(report.Apps), got, len(report.Flows), len(truths), want, report.Unattributed)
	}
	for _, flow := range report.Flows {
		if flow.SocketLocal != "" {
			t.Errorf("got %+v, want the socket's own addresses", flow)
		}
	}
	report.audited(t)
}

// TestIntegrationPublished has programs outside ask a server in the namespace through a port of the host, on which a program of the
// host listens too, as docker-proxy does: the bytes are the server's.
func TestIntegrationPublished(t *testing.T) {
	f := newForwarding(t)
	proxy := filepath.Join(f.dir, "proxy")
	if err := os.Link(f.talk, proxy); err != nil {
		t.Fatal(err)
	}
	startServer(t, f.host, proxy)
	startServer(t, f.inside, f.talk)
	report, truths := f.capture(func() string {
		return runClients(t, f.outside, &netns.Namespace{IPv4: f.host.IPv4}, f.talk, f.dir)
	})
	var want, got counters
	for _, truth := range truths {
		want.RxPayload, want.TxPayload = want.RxPayload+truth.Tx, want.TxPayload+truth.Rx
	}
	for _, app := range report.Apps {
		if app.App.Path != f.talk {
			t.Errorf("%s moved %+v, want nothing", app.App.Path, app.counters)
			continue
		}
		got.RxPayload, got.TxPayload = got.RxPayload+app.RxPayload, got.TxPayload+app.TxPayload
	}
	if got != want {
		t.Errorf("the server moved %+v, want %+v; nobody's: %+v", got, want, report.Unattributed)
	}
	for _, flow := range report.Flows {
		if flow.App != "" && !strings.HasPrefix(flow.SocketLocal, f.inside.IPv4.String()+":") {
			t.Errorf("got %+v, want one of a socket of %v", flow, f.inside.IPv4)
		}
	}
}
