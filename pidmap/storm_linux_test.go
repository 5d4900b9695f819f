package pidmap

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"apptap/fixtures/netns"
	"apptap/fixtures/storm"
	"apptap/flows"
)

// stormTruth is what a program of the storm says it did.
type stormTruth struct {
	Mode, Program, Proto, Local, Remote string
	PID                                 int32
	Tx, Rx                              uint64
	Remotes                             bool
	First, Last                         time.Time
}

func (s *stormTruth) key(t *testing.T) flows.Key {
	t.Helper()
	proto := flows.TCP
	if s.Proto == "udp" {
		proto = flows.UDP
	}
	local, remote := mustAddrPort(t, s.Local), mustAddrPort(t, s.Remote)
	return flows.MakeKey(proto, local, remote)
}

func mustAddrPort(t *testing.T, s string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// stormScene is the two namespaces, the programs and the server.
type stormScene struct {
	storm.Storm
	a, b  *netns.Namespace
	later []func() // ends what was begun before the watching
}

func newStorm(t *testing.T) *stormScene {
	t.Helper()
	s := &stormScene{}
	s.a, s.b = netns.Pair(t)
	s.Storm = storm.Storm{Programs: t.TempDir(), Servers: []netip.Addr{s.b.IPv4}, Ports: map[string]int{},
		Here: func(do func()) { s.a.Do(t, do) }, There: func(do func()) { s.b.Do(t, do) }, Failed: func(err error) { t.Error(err) }}
	t.Cleanup(s.Close)
	if err := storm.Build(s.Programs); err != nil {
		t.Skip(err)
	}
	if s.b.IPv6.IsValid() {
		s.Servers = append(s.Servers, s.b.IPv6)
	}
	for _, ip := range s.Servers {
		if err := s.Serve(ip); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// run starts so many clients and returns what they say.
func (s *stormScene) run(t *testing.T, clients int) []stormTruth {
	t.Helper()
	out, err := s.Run(clients)
	if err != nil {
		t.Error(err)
	}
	return truthsIn(t, bytes.NewReader(out))
}

// truthsIn reads what programs wrote.
func truthsIn(t *testing.T, out io.Reader) (all []stormTruth) {
	t.Helper()
	for decoder := json.NewDecoder(out); ; {
		var truth stormTruth
		if err := decoder.Decode(&truth); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, truth)
	}
}

// historyOf runs the storm under a Watcher in its first namespace.
func historyOf(t *testing.T, s *stormScene, c Config, clients int) (*History, []stormTruth) {
	t.Helper()
	var truths []stormTruth
	h := watchWhile(t, s, c, func() {
		began := time.Now()
		truths = s.run(t, clients)
		t.Logf("%d clients in %v", clients, time.Since(began).Round(time.Millisecond))
	})
	return h, truths
}

// watchWhile is what a Watcher in the storm's first namespace tells while do runs.
func watchWhile(t *testing.T, s *stormScene, c Config, do func()) *History {
	t.Helper()
	t.Helper()
	var w *Watcher
	var degraded []string
	var err error
	s.a.Do(t, func() { w, degraded, err = Open(c) })
	if err != nil {
		t.Skipf("no sockets to be seen here: %v", err)
	}
	t.Logf("degraded: %q", degraded)
	if !c.Polling && w.trace == nil {
		w.Close()
		t.Skip("no eBPF here")
	}
	h := NewHistory(ReasonNoSocketSeen)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- w.Run(ctx, func(events []Event) {
			for _, e := range events {
				h.Add(e)
			}
		})
	}()
	rest := func() {}
	if c.Polling {
		rest = lookOften(w)
	}
	do()
	rest()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v, want the context's error", err)
	}
	last, err := w.Scan(t.Context())
	if err != nil {
		t.Error(err)
	}
	for _, e := range last {
		h.Add(e)
	}
	if lost := w.Scans().Lost; lost != 0 && !c.Polling {
		t.Errorf("lost %d events", lost)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	return h
}

// lookOften wakes a Watcher every millisecond until rest is called: each look may find a socket in the hands of somebody who has
// nothing to do with its bytes.
func lookOften(w *Watcher) (rest func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		often := time.NewTicker(time.Millisecond)
		defer often.Stop()
		for {
			select {
			case <-stop:
				return
			case <-often.C:
				w.Wake()
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

// TestIntegrationStorm finds every socket and every byte of a thousand short-lived programs with kernel events, and tcpdump the same
// bytes.
func TestIntegrationStorm(t *testing.T) {
	s := newStorm(t)
	clients := 1100
	if testing.Short() {
		clients = 220
	}
	s.check(t, clients)
}

// TestIntegrationStormLoss does so while every fiftieth packet is lost on the way, in both directions.
func TestIntegrationStormLoss(t *testing.T) {
	s := newStorm(t)
	lose(t, s.b)
	s.check(t, 220)
}

// check holds what the kernel's events say of so many clients against what these say, and that against the wire.
func (s *stormScene) check(t *testing.T, clients int) {
	t.Helper()
	w := listen(t, s.a, "veth0")
	h, truths := historyOf(t, s, Config{}, clients)
	if len(truths) < clients {
		t.Fatalf("%d truths of %d clients", len(truths), clients)
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	wrong := map[string]int{}
	bad := func(truth *stormTruth, what string, a Attribution) {
		if wrong[truth.Mode+what]++; wrong[truth.Mode+what] <= 3 {
			t.Errorf("%s: %s: got %q %s%s (%d shares), truth %+v", truth.Mode, what, a.Process.Path, a.Method, a.Reason, len(a.Shares), *truth)
		}
	}
	told := map[flows.Key]Moved{}
	for i := range truths {
		truth := &truths[i]
		key := h.bareKey(truth.key(t), truth)
		told[key] = Moved{told[key].Tx + truth.Tx, told[key].Rx + truth.Rx}
		first, last := truth.First.UnixNano(), truth.Last.UnixNano()
		a := h.Owner(key, flows.InitiatorLocal, first, last)
		if got, ok := shareOf(a, truth.Program); !ok || a.Method != MethodEBPF {
			bad(truth, "owner", a)
		} else if moved := movedOn(h, truth.key(t), truth, got); moved != (Moved{truth.Tx, truth.Rx}) {
			bad(truth, fmt.Sprintf("bytes %+v", moved), a)
		}
		if a.Known() && truth.Mode == "heir" && len(a.Process.Cmdline) < 6 {
			bad(truth, fmt.Sprintf("command line %q", a.Process.Cmdline), a)
		}
		if strings.HasPrefix(truth.Mode, "udp") {
			continue // its socket is bound to no address in particular
		}
		if peer := h.Owner(key.Reverse(), flows.InitiatorRemote, first, last); peer.Process.Path != self || !peer.Foreign {
			bad(truth, "far end", peer)
		}
	}
	s.checkWire(t, w, truths, h, told)
}

// checkWire wants of tcpdump what the programs say.
func (s *stormScene) checkWire(t *testing.T, w *wire, truths []stormTruth, h *History, told map[flows.Key]Moved) {
	t.Helper()
	streams := w.streams(t, func(a netip.Addr) bool { return a == s.a.IPv4 || a == s.a.IPv6 })
	unread := map[flows.Key]bool{} // an answer comes, and nobody is there any more
	for i := range truths {
		if truths[i].Mode == "exit" {
			unread[truths[i].key(t)] = true
		}
	}
	wrong := 0
	for i := range truths {
		truth := &truths[i]
		key := h.bareKey(truth.key(t), truth)
		saw := streams[key]
		if unread[key] {
			saw.Rx = told[key].Rx
		}
		if saw != told[key] {
			if wrong++; wrong <= 3 {
				t.Errorf("tcpdump saw %+v, the programs say %+v, such as %+v", saw, told[key], *truth)
			}
		}
	}
}

// bareKey completes the truth of a UDP socket that is bound to no address.
func (h *History) bareKey(key flows.Key, truth *stormTruth) flows.Key {
	if truth.Mode != "udp" {
		return key
	}
	for k := range h.connected {
		if k.Proto == key.Proto && k.Local.Port == key.Local.Port && k.Remote == key.Remote {
			return k
		}
	}
	return key
}

func shareOf(a Attribution, program string) (Process, bool) {
	if a.Process.Path == program {
		return a.Process, true
	}
	for _, s := range a.Shares {
		if s.Process.Path == program {
			return s.Process, true
		}
	}
	return Process{}, false
}

// movedOn is what the history has of one program's bytes on one socket.
func movedOn(h *History, key flows.Key, truth *stormTruth, p Process) (m Moved) {
	for _, socket := range h.traced {
		for _, u := range socket.users {
			if u.program.Key == p.Key && u.program.Path == p.Path {
				for _, l := range socket.lives {
					if l.socket.Key == key || key.Proto == flows.UDP && l.socket.Key.Proto == key.Proto && l.socket.Key.Local.Port == key.Local.Port {
						m.Tx, m.Rx = m.Tx+u.moved.Tx, m.Rx+u.moved.Rx
						break
					}
				}
			}
		}
	}
	return m
}

// TestIntegrationStormPolled gives no socket of a storm to a wrong program without kernel events.
func TestIntegrationStormPolled(t *testing.T) {
	s := newStorm(t)
	h, truths := historyOf(t, s, Config{Polling: true}, 220)
	right, unknown := 0, 0
	for i := range truths {
		truth := &truths[i]
		a := h.Owner(truth.key(t), flows.InitiatorLocal, truth.First.UnixNano(), truth.Last.UnixNano())
		_, ok := shareOf(a, truth.Program)
		switch {
		case ok:
			right++
		case !a.Known():
			unknown++
		default:
			t.Errorf("%s: given to %q by %s, truth %+v", truth.Mode, a.Process.Path, a.Method, *truth)
		}
	}
	t.Logf("%d right, %d unknown of %d", right, unknown, len(truths))
}
