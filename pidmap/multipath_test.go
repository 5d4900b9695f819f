package pidmap

import (
	"net/netip"
	"testing"

	"apptap/flows"
)

// TestPathSeenLate: a scan lists a socket that carries the packets of Multipath TCP after kernel events have told of it. It says neither whose packets
// they are nor who has the socket, which nobody has; the owner stays.
func TestPathSeenLate(t *testing.T) {
	key := flows.MakeKey(flows.TCP, netip.MustParseAddrPort("192.0.2.2:40000"), netip.MustParseAddrPort("198.51.100.1:443"))
	program := Process{Key: ProcessKey{PID: 10, Start: 1}, Name: "two", Path: "/usr/bin/two"}
	path := Socket{Key: key, Cookie: 8, Over: 7}
	for name, seen := range map[string]int64{"while it is open": 2_500_000_000, "as it ends": 2_700_000_001} {
		h := NewHistory(ReasonNoSocketSeen)
		for _, e := range []Event{
			{Kind: SocketUsed, Method: MethodEBPF, Time: 2_000_000_000, NotBefore: 1_000_000_000, Socket: path, Process: program, User: UserKey{PID: 10, Start: 1}, Moved: Moved{Tx: 1, Rx: 2}},
			{Kind: SocketClosed, Method: MethodEBPF, Time: 2_700_000_000, LastSeen: 2_700_000_000, Socket: path},
			{Kind: SocketSeen, Method: MethodSockDiag, Time: seen, Socket: Socket{Key: key, Cookie: 8}},
			{Kind: SocketsCurrent, Time: 3_000_000_000},
		} {
			h.Add(e)
		}
		if a := h.Owner(key, flows.InitiatorLocal, 1_500_000_000, 2_600_000_000); a.Process.Path != program.Path || a.Method != MethodEBPF {
			t.Errorf("%s: got %+v, want %s by %s", name, a, program.Path, MethodEBPF)
		}
	}
}
