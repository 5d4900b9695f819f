package pidmap

import (
	"bytes"
	"io"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"apptap/flows"
)

// situation is one way of coming to a socket or of moving bytes, that a mode of fixtures/client goes.
type situation struct {
	name     string
	mode     string // "" = name
	datagram bool   // goes to the server's UDP port
	ipv6     bool
	before   bool   // begins before anybody looks
	extra    string // LOCALPORT; "" = a second program
	unmoved  bool   // how much moved is not told by calls, only by TCP's counters or the wire
}

// situations are the ways of the storm and those that public benchmarks of per-process accounting try.
var situations = []situation{
	{name: "short lived", mode: "tcp"}, {name: "IPv6", mode: "tcp", ipv6: true},
	{name: "ends before its bytes are sent", mode: "exit"},
	{name: "5-tuple used again by another program", mode: "reuse", extra: "31999"},
	{name: "5-tuple used again by another program, second", mode: "reuse", extra: "31999"},
	{name: "inherited", mode: "heir"}, {name: "exec after connect", mode: "exec"},
	{name: "passed by SCM_RIGHTS", mode: "scm"}, {name: "one sends, one receives", mode: "split"},
	{name: "unconnected UDP", mode: "udp", datagram: true}, {name: "connected UDP", mode: "udpc", datagram: true},
	{name: "there before", mode: "hold", before: true}, {name: "idle before", mode: "idle", before: true},
	{name: "accepted", mode: "accept"}, {name: "accepted and handed down", mode: "accept-heir"},
	{name: "never accepted", mode: "backlog"}, {name: "SO_REUSEPORT group", mode: "reuseport"},
	{name: "hot SO_REUSEPORT group", mode: "reuseport-hot"},
	{name: "accepted by a dual-stack socket", mode: "dual-listen"}, {name: "IPv4 over a socket of IPv6", mode: "dual"},
	{name: "UDP server", mode: "udp-server"}, {name: "sent to a group", mode: "multicast-send"},
	{name: "received from a group", mode: "multicast-receive"},
	{name: "sendfile"}, {name: "splice out", mode: "splice-out"}, {name: "splice in", mode: "splice-in", unmoved: true},
	{name: "io_uring"}, {name: "MPTCP", mode: "mptcp"}, {name: "orphaned child", mode: "orphan"},
	{name: "high rate", mode: "rate"}, {name: "burst"}, {name: "fork before connect", mode: "fork"}, {name: "threads"},
	{name: "QUIC-like UDP", mode: "quic", datagram: true}, {name: "daemon by double fork", mode: "daemon"}, {name: "setsid"},
	{name: "vfork"}, {name: "without CLONE_FILES", mode: "unshared"}, {name: "chroot"}, {name: "half close", mode: "half-close"},
	{name: "MSG_ZEROCOPY", mode: "zero-copy"}, {name: "exec by another thread than the first", mode: "thread-exec"},
	{name: "many writers of one socket", mode: "many-writers"},
	{name: "refused"}, {name: "non-blocking connect", mode: "nonblocking"},
	{name: "UDP connected again", mode: "udp-reconnect", datagram: true, extra: "udp"},
	{name: "TCP fast open", mode: "fast-open"}, {name: "bind before connect", mode: "bind"}, {name: "renamed by prctl", mode: "rename"},
	{name: "deleted executable", mode: "deleted"}, {name: "setuid"}, {name: "spaces,\nlines and ü in its name", mode: "tcp"},
	{name: "executable without a file", mode: "memfd"}, {name: "pid namespace", mode: "pid-namespace"},
	{name: "socket of a namespace that was left", mode: "left"}, {name: "many datagrams in a call", mode: "many", datagram: true},
	{name: "raw ICMP", mode: "raw-icmp"}, {name: "raw UDP", mode: "raw-udp", unmoved: true}, {name: "raw socket that hears another's UDP", mode: "raw-listen", datagram: true},
}

// played is a situation and what its programs said.
type played struct {
	*situation
	command        *exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr bytes.Buffer
	err            error
	truths         []stormTruth
}

// act makes the command of a situation, under a name of its own.
func (s *stormScene) act(t *testing.T, number int, of *situation) *played {
	t.Helper()
	p := &played{situation: of}
	mode, ip, proto := of.mode, s.b.IPv4, "tcp"
	if mode == "" {
		mode = of.name
	}
	if of.ipv6 {
		ip = s.b.IPv6
	}
	if of.datagram {
		proto = "udp"
	}
	suffix := ""
	if strings.Contains(of.name, "\n") {
		suffix = " " + of.name
	}
	program := func(kind string) string { return filepath.Join(s.Programs, kind+strconv.Itoa(number)+suffix) }
	linkAs(t, filepath.Join(s.Programs, "client"), program("situation"))
	linkAs(t, filepath.Join(s.Programs, "client"), program("second"))
	extra := of.extra
	switch extra {
	case "":
		extra = program("second")
	case "udp":
		extra = strconv.Itoa(s.Ports["other"+ip.String()])
	}
	up, down := "20000", "30000"
	if proto == "tcp" && len(mode) > 5 && mode[:6] == "accept" || strings.HasPrefix(mode, "reuseport") || mode == "dual-listen" {
		up, down = "700", "300" // what the server calls with
	}
	p.command = exec.Command(program("situation"), mode, ip.String(), strconv.Itoa(s.Ports[proto+ip.String()]), up, down, extra)
	p.command.Stdout, p.command.Stderr = &p.stdout, &p.stderr
	return p
}

// begin starts a situation that others are to come into the middle of, and returns when it is there.
func (s *stormScene) begin(t *testing.T, p *played) {
	t.Helper()
	p.command.Stdout = nil
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	s.a.Do(t, func() { err = p.command.Start() })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatalf("%s: %v: %s", p.name, err, &p.stderr)
	}
	p.command.Stdout = nil
	s.later = append(s.later, func() {
		p.stdin.Close()
		io.Copy(&p.stdout, out)
		p.err = p.command.Wait()
	})
}

// play goes through all situations, some of them begun before the watching. Each ends before the next begins.
func (s *stormScene) play(t *testing.T, c Config) (*History, []*played) {
	t.Helper()
	var all []*played
	for i := range situations {
		if situations[i].ipv6 && !s.b.IPv6.IsValid() {
			continue
		}
		p := s.act(t, i, &situations[i])
		if all = append(all, p); p.before {
			s.begin(t, p)
		}
	}
	h := watchWhile(t, s, c, func() {
		for _, p := range all {
			if p.before {
				continue
			}
			var err error
			if s.a.Do(t, func() { err = p.command.Start() }); err == nil {
				err = p.command.Wait()
			}
			p.err = err
		}
		for _, end := range s.later {
			end()
		}
	})
	for _, p := range all {
		p.truths = truthsIn(t, &p.stdout)
		for i := range p.truths { // a socket that is bound to no address in particular
			if local := &p.truths[i].Local; strings.HasPrefix(*local, "0.0.0.0:") {
				*local = strings.Replace(*local, "0.0.0.0", s.a.IPv4.String(), 1)
			}
		}
	}
	return h, all
}

// serveOther answers on a second UDP port.
func (s *stormScene) serveOther(t *testing.T) {
	t.Helper()
	ip := s.b.IPv4.String()
	first := s.Ports["udp"+ip]
	if err := s.ServePackets(s.b.IPv4); err != nil {
		t.Fatal(err)
	}
	s.Ports["other"+ip], s.Ports["udp"+ip] = s.Ports["udp"+ip], first
}

// resolve completes what a program could not know: from where it was called.
func (truth *stormTruth) resolve(t *testing.T, moved map[flows.Key]Moved) {
	t.Helper()
	if truth.Remote != "" {
		return
	}
	local := mustAddrPort(t, truth.Local)
	for key, m := range moved {
		if key.Local.Port == local.Port() && key.Proto == flows.TCP {
			truth.Remote, truth.Tx, truth.Rx = netip.AddrPortFrom(addrOf(key.Remote), key.Remote.Port).String(), m.Tx, m.Rx
		}
	}
}

func (truth *stormTruth) owner(t *testing.T, h *History) Attribution {
	t.Helper()
	initiator := flows.InitiatorLocal
	if truth.Remotes {
		initiator = flows.InitiatorRemote
	}
	return h.Owner(truth.key(t), initiator, truth.First.UnixNano(), truth.Last.UnixNano())
}

// TestIntegrationSituations finds the program of every socket and its bytes in each situation, with kernel events.
func TestIntegrationSituations(t *testing.T) {
	s := newStorm(t)
	s.serveOther(t)
	w := listen(t, s.a, "veth0")
	h, all := s.play(t, Config{})
	moved := w.payloads(t, func(a netip.Addr) bool { return a == s.a.IPv4 || a == s.a.IPv6 })
	for key := range moved {
		if addrOf(key.Local) == s.b.IPv4 { // to a group
			moved[key.Reverse()] = moved[key]
		}
	}
	told := map[flows.Key]Moved{}
	for _, p := range all {
		for i := range p.truths {
			p.truths[i].resolve(t, moved)
			key := p.truths[i].key(t)
			m := told[key]
			told[key] = Moved{m.Tx + p.truths[i].Tx, m.Rx + p.truths[i].Rx}
		}
	}
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) { p.check(t, h, moved, told) })
	}
}

// check holds what the kernel's events say against what the programs say, and that against the wire.
func (p *played) check(t *testing.T, h *History, moved, told map[flows.Key]Moved) {
	p.ended(t)
	for i := range p.truths {
		truth := &p.truths[i]
		key := truth.key(t)
		if wire := moved[key]; wire != told[key] && !p.before && p.mode != "exit" {
			t.Errorf("tcpdump saw %+v, the programs say %+v: %+v", wire, told[key], *truth)
		}
		a := truth.owner(t, h)
		got, ok := shareOfLife(a, truth)
		if !ok {
			t.Errorf("owner: got %q %d %s%s (%d shares), want %+v", a.Process.Path, a.Process.Key.PID, a.Method, a.Reason, len(a.Shares), *truth)
			continue
		}
		for _, share := range a.Shares {
			if p.mode == "raw-listen" && share.Process.Path != truth.Program {
				t.Errorf("%q has a share of %+v, want none", share.Process.Path, *truth)
			}
		}
		if a.Method == MethodEBPFListener || a.Method == MethodSockDiag || truth.Tx+truth.Rx == 0 || p.unmoved {
			continue
		}
		if sum, want := movedOn(h, key, truth, got), p.onSocket(truth); sum != want {
			t.Errorf("moved %+v, want %+v, %+v", sum, want, *truth)
		}
	}
}

// onSocket is what a program says that it moved on the socket of a truth: one of UDP may have had several peers.
func (p *played) onSocket(truth *stormTruth) (m Moved) {
	if truth.Proto == "tcp" {
		return Moved{truth.Tx, truth.Rx}
	}
	for i := range p.truths {
		if other := &p.truths[i]; other.Local == truth.Local && other.PID == truth.PID {
			m.Tx, m.Rx = m.Tx+other.Tx, m.Rx+other.Rx
		}
	}
	return m
}

// ended skips what the kernel does not offer and fails what went wrong.
func (p *played) ended(t *testing.T) {
	t.Helper()
	if exit, ok := p.err.(*exec.ExitError); ok && exit.ExitCode() == 3 {
		t.Skip(p.stderr.String())
	}
	if p.err != nil {
		t.Fatalf("%v: %s", p.err, &p.stderr)
	}
	if len(p.truths) == 0 && p.mode != "raw-icmp" {
		t.Fatal("its programs said nothing")
	}
}

// shareOfLife finds the very process.
func shareOfLife(a Attribution, truth *stormTruth) (Process, bool) {
	program := truth.Program
	if strings.HasPrefix(program, "/memfd:") { // which /proc calls deleted
		program = strings.TrimSuffix(program, " (deleted)")
	}
	if a.Process.Path == program && a.Process.Key.PID == truth.PID {
		return a.Process, true
	}
	for _, s := range a.Shares {
		if s.Process.Path == program && s.Process.Key.PID == truth.PID {
			return s.Process, true
		}
	}
	return Process{}, false
}

// TestIntegrationSituationsPolled gives no socket of any situation to a wrong program without kernel events.
func TestIntegrationSituationsPolled(t *testing.T) {
	s := newStorm(t)
	s.serveOther(t)
	h, all := s.play(t, Config{Polling: true})
	mayOwn := map[flows.Key]map[string]bool{}
	for _, p := range all {
		for i := range p.truths {
			if p.truths[i].Remote == "" {
				continue
			}
			key := p.truths[i].key(t)
			if mayOwn[key] == nil {
				mayOwn[key] = map[string]bool{}
			}
			mayOwn[key][p.truths[i].Program] = true
		}
	}
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			p.ended(t)
			for i := range p.truths {
				truth := &p.truths[i]
				if truth.Remote == "" {
					continue
				}
				if a := truth.owner(t, h); a.Known() && !mayOwn[truth.key(t)][a.Process.Path] {
					t.Errorf("given to %q by %s, truth %+v", a.Process.Path, a.Method, *truth)
				}
			}
		})
	}
}
