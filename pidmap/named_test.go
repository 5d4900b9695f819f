package pidmap

import (
	"net/netip"
	"testing"

	"apptap/flows"
)

// TestNamedByItsSource: where a source says what a process's app is, as an anonymized session does that has no arguments, it is that,
// also of what kernel events tell.
func TestNamedByItsSource(t *testing.T) {
	key := flows.MakeKey(flows.TCP, netip.MustParseAddrPort("192.0.2.2:40000"), netip.MustParseAddrPort("192.0.2.9:443"))
	socket := Socket{Key: key, Cookie: 1}
	p := Process{
		Key: ProcessKey{PID: 7, Start: 1}, Name: "python3", Path: "/usr/bin/python3",
		Bundle: &App{ID: "/usr/bin/python3 fetch.py", Name: "fetch.py", Kind: "script"},
	}
	for name, event := range map[string]Event{
		"made": {Kind: SocketMade, Time: 1, Socket: socket, Process: p, Method: MethodEBPF},
		"used": {Kind: SocketUsed, Time: 1, Socket: socket, Process: p, User: UserKey{PID: 7, Start: 1}, Moved: Moved{Tx: 1}, Method: MethodEBPF},
		"held": {Kind: SocketSeen, Time: 1, Socket: socket, Holders: []Process{p}, Method: MethodSockDiag},
	} {
		h := NewHistory(ReasonNoSocketSeen)
		h.Add(event)
		if got := h.Owner(key, flows.InitiatorLocal, 2, 3); got.App.Name != "fetch.py" {
			t.Errorf("%s: owner %q (%s), want fetch.py", name, got.App.Name, got.Reason)
		}
	}
}
