package pidmap

import (
	"apptap/flows"
	"apptap/pidmap/bpf"
)

// The methods of kernel events.
const (
	// MethodEBPF: the process sent or received on the flow's socket, as the kernel told at the time.
	MethodEBPF Method = "ebpf"
	// MethodEBPFCreator: nobody sent or received on the flow's socket; the process made it or connected it.
	MethodEBPFCreator Method = "ebpf_creator"
	// MethodEBPFListener: nobody sent or received on the accepted socket; the process listens where it was accepted.
	MethodEBPFListener Method = "ebpf_listener"
	// MethodEBPFTunnel: datagrams to the port on which a tunnel of the kernel's own listens, from a port of this host that no socket has. Tunnels
	// take a port for each flow inside (RFC 7348 section 5).
	MethodEBPFTunnel Method = "ebpf_tunnel"
)

// exitGrace is how long an ended process is remembered, in nanoseconds since boot: records of other processors about it
// may be read after that of its end.
const exitGrace = 10_000_000_000

// maxProcesses bounds what is remembered of processes; beyond it each is looked up again.
const maxProcesses = 65536

// translator turns the kernel's events into those of a History. It remembers processes, because most events name one
// by number only. It is not safe for concurrent use.
type translator struct {
	offset int64  // what makes nanoseconds since 1970 UTC of nanoseconds since boot
	netns  uint32 // the namespace whose sockets are this host's own, 0 = unknown
	// describe looks a running process up; false if it is gone or another one by now.
	describe func(bpf.Process) (Process, bool)
	// complete adds what a record has by number: user name, cgroup path, start time.
	complete func(*Process, bpf.Process)
	// entry finds the .desktop file of a program.
	entry func(exe string, cmdline []string) DesktopEntry
	moved func(cookie uint64, u bpf.User) (bpf.Moved, bool)
	// interfaceName is what the host's interface of a number is called, "" if it is not known.
	interfaceName func(index uint32) string

	processes map[ProcessKey]*remembered
	shared    map[uint64]*sharedSocket // by cookie
	ended     []ended
}

type remembered struct {
	process Process
	exec    uint64
	known   bool // process was described, not only named
}

type ended struct {
	key  ProcessKey
	time uint64
}

func newTranslator() *translator {
	return &translator{processes: map[ProcessKey]*remembered{}, shared: map[uint64]*sharedSocket{}}
}

// add appends what e tells.
func (t *translator) add(dst []Event, e *bpf.Event) []Event {
	switch e.Kind {
	case bpf.ProcessExec:
		t.exec(e)
	case bpf.ProcessFork:
		t.fork(e)
	case bpf.ProcessExit:
		t.ended = append(t.ended, ended{keyOf(e.Process.User), e.Time})
	default:
		return t.addSocket(dst, e)
	}
	t.forget(e.Time)
	return dst
}

// keyOf is the identity of a process in the unit of /proc.
func keyOf(u bpf.User) ProcessKey { return ProcessKey{PID: u.PID, Start: u.Start / nanosPerTick} }

// remember takes in a process that was looked up before anything was told of it.
func (t *translator) remember(p Process) { t.processes[p.Key] = &remembered{process: p, known: true} }

func (t *translator) time(boot uint64) int64 {
	if boot == 0 {
		return 0
	}
	return int64(boot) + t.offset
}

// ---- processes ----

func (t *translator) exec(e *bpf.Event) {
	p := t.named(&e.Process)
	p.Path, p.Cmdline = e.Path, e.Cmdline
	if p.Path == "" {
		p.Path = e.Filename
	}
	if before := t.processes[keyOf(e.Process.User)]; before != nil {
		p.become(before.process.Ancestors)
	}
	if t.entry != nil {
		p.Desktop = t.entry(p.Path, p.Cmdline)
	}
	t.processes[keyOf(e.Process.User)] = &remembered{p, e.Process.Exec, true}
}

func (t *translator) fork(e *bpf.Event) {
	parent := t.processes[keyOf(bpf.User{PID: e.Parent, Start: e.ParentStart})]
	if parent == nil || !parent.known {
		return // looked up when it matters
	}
	p := t.named(&e.Process)
	p.Path, p.Cmdline, p.PPID = parent.process.Path, parent.process.Cmdline, e.Parent
	p.inherit(parent.process)
	t.processes[keyOf(e.Process.User)] = &remembered{p, e.Process.Exec, true}
}

// named is what a record alone says of a process.
func (t *translator) named(b *bpf.Process) Process {
	p := Process{Key: keyOf(b.User), PPID: b.PPID, UID: b.UID, Name: b.Name}
	if b.Kernel {
		p.PPID = kernelThreadParent
	}
	if t.complete != nil {
		t.complete(&p, *b)
	}
	return p
}

// process is what is known of the process of a record.
func (t *translator) process(b *bpf.Process) Process {
	key := keyOf(b.User)
	r := t.processes[key]
	if r != nil && (r.known || r.exec == b.Exec) {
		return r.process
	}
	p := t.named(b)
	known := false
	if !b.Kernel && t.describe != nil {
		if described, ok := t.describe(*b); ok {
			if p.Cgroup != "" && p.Cgroup != "/" { // version 1 has no ids: what /proc says is more
				described.Cgroup, described.Beside, described.Container = p.Cgroup, p.Beside, p.Container
			}
			p, known = described, true
		}
	}
	if len(t.processes) < maxProcesses {
		t.processes[key] = &remembered{p, b.Exec, known}
	}
	return p
}

// forget drops processes that ended a while ago.
func (t *translator) forget(now uint64) {
	n := 0
	for n < len(t.ended) && t.ended[n].time+exitGrace < now {
		delete(t.processes, t.ended[n].key)
		n++
	}
	t.ended = t.ended[n:] // moving the rest for each event would cost more than all else
}

// ---- sockets ----

func (t *translator) addSocket(dst []Event, e *bpf.Event) []Event {
	s := t.socket(&e.Socket)
	now := t.time(e.Time)
	if s.Foreign && !ownedAcross(&e.Socket) {
		return dst
	}
	told := Event{Time: now, Socket: s, NotBefore: t.time(e.Socket.Created)}
	switch e.Kind {
	case bpf.SocketOpened:
		told.Kind, told.Method = SocketMade, MethodEBPFCreator
		if e.Socket.Proto == uint8(flows.TCP) && told.NotBefore != 0 && !e.Socket.Listening {
			told.Time = told.NotBefore // the first SYN went out before the answer that made it a connection
		}
		told.Process = t.maker(e)
		return append(dst, told)
	case bpf.SocketUsed:
		told.Kind, told.Method = SocketUsed, MethodEBPF
		told.Process, told.User = t.user(e), userKey(e)
		told.Moved = Moved{e.Socket.Tx, e.Socket.Rx}
		if e.Socket.Shared {
			return t.share(dst, told, e)
		}
		return append(dst, told)
	case bpf.SocketPeer:
		told.Kind, told.Method, told.Process = SocketPeer, MethodEBPFCreator, t.maker(e)
		return append(dst, told)
	case bpf.SocketCounted:
		told.Kind, told.Method, told.Datagrams = SocketCounted, MethodEBPF, t.datagrams(e.Datagrams, s.Foreign)
		told.Accepted = e.Socket.Accepted && told.Datagrams != nil
		return append(dst, told)
	case bpf.SocketClosed:
		return t.close(dst, told, e)
	}
	return dst
}

// ownedAcross says whether a socket of another network namespace can own a flow that is seen here: its addresses mean
// something only there unless it has a peer, and loopback never leaves it. The end of any is wanted.
func ownedAcross(s *bpf.Socket) bool {
	return s.Remote.Port() != 0 && !s.Local.Addr().IsLoopback() || s.Local.Port() != 0 && s.Proto == uint8(flows.UDP)
}

func (t *translator) socket(b *bpf.Socket) Socket {
	s := Socket{Cookie: b.Cookie, DualStack: b.DualStack, Listening: b.Listening, Kernel: b.Kernel && b.Over == 0,
		Multipath: b.Multipath, Over: b.Over,
		Foreign: t.netns != 0 && b.NetNS != 0 && b.NetNS != t.netns}
	proto := flows.Protocol(b.Proto)
	if b.Remote.Port() != 0 {
		s.Key = flows.MakeKey(proto, b.Local, b.Remote)
		return s
	}
	s.Key = flows.MakeKey(proto, b.Local, b.Local)
	s.Key.Remote = flows.Endpoint{}
	return s
}

// kernelProcess owns what no process does.
func kernelProcess() Process { return Process{PPID: kernelThreadParent, Name: "kernel"} }

// maker is who made the socket, zero if nobody is known.
func (t *translator) maker(e *bpf.Event) Process {
	switch {
	case e.Socket.Kernel && e.Socket.Over == 0:
		return kernelProcess()
	case e.Process.PID == 0 || e.Process.Kernel:
		// A kernel thread in whose time a packet came has nothing to do with the socket.
		return Process{}
	}
	return t.process(&e.Process)
}

func (t *translator) user(e *bpf.Event) Process {
	if e.Socket.Kernel {
		return kernelProcess()
	}
	return t.process(&e.Process)
}

func userKey(e *bpf.Event) UserKey {
	if e.Socket.Kernel {
		return UserKey{}
	}
	return UserKey(e.Process.User)
}

// close tells the totals of a socket and then its end.
func (t *translator) close(dst []Event, told Event, e *bpf.Event) []Event {
	b := &e.Socket
	if s := t.shared[b.Cookie]; s != nil {
		s.first, s.base = e.Process.User, bpf.Moved{Tx: b.Tx, Rx: b.Rx}
		dst = t.shares(dst, s, told.Time)
		delete(t.shared, b.Cookie)
	} else if b.Tx+b.Rx > 0 && e.Process.PID != 0 {
		total := told
		total.Kind, total.Method, total.Process, total.User = SocketUsed, MethodEBPF, t.user(e), userKey(e)
		total.Moved = Moved{b.Tx, b.Rx}
		dst = append(dst, total)
	} else if b.Local.Port() != 0 && e.Process.PID != 0 {
		// Refused, or never answered: this is the first that is heard of it.
		made := told
		made.Kind, made.Method, made.Process = SocketMade, MethodEBPFCreator, t.maker(e)
		if made.NotBefore != 0 {
			made.Time = made.NotBefore
		}
		dst = append(dst, made)
	}
	if b.Multipath {
		return dst // each path has an end of its own
	}
	told.Kind, told.LastSeen, told.Method = SocketClosed, told.Time, MethodEBPF
	told.Totals, told.Datagrams = totalsOf(b), t.datagrams(e.Datagrams, told.Socket.Foreign)
	told.Accepted = b.Accepted && told.Datagrams != nil
	return append(dst, told)
}

func totalsOf(b *bpf.Socket) Totals {
	received := b.Received
	if b.FinTaken && received > 0 {
		received--
	}
	return Totals{Known: b.Counted, Sent: b.Sent, Retrans: b.Retrans, Received: received}
}
