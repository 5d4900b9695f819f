package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"apptap/fixtures/netns"
	"apptap/pidmap"
)

// taker is one of the programs that have the port in turn. The name of its file makes it an app of its own.
type taker struct {
	name        string
	count, size int
}

// handOverReport is what a report says of them.
type handOverReport struct {
	Apps []struct {
		App       struct{ Path string }
		TxPayload uint64 `json:"tx_payload"`
		Missed    *stormMissed
	}
	Unattributed struct {
		TxPayload uint64 `json:"tx_payload"`
		Missed    *stormMissed
	}
	Degraded []string
}

// TestIntegrationHandOver has a UDP port go from one program to another and back while the capture loses packets: each has what was captured of
// it, and missed the rest. A replay says the same to the byte.
func TestIntegrationHandOver(t *testing.T) {
	watcher, _, err := pidmap.Open(pidmap.Config{})
	if err != nil || !watcher.Counts() {
		t.Skipf("kernel events do not count packets here (%v)", err)
	}
	watcher.Close()
	for _, how := range []string{"connected", "unconnected"} {
		t.Run(how+", lossy capture", func(t *testing.T) {
			h := newHandOver(t, how, "apptap-lossy")
			for _, p := range []taker{{"one", 200, 101}, {"two", 150, 211}, {"one", 100, 101}, {"three", 50, 307}} {
				h.runs(p)
			}
			h.check()
		})
		t.Run(how+", overrun", func(t *testing.T) {
			h := newHandOver(t, how, "apptap", "-B", "1")
			h.runs(taker{"one", 10, 101})
			h.run.Process.Signal(syscall.SIGSTOP)
			flood := append(bytes.Repeat([]byte{0xff}, 12), 0x88, 0xb5) // an EtherType for experiments: no flow
			h.here.Send(t, slices.Repeat([][]byte{append(flood, make([]byte, 1000)...)}, 3000)...)
			h.runs(taker{"two", 5, 211})
			h.run.Process.Signal(syscall.SIGCONT)
			h.runs(taker{"two", 5, 211})
			h.check()
		})
	}
}

type handOver struct {
	*testing.T
	here, there *netns.Namespace
	how         string
	run         *exec.Cmd
	wait        func()
	dir         string
	sent        map[string]uint64 // bytes of payload by program
	size        map[string]uint64
}

func newHandOver(t *testing.T, how, apptap string, flags ...string) *handOver {
	h := &handOver{T: t, how: how, dir: t.TempDir(), sent: map[string]uint64{}, size: map[string]uint64{}}
	h.here, h.there = netns.Pair(t)
	var sink net.PacketConn
	var err error
	h.there.Do(t, func() { sink, err = net.ListenPacket("udp4", netip.AddrPortFrom(h.there.IPv4, 9).String()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	args := []string{"capture", "-i", netns.Interface, "--format", "json", "--flows", "-o", h.file("live.json"), "-w", h.file("s.pcapng")}
	h.run = h.here.Command(t, apptap, append(args, flags...)...)
	h.run.Env = append(os.Environ(), "APPTAP_LOSE=40")
	h.wait = start(t, h.run, "capturing on ")
	return h
}

func (h *handOver) file(name string) string { return filepath.Join(h.dir, name) }

// runs has a program take the port, send, and end.
func (h *handOver) runs(p taker) {
	h.Helper()
	self, err := os.Executable()
	if err != nil {
		h.Fatal(err)
	}
	program := h.file(p.name)
	if _, err := os.Stat(program); err != nil {
		if err := copyFile(self, program); err != nil {
			h.Fatal(err)
		}
	}
	local, peer := netip.AddrPortFrom(h.here.IPv4, 4000), netip.AddrPortFrom(h.there.IPv4, 9)
	c := exec.CommandContext(h.Context(), program, local.String(), peer.String(), strconv.Itoa(p.count), strconv.Itoa(p.size), h.how)
	c.Args[0] = "taker"
	var out []byte
	h.here.Do(h.T, func() { out, err = c.CombinedOutput() })
	if err != nil {
		h.Fatalf("%s: %v: %s", p.name, err, out)
	}
	h.sent[program] += uint64(p.count * p.size)
	h.size[program] = uint64(p.size)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

func (h *handOver) check() {
	h.Helper()
	interrupt(h.T, h.run)
	h.wait()
	var r handOverReport
	readJSON(h.T, h.file("live.json"), &r)
	for _, app := range r.Apps {
		sent := h.sent[app.App.Path]
		delete(h.sent, app.App.Path)
		missed := uint64(0)
		if app.Missed != nil {
			missed = app.Missed.TxPayload
			if want := missed + (14+20+8)*app.Missed.TxPackets; app.Missed.TxBytes != want {
				h.Errorf("%s: missed %d bytes of frames, want %d", app.App.Path, app.Missed.TxBytes, want)
			}
		}
		if size := h.size[app.App.Path]; size == 0 || app.TxPayload+missed != sent || app.TxPayload%size != 0 {
			h.Errorf("%s: captured %d bytes and missed %d of %d, want all, and whole datagrams of %d", app.App.Path, app.TxPayload, missed, sent, size)
		}
	}
	if len(h.sent) > 0 || r.Unattributed.TxPayload > 0 || r.Unattributed.Missed != nil && r.Unattributed.Missed.TxPayload > 0 {
		h.Errorf("no app for %v; without an owner %+v; %q", h.sent, r.Unattributed, r.Degraded)
	}
	if out, err := exec.CommandContext(h.Context(), "apptap", "replay", "--format", "json", "--flows", "-o", h.file("replay.json"), h.file("s.pcapng")).CombinedOutput(); err != nil {
		h.Fatalf("replay: %v: %s", err, out)
	}
	var live, again map[string]json.RawMessage
	readJSON(h.T, h.file("live.json"), &live)
	readJSON(h.T, h.file("replay.json"), &again)
	for _, part := range []string{"totals", "apps", "unattributed", "audit", "flows"} {
		if !bytes.Equal(live[part], again[part]) {
			h.Errorf("%s live:\n%.3000s\nreplay:\n%.3000s", part, live[part], again[part])
		}
	}
}
