package pidmap

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"apptap/fixtures/netns"
	"apptap/flows"
)

const (
	stormNames  = 100
	stormAtOnce = 16
)

// stormModes are fixtures/storm's, in the order in which clients take them.
var stormModes = []string{"tcp", "udp", "exit", "tcp", "heir", "reuse", "exec", "udpc", "scm", "tcp", "split"}

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

// storm is the two namespaces and the programs.
type storm struct {
	a, b     *netns.Namespace
	programs string // directory of c00 ... and p00 ..., all the same program
	ports    map[string]int
	later    []func() // ends what was begun before the watching
}

func newStorm(t *testing.T) *storm {
	t.Helper()
	s := &storm{programs: t.TempDir(), ports: map[string]int{}}
	s.a, s.b = netns.Pair(t)
	program := filepath.Join(s.programs, "storm")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "../fixtures/storm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("the storm's program cannot be built here: %v: %s", err, out)
	}
	for i := range stormNames {
		for _, kind := range []string{"c", "p"} {
			if err := os.Link(program, filepath.Join(s.programs, fmt.Sprintf("%s%02d", kind, i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.serve(t, s.b.IPv4)
	if s.b.IPv6.IsValid() {
		s.serve(t, s.b.IPv6)
	}
	return s
}

// serve answers on TCP and UDP until the test ends.
func (s *storm) serve(t *testing.T, ip netip.Addr) {
	t.Helper()
	s.servePackets(t, ip)
	var listener net.Listener
	var err error
	s.b.Do(t, func() { listener, err = net.Listen("tcp", netip.AddrPortFrom(ip, 0).String()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s.ports["tcp"+ip.String()] = listener.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go s.answer(t, c)
		}
	}()
}

// servePackets answers a datagram by one of the size that its first four bytes say.
func (s *storm) servePackets(t *testing.T, ip netip.Addr) {
	t.Helper()
	var packets net.PacketConn
	var err error
	s.b.Do(t, func() { packets, err = net.ListenPacket("udp", netip.AddrPortFrom(ip, 0).String()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packets.Close() })
	s.ports["udp"+ip.String()] = packets.LocalAddr().(*net.UDPAddr).Port
	go func() {
		b := make([]byte, 2000)
		for {
			n, from, err := packets.ReadFrom(b)
			if err != nil {
				return
			}
			if n >= 4 {
				packets.WriteTo(make([]byte, binary.BigEndian.Uint32(b)%2000), from)
			}
		}
	}()
}

func (s *storm) answer(t *testing.T, c net.Conn) {
	defer c.Close()
	head := make([]byte, 8)
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	up, down := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
	if up > stormAsks {
		s.turn(t, up-stormAsks, netip.AddrPortFrom(mustAddrPort(t, c.RemoteAddr().String()).Addr().Unmap(), uint16(down)))
		c.Write([]byte{0})
		io.Copy(io.Discard, c)
		return
	}
	io.CopyN(io.Discard, c, int64(up)-8)
	c.Write(make([]byte, down))
	io.Copy(io.Discard, c)
}

// stormAsks is what a client sends for an amount to have the server turn to it, plus the number of the way.
const stormAsks = 0xffffff00

// turn calls a client, sends it a datagram, or sends one to its group.
func (s *storm) turn(t *testing.T, how uint32, to netip.AddrPort) {
	network, payload := "udp4", 500
	switch how {
	case 1:
		network, payload = "tcp4", 700
	case 3:
		to = netip.AddrPortFrom(netip.MustParseAddr("239.77.0.1"), to.Port())
	}
	var c net.Conn
	var err error
	s.b.Do(t, func() {
		from := net.Addr(&net.UDPAddr{IP: s.b.IPv4.AsSlice()})
		if how == 1 {
			from = nil
		}
		c, err = (&net.Dialer{LocalAddr: from}).Dial(network, to.String())
	})
	if err != nil {
		t.Errorf("turn to %v: %v", to, err)
		return
	}
	c.Write(make([]byte, payload))
	go func() {
		defer c.Close()
		if how == 1 {
			io.Copy(io.Discard, c)
		}
	}()
}

// run starts so many clients and returns what they say.
func (s *storm) run(t *testing.T, clients int) []stormTruth {
	t.Helper()
	numbers := make(chan int)
	var mu sync.Mutex
	var out bytes.Buffer
	var wg sync.WaitGroup
	for worker := range stormAtOnce {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range numbers {
				c := s.command(i, worker)
				var stdout, stderr bytes.Buffer
				c.Stdout, c.Stderr = &stdout, &stderr
				var err error
				s.a.Do(t, func() { err = c.Start() })
				if err == nil {
					err = c.Wait()
				}
				mu.Lock()
				out.Write(stdout.Bytes())
				mu.Unlock()
				if err != nil {
					t.Errorf("%v: %v: %s", c.Args, err, &stderr)
				}
			}
		}()
	}
	for i := range clients {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	return truthsIn(t, &out)
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

func (s *storm) command(i, worker int) *exec.Cmd {
	mode, ip := stormModes[i%len(stormModes)], s.b.IPv4
	if i/len(stormModes)%2 == 1 && s.b.IPv6.IsValid() {
		ip = s.b.IPv6
	}
	proto := "tcp"
	if strings.HasPrefix(mode, "udp") {
		proto = "udp"
	}
	number := func(n int) string { return strconv.Itoa(n) }
	program := func(kind string) string {
		return filepath.Join(s.programs, fmt.Sprintf("%s%02d", kind, i*7%stormNames))
	}
	args := []string{mode, ip.String(), number(s.ports[proto+ip.String()]), number(8 + i*37%30000), number(i * 53 % 60000)}
	switch mode {
	case "reuse":
		args = append(args, number(31000+worker))
	case "heir", "exec", "scm", "split":
		args = append(args, program("p"))
	}
	return exec.Command(program("c"), args...)
}

// historyOf runs the storm under a Watcher in its first namespace.
func historyOf(t *testing.T, s *storm, c Config, clients int) (*History, []stormTruth) {
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
func watchWhile(t *testing.T, s *storm, c Config, do func()) *History {
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
	do()
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

// TestIntegrationStorm finds every socket and every byte of a thousand short-lived programs with kernel events.
func TestIntegrationStorm(t *testing.T) {
	s := newStorm(t)
	clients := 1100
	if testing.Short() {
		clients = 220
	}
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
	for i := range truths {
		truth := &truths[i]
		key := truth.key(t)
		first, last := truth.First.UnixNano(), truth.Last.UnixNano()
		a := h.Owner(h.bareKey(key, truth), flows.InitiatorLocal, first, last)
		if got, ok := shareOf(a, truth.Program); !ok || a.Method != MethodEBPF {
			bad(truth, "owner", a)
		} else if moved := movedOn(h, key, truth, got); moved != (Moved{truth.Tx, truth.Rx}) {
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
			if u.process.Key == p.Key && u.process.Path == p.Path {
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
