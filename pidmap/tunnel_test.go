package pidmap

import (
	"net/netip"
	"testing"

	"apptap/flows"
)

// TestTunnelOwner: datagrams from a port without a socket are the kernel's where it listens itself on the port that they are sent to, and only there.
func TestTunnelOwner(t *testing.T) {
	const begin, end = 10_000_000_000, 11_000_000_000
	local, remote := netip.MustParseAddrPort("192.0.2.2:40000"), netip.MustParseAddrPort("198.51.100.1:4789")
	key := flows.MakeKey(flows.UDP, local, remote)
	tunnel := Socket{Cookie: 7, Kernel: true, Key: flows.Key{Local: flows.MakeKey(flows.UDP, netip.MustParseAddrPort("0.0.0.0:4789"), remote).Local, Proto: flows.UDP}}
	made := Event{Kind: SocketMade, Method: MethodEBPFCreator, Time: 1_000_000_000, Socket: tunnel, Process: kernelProcess()}
	but := func(change func(e *Event)) []Event { e := made; change(&e); return []Event{e} }
	program := Process{Key: ProcessKey{PID: 10, Start: 1}, Name: "vpn", Path: "/usr/bin/vpn"}
	for _, tt := range []struct {
		name   string
		events []Event
		path   string
		method Method
		reason Reason
	}{
		{"a tunnel's", []Event{made}, "", MethodEBPFTunnel, ""},
		{"a program's socket listens there", but(func(e *Event) { e.Socket.Kernel, e.Process = false, program }), "", "", ReasonNoSocketSeen},
		{"a tunnel of another namespace", but(func(e *Event) { e.Socket.Foreign = true }), "", "", ReasonNoSocketSeen},
		{"a tunnel on another port", but(func(e *Event) { e.Socket.Key.Local.Port = 51820 }), "", "", ReasonNoSocketSeen},
		{"a socket has the port", []Event{made, {
			Kind: SocketMade, Method: MethodEBPFCreator, Time: 9_000_000_000, Process: program, Socket: Socket{Cookie: 8, Key: key},
		}}, "/usr/bin/vpn", MethodEBPFCreator, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := NewHistory(ReasonNoSocketSeen)
			for _, e := range append(tt.events, Event{Kind: SocketsCurrent, Time: end}) {
				h.Add(e)
			}
			a := h.Owner(key, flows.InitiatorLocal, begin, end)
			if a.Process.Path != tt.path || a.Method != tt.method || a.Reason != tt.reason {
				t.Errorf("got %+v, want %s by %q, reason %q", a, tt.path, tt.method, tt.reason)
			}
			if tt.method == MethodEBPFTunnel && a.App.Kind != "kernel" {
				t.Errorf("app %+v, want the kernel", a.App)
			}
		})
	}
}
