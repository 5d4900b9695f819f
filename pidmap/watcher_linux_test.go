package pidmap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"apptap/flows"
)

// childEnv makes the test binary play a program with sockets: its value says which.
const childEnv = "APPTAP_PIDMAP_TEST_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" {
		if err := playChild(role); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// playChild opens sockets, prints "NAME LOCAL REMOTE" of each and an empty line, and ends when its standard input does.
func playChild(role string) error {
	if role != "idle" {
		for _, network := range strings.Split(role, ",") {
			name, local, remote, err := openSocket(network)
			if err != nil {
				return err
			}
			fmt.Println(name, local, remote)
		}
	}
	fmt.Println()
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// kept keeps the child's sockets from being collected.
var kept []any

func openSocket(network string) (name string, local, remote net.Addr, err error) {
	proto, loopback := "tcp", "127.0.0.1:0"
	if strings.HasPrefix(network, "udp") {
		proto = "udp"
	}
	if strings.Contains(network, "6") {
		loopback = "[::1]:0"
	}
	switch {
	case network == "udpdual":
		c, err := net.ListenPacket("udp", "[::]:0")
		if err != nil {
			return "", nil, nil, err
		}
		kept = append(kept, c)
		return network, c.LocalAddr(), c.LocalAddr(), nil
	case strings.HasSuffix(network, "bound"): // to the port before the word
		c, err := net.ListenPacket("udp4", "0.0.0.0:"+strings.TrimSuffix(network, "bound"))
		if err != nil {
			return "", nil, nil, err
		}
		kept = append(kept, c)
		return network, c.LocalAddr(), c.LocalAddr(), nil
	case proto == "udp":
		peer, err := net.ListenPacket("udp", loopback)
		if err != nil {
			return "", nil, nil, err
		}
		c, err := net.Dial("udp", peer.LocalAddr().String())
		if err != nil {
			return "", nil, nil, err
		}
		kept = append(kept, peer, c)
		return network, c.LocalAddr(), c.RemoteAddr(), nil
	}
	l, err := net.Listen("tcp", loopback)
	if err != nil {
		return "", nil, nil, err
	}
	kept = append(kept, l)
	if strings.HasSuffix(network, "listen") {
		return network, l.Addr(), l.Addr(), nil
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return "", nil, nil, err
	}
	kept = append(kept, c)
	return network, c.LocalAddr(), c.RemoteAddr(), nil
}

// child is a running child.
type child struct {
	process *os.Process
	stdin   *os.File
	sockets map[string][2]netip.AddrPort
}

func startChild(t *testing.T, role string, extra ...*os.File) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startProgram(t, exe, role, extra...)
}

func startProgram(t *testing.T, exe, role string, extra ...*os.File) *child {
	t.Helper()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer inR.Close()
	defer outW.Close()
	defer outR.Close()
	p, err := os.StartProcess(exe, []string{exe, "-played-by-test"}, &os.ProcAttr{
		Env: append(os.Environ(), childEnv+"="+role), Files: append([]*os.File{inR, outW, os.Stderr}, extra...),
	})
	if err != nil {
		t.Fatal(err)
	}
	outW.Close()
	c := &child{process: p, stdin: inW, sockets: map[string][2]netip.AddrPort{}}
	t.Cleanup(func() { c.end(t) })
	lines := bufio.NewScanner(outR)
	for lines.Scan() && lines.Text() != "" {
		fields := strings.Fields(lines.Text())
		c.sockets[fields[0]] = [2]netip.AddrPort{netip.MustParseAddrPort(fields[1]), netip.MustParseAddrPort(fields[2])}
	}
	return c
}

func (c *child) end(t *testing.T) {
	if c.stdin == nil {
		return
	}
	c.stdin.Close()
	c.stdin = nil
	if state, err := c.process.Wait(); err != nil || !state.Success() {
		t.Errorf("child: %v, %v", state, err)
	}
}

func openWatcher(t *testing.T) *Watcher {
	t.Helper()
	w, degraded, err := Open(Config{Polling: true})
	if err != nil {
		t.Skipf("no sockets to be seen here: %v", err)
	}
	t.Logf("degraded: %q", degraded)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func scanned(t *testing.T, w *Watcher, h *History) {
	t.Helper()
	events, err := w.Scan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		h.Add(asIfOld(e))
	}
}

// asIfOld makes programs that a test has only just started ones that were there before. Whether one look at a new program is enough is
// TestOwner's.
func asIfOld(e Event) Event {
	e.Holders = slices.Clone(e.Holders)
	for i := range e.Holders {
		e.Holders[i].StartTime = 0
	}
	e.Process.StartTime = 0
	return e
}

func TestIntegrationScan(t *testing.T) {
	w := openWatcher(t)
	c := startChild(t, "tcp4,tcp6,tcp4listen,udp4,udp6,0bound,udpdual")
	h := NewHistory(ReasonNoSocketSeen)
	scanned(t, w, h)
	now := time.Now().UnixNano()
	peer := netip.MustParseAddrPort("127.0.0.1:9")
	port := func(name, addr string) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr(addr), c.sockets[name][0].Port())
	}
	tests := []struct {
		name      string
		key       flows.Key
		initiator flows.Initiator
		want      Method
	}{
		{"tcp4", flows.MakeKey(flows.TCP, c.sockets["tcp4"][0], c.sockets["tcp4"][1]), flows.InitiatorLocal, MethodSockDiag},
		{"tcp6", flows.MakeKey(flows.TCP, c.sockets["tcp6"][0], c.sockets["tcp6"][1]), flows.InitiatorLocal, MethodSockDiag},
		{"udp4", flows.MakeKey(flows.UDP, c.sockets["udp4"][0], c.sockets["udp4"][1]), flows.InitiatorLocal, MethodSockDiag},
		{"udp6", flows.MakeKey(flows.UDP, c.sockets["udp6"][0], c.sockets["udp6"][1]), flows.InitiatorLocal, MethodSockDiag},
		{"listener", flows.MakeKey(flows.TCP, c.sockets["tcp4listen"][0], peer), flows.InitiatorRemote, MethodSockDiagListener},
		{"never accepted", flows.MakeKey(flows.TCP, c.sockets["tcp4"][1], c.sockets["tcp4"][0]), flows.InitiatorRemote, MethodSockDiagListener},
		{"bound", flows.MakeKey(flows.UDP, port("0bound", "127.0.0.1"), peer), flows.InitiatorLocal, MethodSockDiagBound},
		{"dual stack", flows.MakeKey(flows.UDP, port("udpdual", "127.0.0.1"), peer), flows.InitiatorRemote, MethodSockDiagBound},
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !h.Knows(tt.key) {
				t.Errorf("%v: not known", tt.key)
			}
			got := h.Owner(tt.key, tt.initiator, now-1, now)
			if got.Process.Key.PID != int32(c.process.Pid) || got.Method != tt.want {
				t.Errorf("%v: pid %d by %q (%s), want %d by %q", tt.key, got.Process.Key.PID, got.Method, got.Reason, c.process.Pid, tt.want)
			}
			if got.App.ID != exe || !slices.Contains(got.Process.Cmdline, "-played-by-test") || got.Process.User == "" {
				t.Errorf("%v: app %q, command line %q, user %q", tt.key, got.App.ID, got.Process.Cmdline, got.Process.User)
			}
		})
	}
	c.end(t)
	scanned(t, w, h)
	for _, tt := range tests[2:4] { // UDP sockets end with their process
		if h.Knows(tt.key) {
			t.Errorf("%s: still known after its end", tt.name)
		}
		if got := h.Owner(tt.key, tt.initiator, now-1, now); got.Process.Key.PID != int32(c.process.Pid) {
			t.Errorf("%s: after its end pid %d (%s), want %d", tt.name, got.Process.Key.PID, got.Reason, c.process.Pid)
		}
	}
}

// A socket that a child inherits has two holders of one app: the child is the process.
func TestIntegrationInherited(t *testing.T) {
	w := openWatcher(t)
	conn, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	f, err := conn.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := startChild(t, "idle", f)
	h := NewHistory(ReasonNoSocketSeen)
	scanned(t, w, h)
	key := flows.MakeKey(flows.UDP, netip.MustParseAddrPort(conn.LocalAddr().String()), netip.MustParseAddrPort(conn.RemoteAddr().String()))
	now := time.Now().UnixNano()
	if got := h.Owner(key, flows.InitiatorLocal, now-1, now); got.Process.Key.PID != int32(c.process.Pid) {
		t.Errorf("pid %d (%s), want the child's %d", got.Process.Key.PID, got.Reason, c.process.Pid)
	}
	var held []Process
	for _, l := range h.connected[key] {
		held = append(held, l.sightings[0].holders...)
	}
	if len(held) != 2 || !slices.ContainsFunc(held, func(p Process) bool { return p.Key.PID == int32(os.Getpid()) }) {
		t.Errorf("holders %+v, want this process and the child", held)
	}
}

// A port that one program leaves and another takes within a flow: either may have moved any of it.
func TestIntegrationPortChangesHands(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, program, 0o700); err != nil {
		t.Fatal(err)
	}
	w := openWatcher(t)
	h := NewHistory(ReasonNoSocketSeen)
	scanned(t, w, h)
	first := time.Now().UnixNano()
	alpha := startChild(t, "0bound")
	scanned(t, w, h)
	local := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), alpha.sockets["0bound"][0].Port())
	whileAlpha := time.Now().UnixNano()
	alpha.end(t)
	role := fmt.Sprintf("%dbound", local.Port())
	beta := startProgram(t, other, role)
	last := time.Now().UnixNano()
	scanned(t, w, h)

	key := flows.MakeKey(flows.UDP, local, netip.MustParseAddrPort("127.0.0.1:9"))
	got := h.Owner(key, flows.InitiatorLocal, first, last)
	var pids []int
	for _, p := range got.Candidates {
		pids = append(pids, int(p.Key.PID))
	}
	if want := []int{alpha.process.Pid, beta.process.Pid}; got.Reason != ReasonAmbiguous || !slices.Contains(pids, want[0]) || !slices.Contains(pids, want[1]) {
		t.Errorf("flow of both: pid %d (%s), candidates %d; want ambiguous, %d", got.Process.Key.PID, got.Reason, pids, want)
	}
	now := time.Now().UnixNano()
	if got := h.Owner(key, flows.InitiatorLocal, now-1, now); got.Process.Key.PID != int32(beta.process.Pid) {
		t.Errorf("flow of the second: pid %d (%s), want %d", got.Process.Key.PID, got.Reason, beta.process.Pid)
	}
	if got := h.Owner(key, flows.InitiatorLocal, whileAlpha-1, whileAlpha); got.Process.Key.PID != int32(alpha.process.Pid) && got.Reason != ReasonAmbiguous {
		t.Errorf("flow of the first: pid %d (%s), want %d or ambiguous", got.Process.Key.PID, got.Reason, alpha.process.Pid)
	}
}

// runWatcher runs w until the test ends and returns what it emits.
func runWatcher(t *testing.T, w *Watcher) <-chan []Event {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	events, done := make(chan []Event, 1000), make(chan error, 1)
	go func() { done <- w.Run(ctx, func(e []Event) { events <- e }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v, want context.Canceled", err)
		}
	})
	return events
}

// A program that is gone when the report is made still has its path.
func TestIntegrationShortLived(t *testing.T) {
	w := openWatcher(t)
	if w.connector == nil {
		t.Skip("no proc connector here")
	}
	events := runWatcher(t, w)
	h := NewHistory(ReasonNoSocketSeen)
	var seen int64 // when the newest socket was
	add := func(batch []Event) {
		for _, e := range batch {
			h.Add(asIfOld(e))
			seen = max(seen, e.Time)
		}
	}
	add(<-events) // the scan at the start: what comes now is news
	c := startChild(t, "udp4")
	key := flows.MakeKey(flows.UDP, c.sockets["udp4"][0], c.sockets["udp4"][1])
	for !h.Knows(key) { // a look between fork and exec finds the child with sockets of this test
		add(<-events)
	}
	c.end(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	got := h.Owner(key, flows.InitiatorLocal, seen, seen)
	if got.Process.Key.PID != int32(c.process.Pid) || got.Process.Path != exe {
		t.Errorf("pid %d, path %q (%s); want %d, %q", got.Process.Key.PID, got.Process.Path, got.Reason, c.process.Pid, exe)
	}
	for h.Knows(key) {
		add(<-events)
	}
}

// Wake finds a socket of a process that has run for long.
func TestIntegrationWake(t *testing.T) {
	w := openWatcher(t)
	events := runWatcher(t, w)
	<-events
	conn, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w.Wake()
	h := NewHistory(ReasonNoSocketSeen)
	key := flows.MakeKey(flows.UDP, netip.MustParseAddrPort(conn.LocalAddr().String()), netip.MustParseAddrPort(conn.RemoteAddr().String()))
	for !h.Knows(key) {
		for _, e := range <-events {
			h.Add(asIfOld(e))
		}
	}
	now := time.Now().UnixNano()
	if got := h.Owner(key, flows.InitiatorLocal, now-1, now); got.Process.Key.PID != int32(os.Getpid()) {
		t.Errorf("pid %d (%s), want %d", got.Process.Key.PID, got.Reason, os.Getpid())
	}
	if s := w.Scans(); s.Scans < 2 || s.FullScans < 2 || s.Processes == 0 {
		t.Errorf("stats %+v, want at least 2 scans of some processes", s)
	}
}

// In another network namespace the connector either works through process 1's or says that it is mute; it never
// leaves the thread in another namespace.
func TestIntegrationConnectorInNamespace(t *testing.T) {
	type outcome struct {
		before, after string
		err, fatal    error
	}
	result := make(chan outcome)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its namespace too
		var o outcome
		defer func() { result <- o }()
		if o.fatal = unix.Unshare(unix.CLONE_NEWNET); o.fatal != nil {
			return
		}
		o.before, _ = os.Readlink("/proc/thread-self/ns/net")
		c, err := openConnector(defaultRoot)
		o.after, _ = os.Readlink("/proc/thread-self/ns/net")
		if o.err = err; err == nil {
			o.err = c.close()
		}
	}()
	o := <-result
	if o.fatal != nil {
		t.Skipf("no network namespace to be had: %v", o.fatal)
	}
	if o.err != nil && !errors.Is(o.err, errNoAnswer) {
		t.Errorf("error %v, want errNoAnswer or none", o.err)
	}
	if o.before == "" || o.before != o.after {
		t.Errorf("thread went from namespace %q to %q", o.before, o.after)
	}
}

func TestProbe(t *testing.T) {
	for _, check := range Probe() {
		t.Logf("%+v", check)
		if check.Name == "" || check.Detail == "" || check.OK != (check.Mend == "") {
			t.Errorf("%+v: want a name, a detail, and a mend if and only if it does not work", check)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	w, _, err := Open(Config{})
	if err != nil {
		b.Skip(err)
	}
	defer w.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Scan(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
