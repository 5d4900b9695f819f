package pidmap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"apptap/fixtures/mac"
	"apptap/flows"
	"apptap/pidmap/libproc"
	"apptap/pidmap/ntstat"
)

// macBench is a MacWatcher over a Mac that a test can change, and the History that hears it.
type macBench struct {
	kernel  *mac.Kernel
	table   *mac.Table
	watcher *MacWatcher
	history *History
	clock   int64 // nanoseconds since 1970 UTC
}

func newMacBench(t *testing.T, kernel *mac.Kernel, table *mac.Table) *macBench {
	t.Helper()
	b := &macBench{kernel: kernel, table: table, history: NewHistory(ReasonNoSocketSeen), clock: 1_000_000_000_000}
	system := MacSystem{
		Flows:    func() (io.ReadWriteCloser, error) { return kernel, nil },
		ProcInfo: table.ProcInfo, PCBs: table.PCBs, Files: macTree(),
		Ticks:   24_000_000,
		Refused: func(err error) bool { return errors.Is(err, syscall.EPERM) },
		Now:     func() int64 { return b.clock },
	}
	if kernel == nil {
		system.Flows = func() (io.ReadWriteCloser, error) { return nil, errors.ErrUnsupported }
	}
	var degraded []string
	if b.watcher, degraded = OpenMac(system); (len(degraded) > 0) != (kernel == nil) {
		t.Fatalf("degraded: %q", degraded)
	}
	b.after(0)
	return b
}

// after lets seconds pass and hears what there is.
func (b *macBench) after(seconds float64) []Event {
	b.clock += int64(seconds * 1e9)
	events, _, _ := b.watcher.step()
	for _, e := range events {
		b.history.Add(e)
	}
	return events
}

// owner is who owned the flow during the last tenth of a second, and how that is known.
func (b *macBench) owner(key flows.Key) string {
	a := b.history.Owner(key, flows.InitiatorLocal, b.clock-100_000_000, b.clock)
	if !a.Known() {
		return string(a.Reason)
	}
	return fmt.Sprintf("%s (%d) by %s", a.App.Name, a.Process.Key.PID, a.Method)
}

func (b *macBench) want(t *testing.T, what string, key flows.Key, want string) {
	t.Helper()
	if got := b.owner(key); got != want {
		t.Errorf("%s: owner of %v: got %s, want %s", what, key, got, want)
	}
}

func macKey(proto flows.Protocol, port uint16) flows.Key {
	return flows.MakeKey(proto, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port), netip.MustParseAddrPort("198.51.100.7:443"))
}

func macFlow(ref uint64, p ntstat.Provider, port uint16, pid, effective int32, name string) ntstat.Flow {
	proto := flows.TCP
	if p == ntstat.UDPKernel || p == ntstat.UDPUser || p == ntstat.QUICUser {
		proto = flows.UDP
	}
	return ntstat.Flow{Ref: ref, Provider: p, Key: macKey(proto, port), PID: pid, Effective: effective, Name: name, State: 4, Interface: 14}
}

func macTable() *mac.Table {
	t := mac.NewTable(
		mac.Process{PID: 1, Name: "launchd", Path: "/sbin/launchd", Start: 1},
		mac.Process{PID: 300, PPID: 1, UID: 501, Name: "Safari", Path: safari, Start: 30_000_000},
		mac.Process{PID: 301, PPID: 1, UID: 501, Name: "com.apple.WebKit", Path: webkit, Start: 31_000_000},
		mac.Process{PID: 400, PPID: 1, UID: 501, Name: "Terminal", Path: terminal, Start: 40_000_000},
		mac.Process{PID: 402, PPID: 400, UID: 501, Name: "curl", Path: "/usr/bin/curl", Start: 42_000_000},
		mac.Process{PID: 500, PPID: 1, Name: "mDNSResponder", Path: "/usr/sbin/mDNSResponder", Start: 2_000_000, Foreign: true},
	)
	t.Files = 3
	return t
}

func socket(tcp bool, port uint16) mac.Socket {
	k := macKey(flows.TCP, port)
	return mac.Socket{TCP: tcp, Local: k.LocalAddr(), Remote: k.RemoteAddr(), State: 4}
}

// TestMacBaseline: flows from before are told of in parts, and each has the app that it is for.
func TestMacBaseline(t *testing.T) {
	kernel := mac.NewKernel(
		macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl"),
		macFlow(2, ntstat.QUICUser, 50002, 301, 300, "com.apple.WebKit.Networking"),
		macFlow(3, ntstat.TCPUser, 50003, 301, 300, "com.apple.WebKit.Networking"),
		macFlow(4, ntstat.UDPKernel, 50004, 500, 0, "mDNSResponder"),
		macFlow(5, ntstat.TCPKernel, 50005, 999, 0, "gone"),
	)
	b := newMacBench(t, kernel, macTable())
	b.want(t, "kernel TCP", macKey(flows.TCP, 50001), "curl (402) by ntstat")
	b.want(t, "QUIC of user space", macKey(flows.UDP, 50002), "Safari (300) by ntstat")
	b.want(t, "TCP of user space", macKey(flows.TCP, 50003), "Safari (300) by ntstat")
	b.want(t, "another user's", macKey(flows.UDP, 50004), "mDNSResponder (500) by ntstat")
	b.want(t, "a process that is gone", macKey(flows.TCP, 50005), "gone (999) by ntstat")
	b.want(t, "nobody's", macKey(flows.TCP, 50006), "no_socket_seen")
}

// TestMacExecutable: the application is that of the executable's path, which proc_info(2) fills in while it returns 0.
func TestMacExecutable(t *testing.T) {
	b := newMacBench(t, mac.NewKernel(macFlow(1, ntstat.TCPKernel, 50001, 300, 0, "Safari")), macTable())
	a := b.history.Owner(macKey(flows.TCP, 50001), flows.InitiatorLocal, b.clock, b.clock)
	if a.Process.Path != safari || a.App.ID != "com.apple.Safari" {
		t.Errorf("got app %s of executable %q, want com.apple.Safari of %s", a.App.ID, a.Process.Path, safari)
	}
}

// TestMacUsers: the directory is asked once for each user, not for each process of each scan.
func TestMacUsers(t *testing.T) {
	table := macTable()
	for pid := range int32(50) {
		table.Set(mac.Process{PID: 1000 + pid, PPID: 1, UID: 501, Name: "many", Path: "/usr/bin/many", Start: uint64(pid + 1), Sockets: []mac.Socket{socket(true, 50001)}})
	}
	b := newMacBench(t, nil, table)
	asked := map[uint32]int{}
	b.watcher.watch.procs.users = map[uint32]string{}
	b.watcher.watch.procs.user = func(uid uint32) string {
		asked[uid]++
		return "user"
	}
	b.after(1)
	b.after(1)
	if asked[501] != 1 {
		t.Errorf("the directory was asked %d times for user 501 in two scans of 50 processes; want once", asked[501])
	}
}

// TestMacPaths: the executable of a process is asked for once, and again where an exec has given it another name.
func TestMacPaths(t *testing.T) {
	table := macTable()
	curl := mac.Process{PID: 402, PPID: 400, UID: 501, Name: "curl", Path: "/usr/bin/curl", Start: 42_000_000, Sockets: []mac.Socket{socket(true, 50001)}}
	table.Set(curl)
	b := newMacBench(t, nil, table)
	paths, call := 0, b.watcher.watch.procs.call
	b.watcher.watch.procs.call = func(number, pid, flavor int32, arg uint64, buf []byte) (int, error) {
		if number == procPIDInfo && flavor == flavorPath {
			paths++
		}
		return call(number, pid, flavor, arg, buf)
	}
	b.after(1)
	b.after(1)
	if paths != 0 {
		t.Errorf("the paths of processes that are known were asked for %d times", paths)
	}
	curl.Name, curl.Path = "wget", "/usr/local/bin/wget"
	table.Set(curl)
	b.after(1)
	if held := b.watcher.watch.held[macKey(flows.TCP, 50001)]; paths == 0 || held.holders[0].Path != curl.Path {
		t.Errorf("after an exec: paths asked for %d times, holder %+v; want %s", paths, held.holders[0], curl.Path)
	}
}

// TestMacPathsOfOthers: when a process of another user began is not told, so that another one of its number and name is not taken for it.
func TestMacPathsOfOthers(t *testing.T) {
	table := macTable()
	sh := mac.Process{PID: 403, PPID: 400, Name: "sh", Path: "/bin/sh", Foreign: true}
	table.Set(sh)
	procs := newMacBench(t, nil, table).watcher.watch.procs
	for _, path := range []string{"/bin/sh", "/usr/local/bin/sh"} {
		sh.Path = path
		table.Set(sh)
		if p, ok := procs.process(403); !ok || p.Path != path {
			t.Errorf("got %+v, %v; want %s", p, ok, path)
		}
	}
}

// TestMacCalm: where the kernel is heard, packets of sockets that are not known have it asked, and no descriptors looked at.
func TestMacCalm(t *testing.T) {
	kernel := mac.NewKernel()
	b := newMacBench(t, kernel, macTable())
	before := b.watcher.Scans().Scans
	for range 10 {
		kernel.Start(macFlow(uint64(100+b.clock), ntstat.TCPKernel, 50001, 402, 0, "curl"))
		b.watcher.Wake()
		b.after(0.06)
	}
	if n := b.watcher.Scans().Scans - before; n != 0 || !b.watcher.watch.told(macKey(flows.TCP, 50001)) {
		t.Errorf("%d scans in 0.6 s, the flow is told of: %v; want none, and the flow", n, b.watcher.watch.told(macKey(flows.TCP, 50001)))
	}
	if b.after(2); b.watcher.Scans().Scans == before {
		t.Error("no scan in two seconds")
	}
}

// TestMacFlowLife: a flow begins without addresses, gets them, ends, and its port is used again.
func TestMacFlowLife(t *testing.T) {
	kernel := mac.NewKernel()
	b := newMacBench(t, kernel, macTable())
	blank := macFlow(7, ntstat.TCPKernel, 50001, 402, 0, "curl")
	key := blank.Key
	blank.Key = flows.Key{}
	kernel.Begin(blank)
	b.after(0.1)
	b.want(t, "without addresses", key, "no_socket_seen")
	kernel.End(7, false, true)
	kernel.Begin(macFlow(7, ntstat.TCPKernel, 50001, 402, 0, "curl"))
	b.after(0.1)
	b.want(t, "with addresses", key, "curl (402) by ntstat")
	kernel.End(7, false, false)
	events := b.after(0.1)
	if len(events) == 0 || events[0].Kind != SocketClosed || events[0].Socket.Cookie != 7 {
		t.Fatalf("at the end: got %+v, want the socket closed", events)
	}
	kernel.Begin(macFlow(8, ntstat.TCPKernel, 50001, 300, 0, "Safari"))
	b.after(1)
	b.want(t, "port used again", key, "Safari (300) by ntstat")
}

// TestMacGone: of a process that is gone when the kernel tells of its flow for the first time, what was seen of it before counts; a process
// that has its number by now is another one.
func TestMacGone(t *testing.T) {
	curl := mac.Process{PID: 402, PPID: 400, UID: 501, Name: "curl", Path: "/usr/bin/curl", Start: 42_000_000, Unique: 7001}
	other := mac.Process{PID: 402, PPID: 1, UID: 501, Name: "curl", Path: "/opt/other/curl", Start: 90_000_000, Unique: 7002}
	for _, tt := range []struct {
		name          string
		seen, reused  bool
		unique        uint64
		flow, program string
		want          string // path of the process
	}{
		{"seen before", true, false, 7001, "curl", "curl", "/usr/bin/curl"},
		{"seen before, of the kernel's number nothing is told", true, false, 0, "curl", "curl", "/usr/bin/curl"},
		{"never seen", false, false, 7001, "curl", "curl", ""},
		{"its number is another's", true, true, 7001, "curl", "curl", "/usr/bin/curl"},
		{"its number is another's, and it was never seen", false, true, 7001, "curl", "curl", ""},
		{"its number is another's, whose flow it is", true, true, 7002, "curl", "curl", "/opt/other/curl"},
		{"seen before it began another program", true, false, 7001, "git-remote-http", "zsh", ""},
		{"by a name that was cut", true, false, 7001, "com.apple.WebKit", "com.apple.WebKit.Networking", "/usr/bin/curl"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kernel, table := mac.NewKernel(), macTable()
			if tt.seen {
				running := curl
				running.Name, running.Sockets = tt.program, []mac.Socket{socket(true, 50009)}
				table.Set(running)
			}
			b := newMacBench(t, kernel, table)
			table.Remove(402)
			if tt.reused {
				table.Set(other)
			}
			flow := macFlow(1, ntstat.TCPKernel, 50001, 402, 0, tt.flow)
			flow.UniqueID = tt.unique
			kernel.Begin(flow)
			kernel.End(1, false, false)
			b.after(0.01)
			a := b.history.Owner(macKey(flows.TCP, 50001), flows.InitiatorLocal, b.clock-100_000_000, b.clock)
			if !a.Known() || a.Process.Path != tt.want || tt.want == "" && a.Process.Name != tt.flow {
				t.Errorf("owner %+v; want %q of %s", a.Process, tt.want, tt.flow)
			}
		})
	}
}

// TestMacEffectiveGone: on whose behalf a service acts is known after that process is gone.
func TestMacEffectiveGone(t *testing.T) {
	kernel, table := mac.NewKernel(), macTable()
	table.Set(mac.Process{PID: 402, PPID: 1, UID: 501, Name: "Mail", Path: "/System/Applications/Mail.app/Contents/MacOS/Mail", Start: 42_000_000, Unique: 7001,
		Sockets: []mac.Socket{socket(true, 50009)}})
	b := newMacBench(t, kernel, table)
	table.Remove(402)
	flow := macFlow(1, ntstat.TCPKernel, 50001, 301, 402, "nsurlsessiond")
	flow.EffectiveID = 7001
	kernel.Begin(flow)
	b.after(0.01)
	b.want(t, "on behalf of a process that is gone", macKey(flows.TCP, 50001), "Mail (402) by ntstat")
}

// TestMacLosses: a flow whose end was dropped ends, one whose end was not told ends with the next whole poll, and a kernel
// without room for an answer takes none away.
func TestMacLosses(t *testing.T) {
	kernel := mac.NewKernel(macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl"), macFlow(2, ntstat.TCPKernel, 50002, 402, 0, "curl"),
		macFlow(3, ntstat.TCPKernel, 50003, 402, 0, "curl"))
	b := newMacBench(t, kernel, macTable())
	kernel.End(1, true, false)
	kernel.End(2, false, true)
	kernel.Fill(1)
	b.after(1.1)
	if kernel.Refused != 1 || b.watcher.Scans().Lost != 2 {
		t.Fatalf("%d requests refused, %d losses counted; want 1 and 2", kernel.Refused, b.watcher.Scans().Lost)
	}
	open := func(port uint16) bool { return b.history.Knows(macKey(flows.TCP, port)) }
	if open(50001) || !open(50002) || !open(50003) {
		t.Errorf("after a refused poll: 50001 open %v, 50002 %v, 50003 %v; want the first closed", open(50001), open(50002), open(50003))
	}
	b.after(1.1)
	if open(50002) || !open(50003) {
		t.Errorf("after a whole poll: 50002 open %v, 50003 %v; want the first closed", open(50002), open(50003))
	}
	b.after(3.5)
	b.want(t, "still there", macKey(flows.TCP, 50003), "curl (402) by ntstat")
}

// busyKernel never has nothing to say, and a hundredth of a second passes with each datagram.
type busyKernel struct {
	*mac.Kernel
	bench *macBench
	reads int
}

func (k *busyKernel) Read(b []byte) (int, error) {
	if k.reads++; k.reads > 2000 {
		return 0, io.ErrUnexpectedEOF
	}
	k.bench.clock += 10_000_000
	k.Begin(macFlow(uint64(1000+k.reads), ntstat.UDPKernel, uint16(20000+k.reads), 500, 0, "mDNSResponder"))
	k.End(uint64(1000+k.reads), false, false)
	return k.Kernel.Read(b)
}

// TestMacBusy: a kernel that goes on and on keeps nobody from what else is due.
func TestMacBusy(t *testing.T) {
	kernel := mac.NewKernel(macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl"))
	b := newMacBench(t, kernel, macTable())
	busy := &busyKernel{Kernel: kernel, bench: b}
	b.watcher.watch.flows.conn = busy
	for range 10 {
		b.after(0.5)
	}
	if scans := b.watcher.Scans().Scans; b.watcher.watch.flows == nil || scans < 4 {
		t.Errorf("%d datagrams read and %d scans done in ten looks; want a scan in two seconds, and reading to end", busy.reads, scans)
	}
}

// TestMacClockSetBack: looks go on after the clock was set back.
func TestMacClockSetBack(t *testing.T) {
	kernel := mac.NewKernel()
	b := newMacBench(t, kernel, macTable())
	before := b.watcher.Scans().Scans
	b.clock -= 3600_000_000_000
	kernel.Start(macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl"))
	b.after(0.01)
	if b.watcher.Scans().Scans == before || !b.watcher.watch.told(macKey(flows.TCP, 50001)) {
		t.Errorf("%d scans before and %d after, the flow is told of: %v; want another scan and another poll", before, b.watcher.Scans().Scans,
			b.watcher.watch.told(macKey(flows.TCP, 50001)))
	}
}

// TestMacDrift: a layout that is not known switches the control off; scans go on, and the run's end says why.
func TestMacDrift(t *testing.T) {
	kernel := mac.NewKernel(macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl"))
	table := macTable()
	b := newMacBench(t, kernel, table)
	kernel.Drift(304, 256)
	b.after(5)
	table.Set(mac.Process{PID: 402, PPID: 400, UID: 501, Name: "curl", Path: "/usr/bin/curl", Start: 42_000_000, Sockets: []mac.Socket{socket(true, 50002)}})
	b.after(5)
	b.want(t, "told of before", macKey(flows.TCP, 50001), "no_socket_seen")
	b.want(t, "found by a scan", macKey(flows.TCP, 50002), "curl (402) by libproc")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	err := b.watcher.Run(ended, func([]Event) {})
	if !kernel.Closed() || !errors.Is(err, ntstat.ErrLayout) || !strings.Contains(err.Error(), "switched off") {
		t.Errorf("closed %v, error %v; want it closed, and an error that wraps %v", kernel.Closed(), err, ntstat.ErrLayout)
	}
}

// TestMacLongerSockets: a structure of another size switches scans off, and the run's end says why: no socket would be found without a word.
func TestMacLongerSockets(t *testing.T) {
	table := macTable()
	table.Set(mac.Process{PID: 402, PPID: 400, UID: 501, Name: "curl", Path: "/usr/bin/curl", Start: 42_000_000, Sockets: []mac.Socket{socket(true, 50001)}})
	table.Longer = 8
	b := newMacBench(t, mac.NewKernel(macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl")), table)
	b.want(t, "by the kernel's word", macKey(flows.TCP, 50001), "curl (402) by ntstat")
	if err := b.watcher.watch.failures(); !errors.Is(err, libproc.ErrLayout) || !strings.Contains(err.Error(), "more than 792 bytes") {
		t.Errorf("got %v; want scans switched off for the size of socket_fdinfo", err)
	}
	b.watcher.Tapped([]Tapped{{Key: macKey(flows.TCP, 50002), Time: b.clock, PID: 402, Name: "curl"}})
	b.after(0.01)
	b.want(t, "by its packets", macKey(flows.TCP, 50002), "curl (402) by pktap")
}

// TestMacScansEnd: what scans found is nobody's for long after they were switched off.
func TestMacScansEnd(t *testing.T) {
	table := macTable()
	table.Set(mac.Process{PID: 402, PPID: 400, UID: 501, Name: "curl", Path: "/usr/bin/curl", Start: 42_000_000, Sockets: []mac.Socket{socket(true, 50001)}})
	b := newMacBench(t, nil, table)
	b.want(t, "by a scan", macKey(flows.TCP, 50001), "curl (402) by libproc")
	table.Longer = 8
	if closed := b.after(1); len(closed) != 1 || closed[0].Kind != SocketClosed {
		t.Errorf("got %+v; want the socket closed", closed)
	}
	b.after(60)
	b.want(t, "a minute later", macKey(flows.TCP, 50001), "no_socket_seen")
}

// TestMacRefused: a provider that the kernel refuses is named at the end.
func TestMacRefused(t *testing.T) {
	kernel := mac.NewKernel()
	kernel.Refuse = map[ntstat.Provider]uint32{ntstat.QUICUser: 2}
	b := newMacBench(t, kernel, macTable())
	if err := b.watcher.watch.failures(); err == nil || !strings.Contains(err.Error(), "provider 8") {
		t.Errorf("got %v, want the provider named", err)
	}
	for _, p := range ntstat.Providers() {
		kernel.Refuse[p] = 2
	}
	b = newMacBench(t, kernel, macTable())
	if b.watcher.watch.flows != nil {
		t.Error("every provider was refused, and the control is still asked")
	}
}

// TestMacScan: sockets that come, change hands, go, and cannot be seen, without the kernel's control.
func TestMacScan(t *testing.T) {
	table := macTable()
	b := newMacBench(t, nil, table)
	curl := mac.Process{PID: 402, PPID: 400, UID: 501, Name: "curl", Path: "/usr/bin/curl", Start: 42_000_000,
		Sockets: []mac.Socket{socket(true, 50001), socket(false, 50001), socket(true, 50002)}}
	table.Set(curl)
	b.watcher.Wake()
	b.after(0.06)
	b.want(t, "TCP", macKey(flows.TCP, 50001), "curl (402) by libproc")
	b.want(t, "UDP of the same port", macKey(flows.UDP, 50001), "curl (402) by libproc")
	if s := b.watcher.Scans(); s.Processes != 6 || s.Denied != 1 {
		t.Errorf("%d processes, %d denied; want 6 and 1", s.Processes, s.Denied)
	}
	table.Remove(402)
	curl.PID, curl.Start = 403, 50_000_000
	curl.Sockets = curl.Sockets[:1]
	table.Set(curl)
	b.after(0.5)
	b.want(t, "handed over", macKey(flows.TCP, 50001), "curl (403) by libproc")
	b.after(5)
	b.want(t, "closed", macKey(flows.TCP, 50002), "no_socket_seen")
}

// TestMacPCBs: without the kernel's control its list of sockets tells of those that descriptors do not, with the process that
// another one acts for.
func TestMacPCBs(t *testing.T) {
	table := macTable()
	table.Set(mac.Process{PID: 402, PPID: 400, UID: 501, Name: "curl", Path: "/usr/bin/curl", Start: 42_000_000, Sockets: []mac.Socket{socket(true, 50001)}})
	table.List(mac.PCB{Socket: socket(true, 50001), PID: 402}, mac.PCB{Socket: socket(true, 50002), PID: 301, Effective: 300},
		mac.PCB{Socket: socket(false, 50003), PID: 500}, mac.PCB{Socket: socket(true, 50004), PID: 999})
	b := newMacBench(t, nil, table)
	b.want(t, "found by both", macKey(flows.TCP, 50001), "curl (402) by libproc")
	b.want(t, "user space", macKey(flows.TCP, 50002), "Safari (300) by pcblist")
	b.want(t, "another user's", macKey(flows.UDP, 50003), "mDNSResponder (500) by pcblist")
	b.want(t, "of a process that is gone", macKey(flows.TCP, 50004), "no_socket_seen")
	table.DamageList()
	b.after(1)
	if err := b.watcher.watch.failures(); err == nil || !strings.Contains(err.Error(), "pcblist: switched off") {
		t.Errorf("after a list that cannot be: got %v, want it switched off", err)
	}
	b.want(t, "found by a scan", macKey(flows.TCP, 50001), "curl (402) by libproc")
}

// TestMacManyProcesses: lists that are cut to fit are asked for again with more room.
func TestMacManyProcesses(t *testing.T) {
	table := macTable()
	for pid := range int32(5000) {
		table.Set(mac.Process{PID: 1000 + pid, PPID: 1, Name: "idle", Path: "/bin/sleep", Start: uint64(pid + 1)})
	}
	many := mac.Process{PID: 90000, PPID: 1, Name: "server", Path: "/usr/bin/server", Start: 9_000_000}
	for port := range uint16(5000) {
		many.Sockets = append(many.Sockets, socket(true, 10000+port))
	}
	table.Set(many)
	b := newMacBench(t, nil, table)
	b.want(t, "last socket of the last process", macKey(flows.TCP, 14999), "server (90000) by libproc")
	if got := b.watcher.Scans().Processes; got != 5007 {
		t.Errorf("%d processes seen, want 5007", got)
	}
}

// TestMacKernelFirst: of a socket that both tell of, the kernel's word counts, and there is one life of it.
func TestMacKernelFirst(t *testing.T) {
	kernel := mac.NewKernel(macFlow(1, ntstat.TCPKernel, 50001, 301, 300, "com.apple.WebKit.Networking"))
	table := macTable()
	table.Set(mac.Process{PID: 301, PPID: 1, UID: 501, Name: "com.apple.WebKit", Path: webkit, Start: 31_000_000, Sockets: []mac.Socket{socket(true, 50001)}})
	b := newMacBench(t, kernel, table)
	b.want(t, "at first", macKey(flows.TCP, 50001), "Safari (300) by ntstat")
	b.after(1)
	b.want(t, "later", macKey(flows.TCP, 50001), "Safari (300) by ntstat")
	if n := len(b.history.connected[macKey(flows.TCP, 50001)]); n != 1 {
		t.Errorf("%d lives of the flow, want 1", n)
	}
}

// TestMacCheck: scans lack rights where more is denied than the few processes that root may not look into either.
func TestMacCheck(t *testing.T) {
	table := macTable()
	b := newMacBench(t, mac.NewKernel(macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl")), table)
	checks := b.watcher.Check()
	if len(checks) != 3 || !checks[0].OK || checks[1].OK || checks[1].Mend == "" {
		t.Errorf("got %+v; want the kernel's control fine, and scans to lack rights", checks)
	}
	for pid := range int32(100) {
		table.Set(mac.Process{PID: 1000 + pid, PPID: 1, Name: "idle", Path: "/bin/sleep", Start: uint64(pid + 1)})
	}
	if checks = b.watcher.Check(); !checks[1].OK || checks[1].Mend != "" {
		t.Errorf("one of 106 processes denied: got %+v; want scans fine", checks[1])
	}
}
