package pidmap

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"apptap/flows"
)

const ms = 1_000_000

func key(proto flows.Protocol, local, remote string) flows.Key {
	return flows.MakeKey(proto, netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote))
}

func unconnected(proto flows.Protocol, local string) flows.Key {
	k := key(proto, local, local)
	k.Remote = flows.Endpoint{}
	return k
}

func proc(pid int32, path string) Process {
	return Process{Key: ProcessKey{PID: pid, Start: uint64(pid) * 10}, PPID: 1, Path: path, Name: "x"}
}

func seen(at int64, s Socket, holders ...Process) Event {
	return Event{Kind: SocketSeen, Time: at * ms, Method: MethodSockDiag, Socket: s, Holders: holders}
}

func closed(lastSeen, at int64, s Socket) Event {
	return Event{Kind: SocketClosed, Time: at * ms, LastSeen: lastSeen * ms, Socket: s}
}

// ask is a flow, in milliseconds, and what a History must say of it.
type ask struct {
	key         flows.Key
	initiator   flows.Initiator
	first, last int64
	want        string // "pid method" or the reason
}

func say(a Attribution) string {
	if !a.Known() {
		return string(a.Reason)
	}
	return fmt.Sprintf("%d %s", a.Process.Key.PID, a.Method)
}

var (
	tcp1    = key(flows.TCP, "192.0.2.1:40000", "198.51.100.1:443")
	udp1    = key(flows.UDP, "192.0.2.1:5000", "198.51.100.1:53")
	inbound = key(flows.TCP, "192.0.2.1:80", "198.51.100.1:9999")
	a, b, c = proc(10, "/bin/a"), proc(20, "/bin/b"), proc(30, "/bin/c")
	a2      = proc(11, "/bin/a")
)

func TestOwner(t *testing.T) {
	s := func(k flows.Key, cookie uint64) Socket { return Socket{Key: k, Cookie: cookie, Inode: cookie} }
	listener := func(cookie uint64, local string, dual bool) Socket {
		return Socket{Key: unconnected(flows.TCP, local), Cookie: cookie, Inode: cookie, Listening: true, DualStack: dual}
	}
	bound := func(cookie uint64, local string, dual bool) Socket {
		return Socket{Key: unconnected(flows.UDP, local), Cookie: cookie, Inode: cookie, DualStack: dual}
	}
	withNotBefore := func(e Event, at int64) Event { e.NotBefore = at * ms; return e }
	exec := func(at int64, p Process) Event { return Event{Kind: ProcessExec, Time: at * ms, Process: p} }
	bash, curl := a, a
	bash.Path, curl.Path = "/bin/bash", "/usr/bin/curl"
	child := a2
	child.Key.Start, child.Key.PID, child.PPID = a.Key.Start, 9, a.Key.PID // same tick, smaller PID

	fresh, old := a, b // began a moment before the flows, or long before
	fresh.StartTime, old.StartTime = 990*ms, 1*ms

	tests := []struct {
		name   string
		events []Event
		asks   []ask
	}{
		{"a program that has only begun, seen once", []Event{seen(10_000, s(tcp1, 1), fresh), closed(10_000, 10_500, s(tcp1, 1))}, []ask{
			{tcp1, 0, 1000, 10_200, "ambiguous"}, {tcp1, 0, 9000, 10_200, "10 sock_diag"},
		}},
		{"a program that was there before, seen once", []Event{seen(10_000, s(tcp1, 1), old)}, []ask{{tcp1, 0, 9000, 10_200, "20 sock_diag"}}},
		{"a program that has only begun, watched long", []Event{seen(1000, s(tcp1, 1), fresh), {Kind: SocketsCurrent, Time: 5000 * ms}}, []ask{
			{tcp1, 0, 1000, 5100, "10 sock_diag"}, {tcp1, 0, 1000, 9000, "ambiguous"},
		}},
		{"a program that has only begun, where the kernel tells of I/O", []Event{seen(10_000, s(tcp1, 1), fresh), closed(10_000, 10_500, s(tcp1, 1)),
			{Kind: SocketMade, Time: 9000 * ms, Socket: s(inbound, 9), Process: b}}, []ask{{tcp1, 0, 1000, 10_200, "10 sock_diag"}}},
		{"exact", []Event{seen(1000, s(tcp1, 1), a)}, []ask{
			{tcp1, flows.InitiatorLocal, 900, 1200, "10 sock_diag"},
			{tcp1.Reverse(), flows.InitiatorLocal, 900, 1200, "no_socket_seen"},
			{key(flows.TCP, "192.0.2.1:40000", "198.51.100.1:444"), flows.InitiatorLocal, 900, 1200, "no_socket_seen"},
			{key(flows.UDP, "192.0.2.1:40000", "198.51.100.1:443"), flows.InitiatorLocal, 900, 1200, "no_socket_seen"},
		}},
		{"seen after its last packet, soon or late", []Event{seen(5000, s(tcp1, 1), a)}, []ask{
			{tcp1, 0, 2900, 3000, "10 sock_diag"}, {tcp1, 0, 2900, 2999, "no_socket_seen"},
		}},
		{"not there when last looked", []Event{withNotBefore(seen(1000, s(tcp1, 1), a), 990)}, []ask{
			{tcp1, 0, 980, 989, "no_socket_seen"}, {tcp1, 0, 980, 990, "10 sock_diag"}, {tcp1, 0, 500, 1500, "10 sock_diag"},
		}},
		{"a process that is another program within the flow", []Event{seen(1000, s(tcp1, 1), bash), seen(1500, s(tcp1, 1), curl)}, []ask{
			{tcp1, 0, 900, 2000, "ambiguous"}, {tcp1, 0, 1600, 2000, "10 sock_diag"}, {tcp1, 0, 900, 1400, "10 sock_diag"},
		}},
		{"datagrams sent before their socket was there", []Event{withNotBefore(seen(2500, bound(1, "192.0.2.1:5000", false), b), 2400)}, []ask{
			{udp1, 0, 1000, 2600, "ambiguous"}, {udp1, 0, 2360, 2600, "20 sock_diag_bound"},
		}},
		{"connected datagrams sent before their socket was there", []Event{withNotBefore(seen(2500, s(udp1, 1), b), 2400)}, []ask{
			{udp1, 0, 1000, 2600, "ambiguous"}, {udp1, 0, 2410, 2600, "20 sock_diag"},
		}},
		{"a port that changes hands within a flow", []Event{
			seen(1010, bound(1, "192.0.2.1:5000", false), a), closed(1400, 1500, bound(1, "192.0.2.1:5000", false)),
			withNotBefore(seen(2100, bound(2, "192.0.2.1:5000", false), b), 2000),
		}, []ask{
			{udp1, 0, 1000, 2090, "ambiguous"}, {udp1, 0, 1000, 1480, "10 sock_diag_bound"}, {udp1, 0, 2050, 2090, "20 sock_diag_bound"},
		}},
		{"a port that changes hands between two looks", []Event{
			seen(1010, bound(1, "192.0.2.1:5000", false), a), closed(2000, 3000, bound(1, "192.0.2.1:5000", false)),
			withNotBefore(seen(3010, bound(2, "192.0.2.1:5000", false), b), 2000),
		}, []ask{
			{udp1, 0, 1000, 2900, "ambiguous"}, {udp1, 0, 1000, 1990, "10 sock_diag_bound"}, {udp1, 0, 3100, 3200, "20 sock_diag_bound"},
		}},
		{"a program that comes after its flow began and stays", []Event{
			withNotBefore(seen(1010, s(udp1, 1), a), 900), closed(1010, 1500, s(udp1, 1)),
			withNotBefore(seen(3000, s(udp1, 2), b), 2900), {Kind: SocketsCurrent, Time: 9000 * ms},
		}, []ask{
			{udp1, 0, 1000, 5000, "ambiguous"}, {udp1, 0, 2990, 5000, "20 sock_diag"},
		}},
		{"a program that becomes another within the flow", []Event{seen(1000, s(tcp1, 1), bash), exec(1500, curl)}, []ask{
			{tcp1, 0, 900, 2000, "ambiguous"}, {tcp1, 0, 1500, 2000, "10 sock_diag"}, {tcp1, 0, 900, 1400, "10 sock_diag"},
		}},
		{"a socket closed on exec", []Event{seen(1000, s(tcp1, 1), a2, bash), exec(1500, curl), seen(1600, s(tcp1, 1), a2)}, []ask{
			{tcp1, 0, 1550, 2000, "ambiguous"}, {tcp1, 0, 1600, 2000, "11 sock_diag"},
		}},
		{"a socket gone before its holder becomes another", []Event{seen(1000, s(tcp1, 1), bash), closed(1000, 1400, s(tcp1, 1)), exec(1500, curl)}, []ask{
			{tcp1, 0, 900, 2000, "10 sock_diag"},
		}},
		{"listeners of two programs on one port", []Event{seen(1000, listener(1, "0.0.0.0:80", false), a), seen(1000, listener(2, "0.0.0.0:80", false), b)}, []ask{
			{inbound, flows.InitiatorRemote, 1000, 1100, "ambiguous"},
		}},
		{"a program that dies and another of the same app", []Event{
			seen(1010, bound(1, "192.0.2.1:5000", false), a), closed(1400, 1500, bound(1, "192.0.2.1:5000", false)),
			withNotBefore(seen(2100, bound(2, "192.0.2.1:5000", false), a2), 2000),
		}, []ask{{udp1, 0, 1000, 2090, "11 sock_diag_bound"}}},
		{"datagrams after their socket was gone", []Event{
			seen(1010, bound(1, "192.0.2.1:5000", false), a), closed(1400, 1500, bound(1, "192.0.2.1:5000", false)),
		}, []ask{
			{udp1, 0, 1000, 1900, "10 sock_diag_bound"}, {udp1, 0, 1000, 2900, "ambiguous"}, // an answer may be late, but not for ever
		}},
		{"a datagram socket that connects after its first packet", []Event{
			seen(1010, bound(1, "192.0.2.1:5000", false), a), withNotBefore(seen(1200, s(udp1, 1), a), 1150),
		}, []ask{{udp1, 0, 1000, 1300, "10 sock_diag_bound"}}},
		{"flow begun after the socket closed", []Event{seen(1000, s(tcp1, 1), a), closed(1100, 1200, s(tcp1, 1))}, []ask{
			{tcp1, 0, 1150, 1300, "10 sock_diag"}, {tcp1, 0, 1201, 1300, "no_socket_seen"},
		}},
		{"source gone silent", []Event{seen(1000, s(tcp1, 1), a), {Kind: SocketsCurrent, Time: 5000 * ms}}, []ask{
			{tcp1, 0, 7900, 9000, "10 sock_diag"}, {tcp1, 0, 8100, 9000, "no_socket_seen"},
		}},
		{"port reuse by another process", []Event{
			// Cookies are not chronological: the later socket has the smaller one.
			seen(1000, s(tcp1, 9), a), closed(1010, 1030, s(tcp1, 9)), seen(1030, s(tcp1, 4), b), closed(1040, 1050, s(tcp1, 4)),
		}, []ask{
			{tcp1, 0, 999, 1011, "10 sock_diag"}, {tcp1, 0, 1025, 1045, "20 sock_diag"}, {tcp1, 0, 1060, 1070, "no_socket_seen"},
			{tcp1, 0, 1000, 1045, "ambiguous"}, // one flow over both
			{tcp1, 0, 1015, 1020, "ambiguous"}, // between the two: it may be either's
		}},
		{"reuse without a close event", []Event{seen(1000, s(tcp1, 9), a), seen(5000, s(tcp1, 4), b)}, []ask{
			{tcp1, 0, 900, 1100, "10 sock_diag"}, {tcp1, 0, 5000, 5100, "20 sock_diag"},
		}},
		{"reuse by the same app", []Event{seen(1000, s(tcp1, 9), a), seen(2000, s(tcp1, 4), a2)}, []ask{
			{tcp1, 0, 900, 2100, "11 sock_diag"},
		}},
		{"connected beats bound", []Event{seen(1000, bound(1, "192.0.2.1:5000", false), a), seen(1000, s(udp1, 2), b)}, []ask{
			{udp1, 0, 1000, 1100, "20 sock_diag"},
			{key(flows.UDP, "192.0.2.1:5000", "203.0.113.9:1"), 0, 1000, 1100, "10 sock_diag_bound"},
		}},
		{"exact address beats wildcard beats dual stack", []Event{
			seen(1000, bound(1, "[::]:5000", true), a), seen(1000, bound(2, "0.0.0.0:5000", false), b), seen(1000, bound(3, "192.0.2.1:5000", false), c),
		}, []ask{
			{udp1, 0, 1000, 1100, "30 sock_diag_bound"},
			{key(flows.UDP, "192.0.2.2:5000", "198.51.100.1:53"), 0, 1000, 1100, "20 sock_diag_bound"},
			{key(flows.UDP, "[2001:db8::1]:5000", "[2001:db8::2]:53"), 0, 1000, 1100, "10 sock_diag_bound"},
			{key(flows.UDP, "192.0.2.1:5001", "198.51.100.1:53"), 0, 1000, 1100, "no_socket_seen"},
		}},
		{"dual stack serves IPv4", []Event{seen(1000, bound(1, "[::]:5000", true), a)}, []ask{{udp1, 0, 1000, 1100, "10 sock_diag_bound"}}},
		{"v6only does not", []Event{seen(1000, bound(1, "[::]:5000", false), a)}, []ask{{udp1, 0, 1000, 1100, "no_socket_seen"}}},
		{"UDP port used in turn", []Event{
			seen(1000, bound(1, "0.0.0.0:5000", false), a), closed(1100, 1110, bound(1, "0.0.0.0:5000", false)), seen(2000, bound(2, "0.0.0.0:5000", false), b),
		}, []ask{{udp1, 0, 1000, 1050, "10 sock_diag_bound"}, {udp1, 0, 2000, 2050, "20 sock_diag_bound"}, {udp1, 0, 1000, 2050, "ambiguous"}}},
		{"UDP port shared", []Event{seen(1000, bound(1, "0.0.0.0:5353", false), a), seen(1000, bound(2, "0.0.0.0:5353", false), b)}, []ask{
			{key(flows.UDP, "192.0.2.1:5353", "224.0.0.251:5353"), 0, 1000, 1100, "ambiguous"},
		}},
		{"UDP socket connects", []Event{seen(1000, bound(1, "0.0.0.0:5000", false), a), seen(2000, s(udp1, 1), a)}, []ask{
			{udp1, 0, 2000, 2100, "10 sock_diag"},
			{key(flows.UDP, "192.0.2.1:5000", "203.0.113.9:1"), 0, 1500, 1600, "10 sock_diag_bound"},
			{key(flows.UDP, "192.0.2.1:5000", "203.0.113.9:1"), 0, 2500, 2600, "no_socket_seen"},
		}},
		{"listener owns what came in", []Event{seen(1000, listener(1, "[::]:80", true), a)}, []ask{
			{inbound, flows.InitiatorRemote, 1000, 1100, "10 sock_diag_listener"},
			{inbound, flows.InitiatorLocal, 1000, 1100, "no_socket_seen"},
			{inbound, flows.InitiatorUnknown, 1000, 1100, "no_socket_seen"},
		}},
		{"accepted socket beats listener", []Event{seen(1000, listener(1, "0.0.0.0:80", false), a), seen(1000, s(inbound, 2), b)}, []ask{
			{inbound, flows.InitiatorRemote, 1000, 1100, "20 sock_diag"},
		}},
		{"waiting to be accepted", []Event{seen(1000, listener(1, "0.0.0.0:80", false), a), seen(1000, s(inbound, 2))}, []ask{
			{inbound, flows.InitiatorRemote, 1000, 1100, "10 sock_diag_listener"},
		}},
		{"nobody holds it", []Event{seen(1000, s(tcp1, 1))}, []ask{{tcp1, flows.InitiatorLocal, 1000, 1100, "no_process"}}},
		{"connected without holder hides bound", []Event{seen(1000, s(udp1, 1)), seen(1000, bound(2, "0.0.0.0:5000", false), a)}, []ask{
			{udp1, 0, 1000, 1100, "no_process"},
		}},
		{"two holders of one app", []Event{seen(1000, s(tcp1, 1), a2, a)}, []ask{{tcp1, 0, 1000, 1100, "11 sock_diag"}}},
		{"parent and child of the same tick", []Event{seen(1000, s(tcp1, 1), a, child)}, []ask{{tcp1, 0, 1000, 1100, "9 sock_diag"}}},
		{"two holders of two apps", []Event{seen(1000, s(tcp1, 1), a, b)}, []ask{{tcp1, 0, 1000, 1100, "ambiguous"}}},
		{"handed over during the flow", []Event{seen(1000, s(tcp1, 1), a), seen(2000, s(tcp1, 1), b)}, []ask{
			{tcp1, 0, 900, 2100, "ambiguous"}, {tcp1, 0, 900, 1500, "10 sock_diag"}, {tcp1, 0, 2100, 2200, "20 sock_diag"},
		}},
		{"by another method", []Event{{Kind: SocketSeen, Time: 1000 * ms, Method: "ebpf", Socket: bound(1, "0.0.0.0:5000", false), Holders: []Process{a}}}, []ask{
			{udp1, 0, 1000, 1100, "10 ebpf"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Sources overtake one another: the order of events changes nothing.
			for seed := range uint64(6) {
				events := append([]Event(nil), tt.events...)
				if seed > 0 {
					rng := rand.New(rand.NewPCG(seed, 1))
					rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
				}
				h := NewHistory(ReasonNoSocketSeen)
				for _, e := range events {
					h.Add(e)
				}
				for _, q := range tt.asks {
					if got := say(h.Owner(q.key, q.initiator, q.first*ms, q.last*ms)); got != q.want {
						t.Errorf("order %d: %v opened by %v, %d to %d ms: %q, want %q", seed, q.key, q.initiator, q.first, q.last, got, q.want)
					}
				}
			}
		})
	}
}

func TestOwnerAfterExec(t *testing.T) {
	curl := a
	curl.Path = "/usr/bin/curl"
	h := NewHistory(ReasonNoSocketSeen)
	h.Add(seen(1000, Socket{Key: tcp1, Cookie: 1}, a))
	h.Add(Event{Kind: ProcessExec, Time: 2000 * ms, Process: curl})
	for _, tt := range []struct {
		first, last int64
		want        string
	}{{1100, 1200, "/bin/a"}, {1100, 3000, ""}, {2100, 3000, "/usr/bin/curl"}} {
		if got := h.Owner(tcp1, 0, tt.first*ms, tt.last*ms).App.ID; got != tt.want {
			t.Errorf("flow %d to %d ms: %q, want %q", tt.first, tt.last, got, tt.want)
		}
	}
}

func TestCandidates(t *testing.T) {
	h := NewHistory(ReasonNoSocketSeen)
	h.Add(seen(1000, Socket{Key: tcp1, Cookie: 1}, c, a, b))
	got := h.Owner(tcp1, 0, 1000*ms, 1100*ms).Candidates
	if len(got) != 3 || got[0].Key != a.Key || got[1].Key != b.Key || got[2].Key != c.Key {
		t.Errorf("candidates = %+v, want a, b, c in order of their keys", got)
	}
}

func TestEmptyHistory(t *testing.T) {
	var none *History
	if got := say(none.Owner(tcp1, 0, 0, 1)); got != "no_owner_in_file" {
		t.Errorf("nil History: %q, want no_owner_in_file", got)
	}
	if none.Knows(tcp1) {
		t.Error("nil History knows a socket")
	}
	for _, reason := range []Reason{ReasonNoSocketSeen, ReasonNoOwnerInFile} {
		if got := NewHistory(reason).Owner(tcp1, 0, 0, 1).Reason; got != reason {
			t.Errorf("empty History: %q, want %q", got, reason)
		}
	}
}

func TestKnows(t *testing.T) {
	h := NewHistory(ReasonNoSocketSeen)
	s := Socket{Key: tcp1, Cookie: 1}
	h.Add(seen(1000, s, a))
	h.Add(seen(1000, Socket{Key: unconnected(flows.UDP, "[::]:5000"), Cookie: 2, DualStack: true}, a))
	if !h.Knows(tcp1) || !h.Knows(udp1) {
		t.Errorf("connected %v, dual stack %v; want both known", h.Knows(tcp1), h.Knows(udp1))
	}
	if h.Knows(tcp1.Reverse()) || h.Knows(inbound) {
		t.Error("knows sockets that nobody told of")
	}
	h.Add(closed(1500, 1600, s))
	if h.Knows(tcp1) {
		t.Error("still knows a closed socket")
	}
}

// noFlows needs nothing, needed what one flow does.
type noFlows struct{}

func (noFlows) Flow(flows.Key, int64) bool       { return false }
func (noFlows) Port(flows.Protocol, uint16) bool { return false }

type needed struct{ key flows.Key }

func (n needed) Flow(key flows.Key, _ int64) bool { return key == n.key || key.Reverse() == n.key }
func (n needed) Port(proto flows.Protocol, port uint16) bool {
	return proto == n.key.Proto && (port == n.key.Local.Port || port == n.key.Remote.Port)
}

func TestForget(t *testing.T) {
	h := NewHistory(ReasonNoSocketSeen)
	gone, there := Socket{Key: tcp1, Cookie: 1}, Socket{Key: udp1, Cookie: 2}
	h.Add(seen(1000, gone, a))
	h.Add(seen(1000, there, b))
	h.Add(Event{Kind: ProcessExec, Time: 1100 * ms, Process: a})
	h.Add(closed(1100, 1200, gone))
	h.Add(Event{Kind: ProcessExit, Time: 1200 * ms, Process: a})
	h.Forget(1200*ms, noFlows{})
	if got := say(h.Owner(tcp1, 0, 1000*ms, 1100*ms)); got != "10 sock_diag" {
		t.Errorf("forgotten too early: %q", got)
	}
	h.Forget(1201*ms, needed{tcp1})
	if got := say(h.Owner(tcp1, 0, 1000*ms, 1100*ms)); got != "10 sock_diag" {
		t.Errorf("forgotten while there is a flow: %q", got)
	}
	h.Forget(1201*ms, noFlows{})
	if got := say(h.Owner(tcp1, 0, 1000*ms, 1100*ms)); got != "no_socket_seen" {
		t.Errorf("after Forget: %q, want no_socket_seen", got)
	}
	if got := say(h.Owner(udp1, 0, 1000*ms, 1100*ms)); got != "20 sock_diag" {
		t.Errorf("open socket forgotten: %q", got)
	}
	if n := len(h.connected) + len(h.bound) + len(h.byIdentity) + len(h.images) + len(h.exits); n != 2 {
		t.Errorf("%d entries left, want the open socket's 2", n)
	}
}

// One socket that is passed round for ever costs a bounded amount.
func TestSightingsAreBounded(t *testing.T) {
	h := NewHistory(ReasonNoSocketSeen)
	for i := range int64(10 * maxSightings) {
		h.Add(seen(1000+i, Socket{Key: tcp1, Cookie: 1}, proc(int32(i+1), "/bin/a")))
	}
	if got := len(h.connected[tcp1][0].sightings); got > maxSightings {
		t.Errorf("%d sightings kept, want at most %d", got, maxSightings)
	}
	if got := say(h.Owner(tcp1, 0, 4000*ms, 4100*ms)); got != "640 sock_diag" {
		t.Errorf("last holder: %q, want 640 sock_diag", got)
	}
}

func BenchmarkOwner(b *testing.B) {
	h := NewHistory(ReasonNoSocketSeen)
	keys := make([]flows.Key, 10000)
	for i := range keys {
		keys[i] = flows.MakeKey(flows.TCP, netip.MustParseAddrPort("192.0.2.1:443"), netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, 1}), uint16(i+1)))
		h.Add(seen(int64(i), Socket{Key: keys[i], Cookie: uint64(i + 1)}, a))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.Owner(keys[i%len(keys)], flows.InitiatorRemote, 0, 20000*ms)
	}
}
