//go:build amd64 || arm64

package bpf

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"github.com/cilium/ebpf/ringbuf"
)

// TestIntegrationTrampolines takes the tracepoints of I/O away, as before Linux 6.3, and wants the function exits in their place to
// tell the same. Where the host refuses one of them, none may stay.
func TestIntegrationTrampolines(t *testing.T) {
	var report Report
	l, err := load(&report)
	if err != nil {
		t.Skipf("no eBPF here: %v", err)
	}
	tracer := &Tracer{loaded: l, cgroups: map[uint64]string{}}
	if tracer.reader, err = ringbuf.NewReader(l.maps["events"]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tracer.Close() })
	rest := len(l.links) - len(ioPrograms()[report.Tier])
	closeAll(l.links[rest:])
	closeAll(l.programs[rest:])
	l.links, l.programs = l.links[:rest], l.programs[:rest]
	if err := l.attachIO(TierTrampoline); err != nil {
		if len(l.links) != rest || len(l.programs) != rest {
			t.Errorf("%d links and %d programs stay, want %d", len(l.links), len(l.programs), rest)
		}
		if !errors.Is(err, os.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("the refusal is %v", err)
		}
		t.Skipf("this host refuses function exits: %v", err)
	}
	var client string
	for _, e := range record(t, tracer, func() { client = exchange(t) }) {
		if e.Kind == SocketClosed && e.Socket.Local.String() == client {
			if e.Socket.Tx != 1000 || e.Socket.Rx != 10 || int(e.Process.PID) != os.Getpid() {
				t.Errorf("got %+v, want 1000 bytes sent and 10 received by this process", e)
			}
			return
		}
	}
	t.Error("nothing was told of the client's socket")
}

// exchange sends 1000 bytes over TCP and gets 10 back.
func exchange(t *testing.T) (client string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Write(make([]byte, 1000))
	io.ReadFull(s, make([]byte, 1000))
	s.Write(make([]byte, 10))
	io.ReadFull(c, make([]byte, 10))
	client = c.LocalAddr().String()
	c.Close()
	io.ReadAll(s)
	s.Close()
	return client
}
