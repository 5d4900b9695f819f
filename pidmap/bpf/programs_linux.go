//go:build amd64 || arm64

package bpf

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// program is one of the object's programs and what there is without it.
type program struct {
	name     string
	cgroup   ebpf.AttachType // for those attached to the root of cgroup v2
	required bool
	lost     string // "" = not worth telling
}

// The programs in the order in which they are attached: those that tell of the end of a socket first, so that no
// socket is opened before its end would be seen.
func allPrograms() []program {
	return []program{
		{name: "tcp_destroy_sock", lost: "the end of some sockets"},
		{name: "sock_release", cgroup: ebpf.AttachCgroupInetSockRelease, lost: "the end of UDP sockets"},
		{name: "inet_sock_set_state", required: true, lost: "5-tuples of TCP sockets"},
		{name: "sock_create", cgroup: ebpf.AttachCGroupInetSockCreate, lost: "who made a socket that nobody used"},
		{name: "skb_egress", cgroup: ebpf.AttachCGroupInetEgress, lost: "peers of unconnected UDP sockets"},
		{name: "skb_ingress", cgroup: ebpf.AttachCGroupInetIngress, lost: "peers of unconnected UDP sockets"},
		{name: "udp_fail_queue_rcv_skb"}, // without it, before Linux 6.10, what was dropped was never read
		{name: openSockets},              // without these only sockets that end are counted
		{name: openTCP},
		{name: kernelSockets}, // without it the kernel's own datagrams have no owner
		{name: "tcp_retransmit_skb", lost: "connections that nobody answers, while they wait"},
		{name: "tcp_rcv_space_adjust", lost: "who takes bytes out of a socket by splice(2) alone"},
		{name: "sched_process_exit", lost: "the end of processes"},
		{name: "sched_process_exec", lost: "programs that are gone before they are looked at"},
		{name: "sched_process_fork", lost: "parents of processes that are gone before they are looked at"},
	}
}

// The programs that are read, not run.
const openSockets, openTCP, kernelSockets = "open_sockets", "open_tcp", "kernel_sockets"

// ioPrograms tell who moves bytes; the first set that loads is the tier.
func ioPrograms() map[string][]program {
	return map[string][]program{
		TierTracepoint: {{name: "sock_send_length"}, {name: "sock_recv_length"}},
		TierTrampoline: {{name: "inet_sendmsg"}, {name: "inet6_sendmsg"}, {name: "inet_recvmsg"}, {name: "inet6_recvmsg"}},
	}
}

// loaded are the maps and programs in the kernel; closing them detaches the programs.
type loaded struct {
	spec     *ebpf.CollectionSpec
	maps     map[string]*ebpf.Map
	programs []*ebpf.Program
	links    []link.Link
	read     map[string]*link.Iter // of links, those of programs that are read
	kernel   *btf.Cache            // its types: reading them takes longer than all the rest of loading
	cgroup   *os.File              // its root
}

// load takes every program into the kernel that it accepts, each by itself: one that is refused costs what it tells.
func load(report *Report) (*loaded, error) {
	spec, err := loadOwnership()
	if err != nil {
		return nil, fmt.Errorf("read eBPF object: %w", err)
	}
	l := &loaded{spec: spec, maps: map[string]*ebpf.Map{}, read: map[string]*link.Iter{}, kernel: btf.NewCache()}
	if l.cgroup, err = openCgroupRoot(); err != nil {
		return nil, err
	}
	for _, name := range mapNames(spec) {
		if l.maps[name], err = ebpf.NewMap(spec.Maps[name]); err != nil {
			l.close()
			return nil, fmt.Errorf("make eBPF map %s: %w", name, cause(err))
		}
	}
	if err := chooseTier(report, l.attach, l.mark); err != nil {
		l.close()
		return nil, err
	}
	l.kernel = nil // some MiB of pointers, which nothing asks for any more
	return l, nil
}

// mapNames are the maps in the order in which they are made. The ring comes first: without rights it fails as what it is,
// others as a lack of the kernel.
func mapNames(spec *ebpf.CollectionSpec) []string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(spec.Maps)), func(name string) bool {
		return strings.HasPrefix(name, ".") || name == "events"
	})
	return append([]string{"events"}, names...)
}

// chooseTier attaches every program that the kernel takes, and of the sets that tell of I/O the first that it takes as a whole. mark notes what is
// attached; what it returns takes back what was attached since.
func chooseTier(report *Report, attach func(program) error, mark func() (undo func())) error {
	for _, p := range allPrograms() {
		if err := attach(p); err != nil && p.required {
			return err
		} else if err != nil && p.lost != "" {
			report.Missing = append(report.Missing, Missing{p.name, p.lost, err})
		}
	}
	var refused error
	for _, tier := range []string{TierTracepoint, TierTrampoline} {
		if err := attachIO(tier, attach, mark); err != nil {
			refused = errors.Join(refused, err)
			continue
		}
		report.Tier = tier
		return nil
	}
	return refused
}

// attachIO attaches all programs of a tier or, if one is refused, none.
func attachIO(tier string, attach func(program) error, mark func() (undo func())) error {
	undo := mark()
	for _, p := range ioPrograms()[tier] {
		if err := attach(p); err != nil {
			undo()
			return err
		}
	}
	return nil
}

// mark notes what is attached.
func (l *loaded) mark() (undo func()) {
	programs, links := len(l.programs), len(l.links)
	return func() {
		closeAll(l.links[links:])
		closeAll(l.programs[programs:])
		l.links, l.programs = l.links[:links], l.programs[:programs]
	}
}

// attach loads one program and attaches it.
func (l *loaded) attach(p program) error {
	one := l.spec.Copy()
	one.Programs = map[string]*ebpf.ProgramSpec{p.name: one.Programs[p.name]}
	c, err := ebpf.NewCollectionWithOptions(one, ebpf.CollectionOptions{MapReplacements: l.maps, Cache: l.kernel})
	if err != nil {
		return fmt.Errorf("load eBPF program %s: %w", p.name, cause(err))
	}
	prog := c.DetachProgram(p.name)
	c.Close() // its maps are clones
	var attached link.Link
	if slices.Contains([]string{openSockets, openTCP, kernelSockets}, p.name) {
		var it *link.Iter
		if it, err = link.AttachIter(link.IterOptions{Program: prog}); err == nil {
			attached, l.read[p.name] = it, it
		}
	} else if p.cgroup != 0 || strings.HasPrefix(p.name, "skb_") {
		attached, err = link.AttachCgroup(link.CgroupOptions{Path: fmt.Sprintf("/proc/self/fd/%d", l.cgroup.Fd()), Attach: p.cgroup, Program: prog})
	} else {
		attached, err = link.AttachTracing(link.TracingOptions{Program: prog})
	}
	if err != nil {
		prog.Close()
		return fmt.Errorf("attach eBPF program %s: %w", p.name, cause(err))
	}
	l.programs, l.links = append(l.programs, prog), append(l.links, attached)
	return nil
}

func (l *loaded) close() {
	closeAll(l.links)
	closeAll(l.programs)
	for _, m := range l.maps {
		m.Close()
	}
	l.cgroup.Close()
}

func closeAll[C interface{ Close() error }](list []C) {
	for _, c := range list {
		c.Close() // the kernel takes it back in any case
	}
}

// cause drops what the library guesses: a refusal is called a matter of locked memory, which it is not from Linux 5.11 on.
func cause(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return errRefused{err}
	}
	return err
}

// errRefused is a refusal in a few words; the whole story is wrapped.
type errRefused struct{ err error }

func (e errRefused) Error() string { return "operation not permitted" }
func (e errRefused) Unwrap() error { return e.err }
