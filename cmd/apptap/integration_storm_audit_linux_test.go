package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures/netns"
	"apptap/fixtures/storm"
)

const stormClients = 1000

// auditedStorm is a storm and what its programs said.
type auditedStorm struct {
	*testing.T
	*storm.Storm
	here, there *netns.Namespace
	said        []byte
}

func newAuditedStorm(t *testing.T) *auditedStorm {
	t.Helper()
	s := &auditedStorm{T: t}
	s.here, s.there = netns.Pair(t)
	s.Storm = openStorm(t, s.here, s.there)
	s.ByMode = true
	return s
}

// run starts all clients; ended is told how many have ended.
func (s *auditedStorm) run(ended func(clients int64)) {
	var clients atomic.Int64
	s.Ended = func() { ended(clients.Add(1)) }
	var err error
	if s.said, err = s.Storm.Run(stormClients); err != nil {
		s.Error(err)
	}
}

// TestIntegrationStormAudit captures a storm of short-lived programs and demands that every byte the kernel counted is captured,
// or named with its cause, and that what was captured and what was missed come to what the programs moved, to the byte.
func TestIntegrationStormAudit(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap")
	}
	t.Run("lossy capture", func(t *testing.T) { // beside one that loses nothing, offloads off
		s := newAuditedStorm(t)
		for _, n := range []*netns.Namespace{s.here, s.there} {
			if out, err := n.Command(t, "ethtool", "-K", netns.Interface, "tso", "off", "gso", "off", "gro", "off").CombinedOutput(); err != nil {
				t.Logf("offloads stay on: %v: %s", err, out)
			}
		}
		whole, lossy := s.capture("apptap", "--strict"), s.capture("apptap-lossy", "-w", filepath.Join(s.Programs, "lossy.pcapng"))
		counting, summed := s.capture("apptap", "--count-only"), s.capture("apptap", "--count-only", "--flows=false")
		s.run(func(int64) {})
		whole.check(0)
		lossy.check(1)
		lossy.checkReplay(filepath.Join(s.Programs, "lossy.pcapng"))
		counting.countedLike(whole)
		summed.countedLike(whole)
	})
	t.Run("lossy network", func(t *testing.T) {
		s := newAuditedStorm(t)
		s.there.Lossy(t, 20)
		c := s.capture("apptap")
		s.run(func(int64) {})
		c.check(0)
	})
	t.Run("overrun", func(t *testing.T) {
		s := newAuditedStorm(t)
		c := s.capture("apptap", "-B", "1")
		s.run(func(clients int64) { // it is stopped for a while, and then finds its ring full
			switch clients {
			case stormClients / 4:
				c.run.Process.Signal(syscall.SIGSTOP)
			case stormClients / 2:
				c.run.Process.Signal(syscall.SIGCONT)
			}
		})
		c.check(1)
	})
}

// stormCapture is a capture of the storm.
type stormCapture struct {
	*auditedStorm
	run  *exec.Cmd
	file string
	wait func()
}

func (s *auditedStorm) capture(name string, flags ...string) *stormCapture {
	c := &stormCapture{auditedStorm: s, file: filepath.Join(s.TempDir(), "report.json")}
	c.run = s.here.Command(s.T, name, append([]string{"capture", "-i", netns.Interface, "--format", "json", "--flows", "-o", c.file}, flags...)...)
	c.run.Env = append(os.Environ(), "APPTAP_LOSE=20")
	c.wait = start(s.T, c.run, "ing on ") // capturing or counting
	return c
}

// checkReplay demands that a replay of what was recorded books what the capture lost as the capture did.
func (c *stormCapture) checkReplay(session string) {
	c.Helper()
	file := filepath.Join(c.TempDir(), "replay.json")
	if out, err := exec.CommandContext(c.Context(), "apptap", "replay", "--format", "json", "--flows", "-o", file, session).CombinedOutput(); err != nil {
		c.Fatalf("replay: %v: %s", err, out)
	}
	var live, again stormReport
	readJSON(c.T, c.file, &live)
	readJSON(c.T, file, &again)
	if diff := cmp.Diff(live, again); diff != "" {
		c.Errorf("replay (-live +replay):\n%.3000s", diff)
	}
}

// stormReport is the part of a report that adds up.
type stormReport struct {
	Apps []struct {
		App    struct{ ID, Path string }
		Missed *stormMissed
	}
	Unattributed struct{ TxPayload, RxPayload uint64 }
	Audit        struct {
		Flows       struct{ Unexplained, Unavailable int }
		Unexplained uint64 `json:"unexplained_bytes"`
		Explained   map[string]uint64
		Interfaces  []struct {
			Residual  *int64 `json:"residual_bytes"`
			Explained map[string]uint64
		}
		Ledger struct {
			Missed   uint64
			Residual *int64 `json:"residual_bytes"`
		}
	}
	Degraded []string
	Flows    []auditedFlow
}

type stormMissed struct {
	TxPayload uint64 `json:"tx_payload"`
	RxPayload uint64 `json:"rx_payload"`
	TxStream  uint64 `json:"tx_stream"`
	RxStream  uint64 `json:"rx_stream"`
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
}

type auditedFlow struct {
	Proto, Local, Remote, App, Unavailable string
	TxPayload                              uint64 `json:"tx_payload"`
	RxPayload                              uint64 `json:"rx_payload"`
	TxStream                               uint64 `json:"tx_stream"`
	RxStream                               uint64 `json:"rx_stream"`
	Kernel                                 *struct {
		Verdict string
		Causes  []struct{ Name string }
		Wire    *struct {
			TxPayload uint64 `json:"tx_payload"`
			RxPayload uint64 `json:"rx_payload"`
		}
	}
}

// check ends the capture and holds its report against what the programs said. It must have lost something, or nothing.
func (c *stormCapture) check(loses int) {
	c.Helper()
	interrupt(c.T, c.run)
	c.wait()
	var r stormReport
	readJSON(c.T, c.file, &r)
	for _, d := range r.Degraded {
		if strings.HasPrefix(d, "owners are polled for") {
			c.Skipf("no kernel events here: %q", r.Degraded)
		}
	}
	a := &r.Audit
	if a.Unexplained != 0 || a.Flows.Unexplained != 0 || a.Flows.Unavailable != 0 {
		c.Errorf("%d bytes unexplained, in %d flows; %d flows not compared; %q", a.Unexplained, a.Flows.Unexplained, a.Flows.Unavailable, r.Degraded)
		c.worst(&r)
	}
	if len(a.Interfaces) != 1 || a.Interfaces[0].Residual == nil || *a.Interfaces[0].Residual != 0 || a.Ledger.Residual == nil || *a.Ledger.Residual != 0 {
		c.Errorf("interfaces %+v, ledger %+v, want one without a residual", a.Interfaces, a.Ledger)
	}
	if dropped := a.Interfaces[0].Explained["capture_drop"]; (dropped > 0) != (loses > 0) || a.Ledger.Missed > dropped || (a.Ledger.Missed > 0) != (loses > 0) {
		c.Errorf("%d bytes dropped, %d of them found, want some: %t", dropped, a.Ledger.Missed, loses > 0)
	}
	c.compare(&r)
}

// worst logs some of the flows that do not add up.
func (c *stormCapture) worst(r *stormReport) {
	n := 0
	for _, f := range r.Flows {
		if f.Kernel == nil || f.Kernel.Verdict == "unexplained" {
			if n++; n <= 5 {
				c.Logf("%+v %+v", f, f.Kernel)
			}
		}
	}
}

// compare sums by mode what was captured and what was missed, and what the programs say.
func (c *stormCapture) compare(r *stormReport) {
	got, want := map[string]*[2]uint64{}, map[string]*[2]uint64{}
	at := func(m map[string]*[2]uint64, mode string) *[2]uint64 {
		if m[mode] == nil {
			m[mode] = &[2]uint64{}
		}
		return m[mode]
	}
	mode := func(app string) string {
		return strings.TrimLeft(filepath.Base(app), "cp")
	}
	for _, f := range r.Flows {
		sum := at(got, mode(f.App))
		if f.Proto == "udp" {
			sum[0], sum[1] = sum[0]+f.TxPayload, sum[1]+f.RxPayload
			continue
		}
		sum[0], sum[1] = sum[0]+f.TxStream, sum[1]+f.RxStream
		if k := f.Kernel; k != nil && k.Verdict == "exact" && k.Wire != nil && (k.Wire.TxPayload != f.TxPayload || k.Wire.RxPayload != f.RxPayload) {
			c.Errorf("%s: exact, and its packets had %+v of payload, of which %d and %d were captured", f.Local, *k.Wire, f.TxPayload, f.RxPayload)
		}
	}
	for _, app := range r.Apps {
		m, sum := app.Missed, at(got, mode(app.App.ID))
		switch {
		case m == nil:
		case strings.HasPrefix(mode(app.App.ID), "udp"):
			sum[0], sum[1] = sum[0]+m.TxPayload, sum[1]+m.RxPayload
		default:
			sum[0], sum[1] = sum[0]+m.TxStream, sum[1]+m.RxStream
		}
	}
	for decoder := json.NewDecoder(bytes.NewReader(c.said)); decoder.More(); {
		var truth stormClient
		if err := decoder.Decode(&truth); err != nil {
			c.Fatal(err)
		}
		sum := at(want, strings.TrimPrefix(truth.Mode, "-"))
		sum[0], sum[1] = sum[0]+truth.Tx, sum[1]+truth.Rx
	}
	for mode, want := range want {
		got := at(got, mode)
		if got[0] != want[0] || got[1] != want[1] && mode != "exit" { // which never reads
			c.Errorf("%s: captured and missed %d bytes out and %d in, the programs say %d and %d", mode, got[0], got[1], want[0], want[1])
		}
	}
	if len(want) < 8 {
		c.Errorf("only %d modes told what they did", len(want))
	}
}

// countedApps are the apps of a report with what they moved, and what its interface had beside.
type countedApps struct {
	Apps []struct {
		App struct{ ID string }
		counters
	}
	Audit struct {
		Interfaces []struct {
			Residual  *int64 `json:"residual_bytes"`
			Explained map[string]uint64
		}
	}
}

// countedLike ends a run that only counts, and holds it against a capture: the same payload for each app, and as many frame
// bytes, but for the packets of connections whose socket is gone.
func (c *stormCapture) countedLike(whole *stormCapture) {
	c.Helper()
	interrupt(c.T, c.run)
	c.wait()
	var got, want countedApps
	readJSON(c.T, c.file, &got)
	readJSON(c.T, whole.file, &want)
	counted := map[string]counters{}
	for _, app := range got.Apps {
		counted[app.App.ID] = app.counters
	}
	var missing uint64
	for _, app := range want.Apps {
		g := counted[app.App.ID]
		same := g.TxPayload == app.TxPayload && g.RxPayload == app.RxPayload
		if filepath.Base(app.App.ID) == "cexit" { // is sent what it is not there for any more
			same = g.TxPayload == app.TxPayload && g.RxPayload <= app.RxPayload
		}
		if !same || g.bytes() > app.bytes() {
			c.Errorf("%s: counted %+v, captured %+v", app.App.ID, g, app.counters)
		}
		missing += app.bytes() - g.bytes()
	}
	if i := got.Audit.Interfaces; len(i) != 1 || i[0].Residual == nil || *i[0].Residual != 0 || i[0].Explained["no_socket"] < missing || missing == 0 {
		c.Errorf("interfaces %+v, want one without a residual and at least the %d bytes of packets without a socket", i, missing)
	}
}
