//go:build amd64 || arm64

package bpf

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
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
	if err := attachIO(TierTrampoline, l.attach, l.mark); err != nil {
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

// TestTierChoice: which programs a kernel refuses decides the tier, what it lacks, and whether there is one at all.
func TestTierChoice(t *testing.T) {
	old := fmt.Errorf("load: %w", errors.ErrUnsupported)
	trampolines := []string{"inet_sendmsg", "inet6_sendmsg", "inet_recvmsg", "inet6_recvmsg"}
	tests := []struct {
		name    string
		refused []string
		by      error
		tier    string
		lacks   []string // programs
		fails   bool
	}{
		{"all of it, Linux 6.3", nil, nil, TierTracepoint, nil, false},
		{"a host that refuses trampolines", trampolines, os.ErrPermission, TierTracepoint, nil, false},
		{"Linux 5.15: no tracepoints of I/O", []string{"sock_send_length", "sock_recv_length"}, old, TierTrampoline, nil, false},
		{"half of the tracepoints", []string{"sock_recv_length"}, old, TierTrampoline, nil, false},
		{"neither", append([]string{"sock_send_length"}, trampolines[3]), os.ErrPermission, "", nil, true},
		{"no cgroup programs", []string{"sock_create", "sock_release", "skb_egress", "skb_ingress"}, os.ErrPermission, TierTracepoint,
			[]string{"sock_release", "sock_create", "skb_egress", "skb_ingress"}, false},
		{"no iterators, Linux 5.10", []string{"open_sockets", "open_tcp", "kernel_sockets"}, old, TierTracepoint, nil, false},
		{"no tracing programs", []string{"inet_sock_set_state"}, os.ErrPermission, "", nil, true},
		{"no processes", []string{"sched_process_exec", "sched_process_fork", "sched_process_exit"}, old, TierTracepoint,
			[]string{"sched_process_exit", "sched_process_exec", "sched_process_fork"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var attached []string
			var report Report
			err := chooseTier(&report, func(p program) error {
				if slices.Contains(tt.refused, p.name) {
					return fmt.Errorf("%s: %w", p.name, tt.by)
				}
				attached = append(attached, p.name)
				return nil
			}, func() func() {
				n := len(attached)
				return func() { attached = attached[:n] }
			})
			if (err != nil) != tt.fails || err != nil && !errors.Is(err, tt.by) {
				t.Fatalf("error %v, want one: %v", err, tt.fails)
			}
			var lacks []string
			for _, m := range report.Missing {
				if lacks = append(lacks, m.Program); m.Lost == "" || !errors.Is(m.Err, tt.by) {
					t.Errorf("lacks %+v without a word", m)
				}
			}
			if report.Tier != tt.tier || !slices.Equal(lacks, tt.lacks) {
				t.Errorf("tier %q without %v, want %q without %v", report.Tier, lacks, tt.tier, tt.lacks)
			}
			for tier, programs := range ioPrograms() {
				for _, p := range programs {
					if has := slices.Contains(attached, p.name); has != (tier == tt.tier) {
						t.Errorf("%s is attached: %v", p.name, has)
					}
				}
			}
		})
	}
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
