package pidmap

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"apptap/flows"
	"apptap/pidmap/bpf"
)

// kernel makes the events of a kernel that runs a few programs, one every millisecond.
type kernel struct {
	now    uint64
	events []bpf.Event
	moved  map[bpf.User]bpf.Moved
}

func (k *kernel) tell(e bpf.Event) {
	k.now += 1_000_000
	e.Time = k.now
	k.events = append(k.events, e)
}

// run starts a program as a child of process 1 and returns it.
func (k *kernel) run(pid int32, path string) bpf.Process {
	p := bpf.Process{User: bpf.User{PID: pid, Start: k.now + 10_000_000, Exec: 1}, PPID: 1, Name: path[1:]}
	k.tell(bpf.Event{Kind: bpf.ProcessFork, Process: p, Parent: 1})
	k.tell(bpf.Event{Kind: bpf.ProcessExec, Process: p, Path: path, Cmdline: []string{path}})
	return p
}

func (k *kernel) exec(p bpf.Process, path string) bpf.Process {
	p.Exec++
	p.Name = path[1:]
	k.tell(bpf.Event{Kind: bpf.ProcessExec, Process: p, Path: path, Cmdline: []string{path}})
	return p
}

// connect opens a TCP connection from the local port.
func (k *kernel) connect(cookie uint64, port uint16, maker bpf.Process) bpf.Socket {
	s := bpf.Socket{Cookie: cookie, NetNS: 1, Proto: 6, Created: k.now, Local: local(port), Remote: server}
	k.tell(bpf.Event{Kind: bpf.SocketOpened, Process: maker, Socket: s})
	return s
}

func (k *kernel) use(s bpf.Socket, p bpf.Process, first bool) {
	s.First = first
	k.tell(bpf.Event{Kind: bpf.SocketUsed, Process: p, Socket: s})
}

func (k *kernel) close(s bpf.Socket, first bpf.Process) {
	s.First = true
	k.tell(bpf.Event{Kind: bpf.SocketClosed, Process: first, Socket: s})
}

var server = netip.MustParseAddrPort("192.0.2.9:443")

func local(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port)
}

func (k *kernel) translated() (events []Event) {
	t := newTranslator()
	t.netns = 1
	t.moved = func(_ uint64, u bpf.User) (bpf.Moved, bool) { m, ok := k.moved[u]; return m, ok }
	for i := range k.events {
		events = t.add(events, &k.events[i])
	}
	return events
}

// history is what a History makes of the events, in this order after translation.
func (k *kernel) history(order func([]Event)) *History {
	events := k.translated()
	order(events)
	h := NewHistory(ReasonNoSocketSeen)
	for _, e := range events {
		h.Add(e)
	}
	return h
}

func asTold([]Event) {}

// TestTraced plays who makes and who uses a socket.
func TestTraced(t *testing.T) {
	type want struct {
		path   string
		method Method
		reason Reason
		shares []string
	}
	tests := []struct {
		name string
		play func(k *kernel)
		want want
	}{
		{"one program", func(k *kernel) {
			p := k.run(10, "/curl")
			s := k.connect(1, 1000, p)
			k.use(s, p, true)
			s.Tx, s.Rx = 100, 1000
			k.close(s, p)
		}, want{path: "/curl", method: MethodEBPF}},
		{"nobody moved a byte", func(k *kernel) {
			p := k.run(10, "/nc")
			k.close(k.connect(1, 1000, p), p)
		}, want{path: "/nc", method: MethodEBPFCreator}},
		{"refused", func(k *kernel) {
			p := k.run(10, "/nc")
			k.close(bpf.Socket{Cookie: 1, NetNS: 1, Proto: 6, Created: k.now, Local: local(1000), Remote: server}, p)
		}, want{path: "/nc", method: MethodEBPFCreator}},
		{"heir", func(k *kernel) {
			opener, heir := k.run(10, "/opener"), k.run(11, "/heir")
			s := k.connect(1, 1000, opener)
			s.Tx = 5
			k.use(s, heir, true)
			k.close(s, heir)
		}, want{path: "/heir", method: MethodEBPF}},
		{"exec after connect", func(k *kernel) {
			p := k.run(10, "/wrapper")
			s := k.connect(1, 1000, p)
			p = k.exec(p, "/real")
			s.Tx = 5
			k.use(s, p, true)
			k.close(s, p)
		}, want{path: "/real", method: MethodEBPF}},
		{"two programs of one process", func(k *kernel) {
			p := k.run(10, "/first")
			s := k.connect(1, 1000, p)
			k.use(s, p, true)
			q := k.exec(p, "/second")
			s.Shared, s.Tx = true, 3
			k.moved = map[bpf.User]bpf.Moved{q.User: {Rx: 1000}}
			k.use(s, p, true)
			k.use(s, q, false)
			k.close(s, p)
		}, want{path: "/second", method: MethodEBPF, shares: []string{"/second", "/first"}}},
		{"the kernel's own", func(k *kernel) {
			s := bpf.Socket{Cookie: 1, NetNS: 1, Proto: 6, Kernel: true, Created: k.now, Local: local(1000), Remote: server, Tx: 9}
			k.use(s, bpf.Process{User: bpf.User{PID: 40, Start: 1}, PPID: 2, Kernel: true, Name: "kworker/0:1"}, true)
			k.close(s, bpf.Process{User: bpf.User{PID: 40, Start: 1}, PPID: 2, Kernel: true, Name: "kworker/0:1"})
		}, want{path: "", method: MethodEBPF}},
		{"another namespace's loopback", func(k *kernel) {
			p := k.run(10, "/inside")
			s := bpf.Socket{Cookie: 1, NetNS: 2, Proto: 6, Created: k.now, Local: local(1000), Remote: server}
			s.Local = netip.MustParseAddrPort("127.0.0.1:1000")
			s.Remote = netip.MustParseAddrPort("127.0.0.1:443")
			k.use(s, p, true)
		}, want{reason: ReasonNoSocketSeen}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kernel{now: 1_000_000_000}
			begin := int64(k.now)
			tt.play(k)
			key := flows.MakeKey(flows.TCP, local(1000), server)
			a := k.history(asTold).Owner(key, flows.InitiatorLocal, begin, int64(k.now))
			var shares []string
			for _, s := range a.Shares {
				shares = append(shares, s.Process.Path)
			}
			if got := (want{a.Process.Path, a.Method, a.Reason, shares}); got.path != tt.want.path || got.method != tt.want.method ||
				got.reason != tt.want.reason || !slices.Equal(got.shares, tt.want.shares) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if tt.name == "the kernel's own" && a.App.Kind != "kernel" {
				t.Errorf("app %+v, want the kernel", a.App)
			}
		})
	}
}

// TestTracedReuse gives each of many short connections from one port to its own program, in whatever order the events are
// added and whatever cookies the kernel hands out.
func TestTracedReuse(t *testing.T) {
	k := &kernel{now: 1_000_000_000}
	type life struct{ first, last int64 }
	var lives []life
	names := []string{"/a", "/b", "/c", "/d", "/e"}
	for i, name := range names {
		first := int64(k.now)
		p := k.run(int32(10+i), name)
		s := k.connect(uint64(100-i), 1000, p)
		s.Tx = 1
		k.use(s, p, true)
		k.close(s, p)
		lives = append(lives, life{first + 2_000_000, int64(k.now)})
	}
	key := flows.MakeKey(flows.TCP, local(1000), server)
	for seed := range uint64(20) {
		h := k.history(func(e []Event) {
			rand.New(rand.NewPCG(seed, 1)).Shuffle(len(e), func(i, j int) { e[i], e[j] = e[j], e[i] })
		})
		for i, l := range lives {
			if got := h.Owner(key, flows.InitiatorLocal, l.first, l.last); got.Process.Path != names[i] {
				t.Errorf("seed %d: life %d: got %q %s, want %q", seed, i, got.Process.Path, got.Reason, names[i])
			}
		}
	}
}

// TestTracedForget keeps nothing of sockets that are long over.
func TestTracedForget(t *testing.T) {
	k := &kernel{now: 1_000_000_000}
	for i := range 100 {
		p := k.run(int32(10+i), "/a")
		s := k.connect(uint64(i+1), uint16(1000+i), p)
		k.use(s, p, true)
		k.close(s, p)
	}
	h := k.history(asTold)
	h.Forget(int64(k.now)+1, noFlows{})
	if n := len(h.traced) + len(h.connected) + len(h.bound) + len(h.byIdentity) + len(h.early); n != 0 {
		t.Errorf("%d entries left, want none", n)
	}
}

// TestTracedForgetYoung keeps the maker of a socket that has no address yet.
func TestTracedForgetYoung(t *testing.T) {
	h := NewHistory(ReasonNoSocketSeen)
	maker := Process{Key: ProcessKey{PID: 10, Start: 1}, Name: "a", Path: "/a"}
	h.Add(Event{Kind: SocketMade, Method: MethodEBPF, Time: 1000, Socket: Socket{Cookie: 1}, Process: maker})
	h.Forget(1000, noFlows{})
	if len(h.traced) != 1 {
		t.Fatal("a socket that was made at the time is forgotten, want it kept")
	}
	if h.Forget(1001, noFlows{}); len(h.traced) != 0 {
		t.Error("a socket without an address is kept for ever, want it forgotten")
	}
}

// TestTracedLost gives a flow after a loss of events to nobody, until its socket is heard of again: the socket in its place may
// be another one's.
func TestTracedLost(t *testing.T) {
	k := &kernel{now: 1_000_000_000}
	p := k.run(10, "/a")
	s := k.connect(1, 1000, p)
	k.use(s, p, true)
	lost := int64(k.now) + 1
	key := flows.MakeKey(flows.TCP, local(1000), server)
	owner := func(h *History, at int64) Attribution { return h.Owner(key, flows.InitiatorLocal, at, at+1000) }
	h := k.history(asTold)
	h.Add(Event{Kind: EventsLost, Time: lost})
	if got := owner(h, lost-1000); got.Process.Path != "/a" {
		t.Errorf("before the loss: got %q %s, want /a", got.Process.Path, got.Reason)
	}
	// The loss was found at the time lost+40 s, 20 s after it was certain that there was none.
	noticed := k.history(asTold)
	noticed.Add(Event{Kind: EventsLost, NotBefore: lost + 20_000_000_000, Time: lost + 40_000_000_000})
	noticed.Add(Event{Kind: SocketsCurrent, Time: lost + 40_000_000_000})
	if got := owner(noticed, lost+10_000_000_000); got.Process.Path != "/a" {
		t.Errorf("before anything can have been lost: got %q %s, want /a", got.Process.Path, got.Reason)
	}
	if got := owner(noticed, lost+30_000_000_000); got.Known() {
		t.Errorf("when events may have been lost: got %q, want nobody", got.Process.Path)
	}
	h.Add(Event{Kind: SocketsCurrent, Time: lost + 200_000_000_000})
	if got := owner(h, lost+100_000_000_000); got.Known() {
		t.Errorf("after the loss: got %q, want nobody", got.Process.Path)
	}
	k.now = uint64(lost) + 50_000_000_000
	k.use(s, p, true)
	again := k.translated()
	h.Add(again[len(again)-1])
	if got := owner(h, lost+60_000_000_000); got.Process.Path != "/a" {
		t.Errorf("heard of again: got %q %s, want /a", got.Process.Path, got.Reason)
	}
}

// TestTracedLostEarlier: what is told only after a later loss of events is known comes to the same as if it had been told in time.
func TestTracedLostEarlier(t *testing.T) {
	k := &kernel{now: 1_000_000_000}
	p := k.run(10, "/a")
	s := k.connect(1, 1000, p)
	k.use(s, p, true)
	k.now += 5_000_000_000
	k.use(s, p, true)
	told := k.translated()
	lost := int64(k.now) + 1_000_000_000
	events := []Event{
		{Kind: EventsLost, NotBefore: lost, Time: lost + 1_000_000_000}, {Kind: EventsLost, Time: lost + 40_000_000_000},
		{Kind: SocketsCurrent, Time: lost + 90_000_000_000},
	}
	inTime, late := NewHistory(ReasonNoSocketSeen), NewHistory(ReasonNoSocketSeen)
	for _, e := range slices.Concat(told, events) {
		inTime.Add(e)
	}
	for _, e := range slices.Concat(events, told) {
		late.Add(e)
	}
	key := flows.MakeKey(flows.TCP, local(1000), server)
	for at, known := range map[int64]bool{lost - 3_000_000_000: true, lost - 1000: true, lost + 20_000_000_000: false, lost + 80_000_000_000: false} {
		want, got := inTime.Owner(key, flows.InitiatorLocal, at, at), late.Owner(key, flows.InitiatorLocal, at, at)
		if want.Known() != known || got.Known() != known || got.Process.Path != want.Process.Path {
			t.Errorf("%d ns after the loss: in time %q %s, late %q %s, want known %v", at-lost, want.Process.Path, want.Reason, got.Process.Path, got.Reason, known)
		}
	}
}
