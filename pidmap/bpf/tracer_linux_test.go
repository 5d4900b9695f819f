//go:build amd64 || arm64

package bpf

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"apptap/fixtures/netns"
)

// open skips the test where the kernel takes no programs.
func open(t *testing.T) *Tracer {
	t.Helper()
	tracer, report, err := Open()
	if err != nil {
		if os.Geteuid() == 0 && !errors.Is(err, os.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatalf("%v (%+v)", err, report)
		}
		t.Skipf("no eBPF here: %v", err)
	}
	t.Cleanup(func() { tracer.Close() })
	for _, m := range report.Missing {
		t.Logf("not traced: %s: %v", m.Program, m.Err)
	}
	return tracer
}

// record runs f and returns what was told meanwhile.
func record(t *testing.T, tracer *Tracer, f func()) []Event {
	t.Helper()
	f()
	all, err := tracer.Poll()
	if err != nil {
		t.Fatal(err)
	}
	if c := tracer.Counters(); c != (Counters{}) {
		t.Errorf("lost %+v, want nothing", c)
	}
	return all
}

// TestIntegrationTCP exchanges 1000 bytes against 10 and finds both sockets with their bytes, times in order.
func TestIntegrationTCP(t *testing.T) {
	tracer := open(t)
	var client string
	events := record(t, tracer, func() { client = exchange(t) })
	of := func(kind Kind, local bool) []Event {
		return slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
			addr := e.Socket.Remote
			if local {
				addr = e.Socket.Local
			}
			return e.Kind != kind || addr.String() != client
		})
	}
	for _, local := range []bool{true, false} {
		opened, used, closed := of(SocketOpened, local), of(SocketUsed, local), of(SocketClosed, local)
		if len(opened) != 1 || len(used) != 1 || len(closed) != 1 {
			t.Fatalf("local %v: got %d opened, %d used, %d closed, want one each: %+v", local, len(opened), len(used), len(closed), events)
		}
		if got := used[0].Process; int(got.PID) != os.Getpid() || got.Name == "" || got.Start == 0 || got.Kernel {
			t.Errorf("local %v: user %+v, want this process", local, got)
		}
		end := closed[0].Socket
		tx, rx := uint64(1000), uint64(10)
		if !local {
			tx, rx = rx, tx
		}
		if end.Tx != tx || end.Rx != rx || end.Sent != tx || end.Received-fin(end) != rx || !end.Counted {
			t.Errorf("local %v: got %+v, want %d sent and %d received", local, end, tx, rx)
		}
		if end.Accepted == local || end.Kernel || end.Shared || end.Cookie != opened[0].Socket.Cookie {
			t.Errorf("local %v: got %+v, opened as %+v", local, end, opened[0].Socket)
		}
		if opened[0].Time > used[0].Time || used[0].Time > closed[0].Time || opened[0].Socket.Created > opened[0].Time {
			t.Errorf("local %v: times %d, %d, %d, created %d", local, opened[0].Time, used[0].Time, closed[0].Time, opened[0].Socket.Created)
		}
	}
}

func fin(s Socket) uint64 {
	if s.FinTaken {
		return 1
	}
	return 0
}

// TestIntegrationUDP sends a datagram from a socket without a peer and finds the tuple that it had.
func TestIntegrationUDP(t *testing.T) {
	tracer := open(t)
	var from, to net.Addr
	events := record(t, tracer, func() {
		a, err := net.ListenPacket("udp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		b, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		from, to = a.LocalAddr(), b.LocalAddr()
		a.WriteTo(make([]byte, 77), to)
		b.ReadFrom(make([]byte, 100))
		a.Close()
		b.Close()
	})
	found := map[Kind]Event{}
	for _, e := range events {
		if e.Socket.Proto == 17 && int(e.Socket.Local.Port()) == from.(*net.UDPAddr).Port {
			found[e.Kind] = e
		}
	}
	if got := found[SocketPeer].Socket; got.Remote.String() != to.String() || got.Local.Addr().String() != "127.0.0.1" {
		t.Errorf("peer: got %v -> %v, want 127.0.0.1 -> %v", got.Local, got.Remote, to)
	}
	if got := found[SocketClosed]; got.Socket.Tx != 77 || int(got.Process.PID) != os.Getpid() || !got.Socket.DualStack {
		t.Errorf("closed: got %+v, want 77 bytes of this process on a dual-stack socket", got)
	}
}

// TestIntegrationPeerElsewhere sends one datagram from a socket without a peer in another network namespace, and finds that the
// peer is told of as one of that namespace, whose addresses say nothing of this host's.
func TestIntegrationPeerElsewhere(t *testing.T) {
	there, other := netns.Pair(t)
	tracer := open(t)
	var inode uint64
	var from *net.UDPAddr
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(other.IPv4, 9))
	events := record(t, tracer, func() {
		there.Do(t, func() {
			var stat unix.Stat_t
			if err := unix.Stat("/proc/thread-self/ns/net", &stat); err != nil {
				t.Fatal(err)
			}
			inode = stat.Ino
			c, err := net.ListenPacket("udp4", ":0")
			if err != nil {
				t.Fatal(err)
			}
			from = c.LocalAddr().(*net.UDPAddr)
			if _, err := c.WriteTo([]byte("one"), to); err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	})
	peers := 0
	for _, e := range events {
		if e.Kind != SocketPeer || int(e.Socket.Local.Port()) != from.Port || e.Socket.Remote.String() != to.String() {
			continue
		}
		if peers++; uint64(e.Socket.NetNS) != inode {
			t.Errorf("network namespace %d, want %d", e.Socket.NetNS, inode)
		}
	}
	if peers != 1 {
		t.Errorf("told %d times of the peer, want once: %+v", peers, events)
	}
}

// TestIntegrationProcess runs a program and finds what it was, where it was and its end.
func TestIntegrationProcess(t *testing.T) {
	tracer := open(t)
	program, err := exec.LookPath("true")
	if err != nil {
		t.Skip("there is no true(1)")
	}
	var pid int
	events := record(t, tracer, func() {
		c := exec.Command(program, "one", "two words")
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		pid = c.Process.Pid
	})
	found := map[Kind]Event{}
	for _, e := range events {
		if int(e.Process.PID) == pid {
			found[e.Kind] = e
		}
	}
	x := found[ProcessExec]
	if x.Filename != program || !slices.Equal(x.Cmdline, []string{program, "one", "two words"}) {
		t.Errorf("exec: got %q, %q", x.Filename, x.Cmdline)
	}
	if a, errA := os.Stat(x.Path); errA != nil {
		t.Errorf("path %q: %v", x.Path, errA)
	} else if b, errB := os.Stat(program); errB != nil || !os.SameFile(a, b) {
		t.Errorf("path %q is not %q (%v)", x.Path, program, errB)
	}
	if f := found[ProcessFork]; int(f.Parent) != os.Getpid() || f.Process.Start != x.Process.Start {
		t.Errorf("fork: got %+v, want a child of %d that started at %d", f, os.Getpid(), x.Process.Start)
	}
	if e := found[ProcessExit]; e.Process.Start != x.Process.Start || e.Time < x.Time {
		t.Errorf("exit: got %+v after %+v", e, x)
	}
	if got := tracer.CgroupPath(x.Process.Cgroup); got == "" {
		t.Errorf("cgroup %d has no path", x.Process.Cgroup)
	}
}

// TestIntegrationWait waits for events longer than any test may take: the first into an empty ring, and the end of the context, end the wait.
func TestIntegrationWait(t *testing.T) {
	tracer := open(t)
	for range 10 {
		if _, err := tracer.Poll(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); exchange(t) }()
		if err := tracer.Wait(t.Context(), time.Now().Add(time.Hour), 1); err != nil {
			t.Fatal(err)
		}
		if events, err := tracer.Poll(); err != nil || len(events) == 0 {
			t.Errorf("after the wait: %d events, %v", len(events), err)
		}
		<-done
	}
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if err := tracer.Wait(ctx, time.Now().Add(time.Hour), 1<<30); err != nil {
		t.Error(err)
	}
}
