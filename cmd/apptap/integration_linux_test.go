package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"apptap/fixtures/netns"
)

const (
	clients   = 40
	shortest  = 50 * time.Millisecond
	longest   = 2 * time.Second
	atOnce    = 4
	serverTCP = "7001"
	serverUDP = "7002"
)

// truth is what a client program says it did.
type truth struct {
	Program, Role, Proto, Local, Remote string
	PID                                 int
	Tx                                  uint64 `json:"tx_payload"`
	Rx                                  uint64 `json:"rx_payload"`
}

// reportJSON is the part of the report that the test reads.
type reportJSON struct {
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
	Undecoded struct{ Packets, Bytes uint64 }
	Audit     struct {
		Verdict    string
		Flows      struct{ Checked, Exact, Explained, Unexplained int }
		Interfaces []struct {
			CapturedPackets uint64 `json:"captured_packets"`
			CapturedBytes   uint64 `json:"captured_bytes"`
			ResidualBytes   *int64 `json:"residual_bytes"`
		}
	}
	Drops struct {
		Kernel uint64 `json:"dropped_kernel"`
	}
	Flows []struct {
		Proto, Local, App, Reason string
		counters
	}
}

func (c counters) bytes() uint64   { return c.TxBytes + c.RxBytes }
func (c counters) packets() uint64 { return c.TxPackets + c.RxPackets }

// TestIntegrationShortLived starts forty programs that live from 50 ms to 2 s in one of two namespaces,
// captures them live, and holds the report against what the programs counted themselves and against what an independent
// tcpdump captured.
func TestIntegrationShortLived(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap")
	}
	here, there := netns.Pair(t)
	dir := t.TempDir()
	talk := build(t, "talk")
	startServer(t, there, talk)
	dumpFile, stopDump := startTcpdump(t, here, dir)

	reportFile, session := filepath.Join(dir, "report.json"), filepath.Join(dir, "session.pcapng")
	capture := here.Command(t, "apptap", "capture", "-i", netns.Interface, "-s", "128", "-w", session, "--format", "json", "--flows", "-o", reportFile)
	waitCapture := start(t, capture, "capturing on")
	truthFile := runClients(t, here, there, talk, dir)
	interrupt(t, capture)
	waitCapture()
	stopDump()

	var report reportJSON
	readJSON(t, reportFile, &report)
	truths := readTruth(t, truthFile)
	checkAttribution(t, &report, truths)
	checkTotals(t, &report)
	checkAgainstTcpdump(t, &report, truths, dumpFile)
	checkRecording(t, &report, session)
	if *update {
		keep(t, session, "../../fixtures/namespaces.pcapng")
		keep(t, truthFile, "../../fixtures/namespaces.truth.jsonl")
	}
}

// checkRecording replays what was recorded and expects the same flows and bytes.
func checkRecording(t *testing.T, live *reportJSON, session string) {
	t.Helper()
	out, err := exec.Command("apptap", "replay", "--format", "json", "--flows", session).Output()
	if err != nil {
		t.Fatal(err)
	}
	var replayed reportJSON
	if err := json.Unmarshal(out, &replayed); err != nil {
		t.Fatal(err)
	}
	if replayed.Totals != live.Totals || replayed.Undecoded != live.Undecoded || len(replayed.Flows) != len(live.Flows) {
		t.Errorf("replay has %+v, %+v undecoded, %d flows; live had %+v, %+v, %d",
			replayed.Totals, replayed.Undecoded, len(replayed.Flows), live.Totals, live.Undecoded, len(live.Flows))
	}
}

func keep(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// start runs a program and waits until a line of its standard error contains ready. The function it returns
// waits for the program's end, which must be a good one.
func start(t *testing.T, c *exec.Cmd, ready string) (wait func()) {
	t.Helper()
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	awaitLine(t, c, lines, ready)
	var rest []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
			rest = append(rest, lines.Text())
		}
	}()
	return func() {
		t.Helper()
		<-done
		if err := c.Wait(); err != nil {
			t.Errorf("%v: %v\n%s", c.Args, err, strings.Join(rest, "\n"))
		}
	}
}

func awaitLine(t *testing.T, c *exec.Cmd, lines *bufio.Scanner, ready string) {
	t.Helper()
	var seen []string
	for lines.Scan() {
		seen = append(seen, lines.Text())
		if strings.Contains(lines.Text(), ready) {
			return
		}
	}
	t.Fatalf("%v ended without %q:\n%s", c.Args, ready, strings.Join(seen, "\n"))
}

func interrupt(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

func startServer(t *testing.T, n *netns.Namespace, talk string) {
	t.Helper()
	server := n.Command(t, talk, "-serve", "-tcp", ":"+serverTCP, "-udp", ":"+serverUDP) // both IP versions
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	awaitLine(t, server, lines, "ready udp")
	t.Cleanup(func() { stdin.Close(); server.Wait() })
}

func joinPort(addr netip.Addr, port string) string {
	if addr.Is6() {
		return "[" + addr.String() + "]:" + port
	}
	return addr.String() + ":" + port
}

func startTcpdump(t *testing.T, n *netns.Namespace, dir string) (file string, stop func()) {
	t.Helper()
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Log("no tcpdump here: the report is held against the programs alone")
		return "", func() {}
	}
	file = filepath.Join(dir, "tcpdump.pcap")
	dump := n.Command(t, "tcpdump", "--immediate-mode", "-i", netns.Interface, "-s", "128", "-B", "32768", "-Z", "root", "-U", "-w", file)
	wait := start(t, dump, "listening on")
	return file, func() { interrupt(t, dump); wait() }
}

// runClients runs all client programs, a few at a time, each under a name of its own.
func runClients(t *testing.T, here, there *netns.Namespace, talk, dir string) (truthFile string) {
	t.Helper()
	truthFile = filepath.Join(dir, "truth.jsonl")
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range clients {
		name := filepath.Join(dir, fmt.Sprintf("prog-%02d", i))
		if err := os.Link(talk, name); err != nil {
			t.Fatal(err)
		}
		addr := there.IPv4
		if i%4 >= 2 && there.IPv6.IsValid() {
			addr = there.IPv6
		}
		proto, port := "-tcp", serverTCP
		if i%2 == 1 {
			proto, port = "-udp", serverUDP
		}
		live := shortest + (longest-shortest)*time.Duration(i)/(clients-1)
		c := here.Command(t, name, proto, joinPort(addr, port), "-up", fmt.Sprint(1000+i*137), "-down", fmt.Sprint(9000+i*1013),
			"-live", live.String(), "-truth", truthFile)
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		})
	}
	all.Wait()
	return truthFile
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// readTruth is what the clients wrote down, by local endpoint.
func readTruth(t *testing.T, path string) map[string]truth {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	truths := map[string]truth{}
	decoder := json.NewDecoder(f)
	for {
		var line truth
		err := decoder.Decode(&line)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if line.Role == "client" {
			truths[line.Proto+" "+line.Local] = line
		}
	}
	if len(truths) != clients {
		t.Fatalf("%d programs wrote down what they did, want %d", len(truths), clients)
	}
	return truths
}

// checkAttribution demands that no byte is given to the wrong program, and that at most two of the forty
// were gone before anybody could look; their bytes then stand under a reason.
func checkAttribution(t *testing.T, report *reportJSON, truths map[string]truth) {
	t.Helper()
	missed := 0
	seen := map[string]bool{}
	for _, flow := range report.Flows {
		key := flow.Proto + " " + flow.Local
		want, ok := truths[key]
		if !ok {
			t.Errorf("%s: a flow of %d bytes that no program knows", key, flow.bytes())
			continue
		}
		seen[key] = true
		if flow.TxPayload != want.Tx || flow.RxPayload != want.Rx {
			t.Errorf("%s (%s): payload %d sent, %d received; the program counted %d, %d", want.Program, key, flow.TxPayload, flow.RxPayload, want.Tx, want.Rx)
		}
		switch {
		case flow.App == "" && flow.Reason != "":
			missed++
			t.Logf("%s (%s) is unattributed: %s", want.Program, key, flow.Reason)
		case filepath.Base(flow.App) != want.Program:
			t.Errorf("%s (%s) is given to %q", want.Program, key, flow.App)
		}
	}
	if len(seen) != len(truths) {
		t.Errorf("the report has flows of %d programs, want %d", len(seen), len(truths))
	}
	polled := slices.ContainsFunc(report.Degraded, func(s string) bool { return strings.HasPrefix(s, "owners are polled for") })
	if missed > 2 && !polled { // a look at a socket of a program that has only begun proves nothing
		t.Errorf("%d of %d programs are unattributed, want at most 2", missed, clients)
	}
}

// checkTotals holds the report's sums and its audit to their words.
func checkTotals(t *testing.T, report *reportJSON) {
	t.Helper()
	sum := report.Unattributed.bytes()
	for _, app := range report.Apps {
		sum += app.bytes()
	}
	if sum != report.Totals.bytes() {
		t.Errorf("apps and unattributed hold %d bytes, totals say %d", sum, report.Totals.bytes())
	}
	if len(report.Audit.Interfaces) != 1 {
		t.Fatalf("%d interfaces audited, want 1", len(report.Audit.Interfaces))
	}
	i := report.Audit.Interfaces[0]
	if got := report.Totals.bytes() + report.Undecoded.Bytes; got != i.CapturedBytes {
		t.Errorf("totals and undecoded hold %d bytes, captured were %d", got, i.CapturedBytes)
	}
	if i.ResidualBytes == nil || *i.ResidualBytes != 0 {
		t.Errorf("interface residual %v, want 0", i.ResidualBytes)
	}
	if f := report.Audit.Flows; f.Checked < clients/2 || f.Exact != f.Checked || report.Drops.Kernel != 0 {
		t.Errorf("audit %s: %+v, %d packets dropped; want %d TCP flows checked and all exact", report.Audit.Verdict, f, report.Drops.Kernel, clients/2)
	}
}

// checkAgainstTcpdump sums tcpdump's frames by the client's port with gopacket's decoder.
func checkAgainstTcpdump(t *testing.T, report *reportJSON, truths map[string]truth, file string) {
	t.Helper()
	if file == "" {
		return
	}
	want := dumpedBytes(t, file)
	got := map[string]uint64{}
	for _, flow := range report.Flows {
		got[flow.Proto+" "+flow.Local] += flow.bytes()
	}
	for _, key := range slices.Sorted(maps.Keys(truths)) {
		if got[key] != want[key] || got[key] == 0 {
			t.Errorf("%s: report has %d frame bytes, tcpdump %d", key, got[key], want[key])
		}
	}
}

func dumpedBytes(t *testing.T, file string) map[string]uint64 {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]uint64{}
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return sums
		}
		if err != nil {
			t.Fatal(err)
		}
		p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.NoCopy)
		if p.NetworkLayer() == nil || p.TransportLayer() == nil {
			continue
		}
		proto := strings.ToLower(p.TransportLayer().LayerType().String())
		for _, ends := range []struct{ addr, port gopacket.Endpoint }{
			{p.NetworkLayer().NetworkFlow().Src(), p.TransportLayer().TransportFlow().Src()},
			{p.NetworkLayer().NetworkFlow().Dst(), p.TransportLayer().TransportFlow().Dst()},
		} {
			addr, _ := netip.ParseAddr(ends.addr.String())
			sums[proto+" "+joinPort(addr, ends.port.String())] += uint64(info.Length)
		}
	}
}
