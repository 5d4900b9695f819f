package pidmap

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
)

// TestEvidence: what kernel events and scans told of a flow's socket is listed by time; other sockets and other times are not.
func TestEvidence(t *testing.T) {
	h := NewHistory(ReasonNoSocketSeen)
	maker, user := proc(10, "/bin/maker"), proc(20, "/bin/user")
	s := Socket{Key: tcp1, Cookie: 7}
	for _, e := range []Event{
		{Kind: SocketMade, Method: MethodEBPF, Time: 1000 * ms, NotBefore: 990 * ms, Socket: s, Process: maker},
		{Kind: SocketUsed, Method: MethodEBPF, Time: 1200 * ms, Socket: s, Process: user, User: UserKey{PID: 20}, Moved: Moved{Tx: 5, Rx: 7}},
		seen(1100, s, maker),
		{Kind: ProcessExec, Time: 1150 * ms, Process: Process{Key: maker.Key, Name: "other", Path: "/bin/other"}},
		closed(1200, 1200, s),
		seen(1100, Socket{Key: flows.Key{Local: udp1.Local, Proto: flows.UDP, IPv6: udp1.IPv6}, Cookie: 8}, user),
	} {
		h.Add(e)
	}
	var got []string
	for _, e := range h.Evidence(tcp1, 1000*ms, 1200*ms) {
		got = append(got, fmt.Sprintf("%d %s %s %s %d/%d", e.Time/ms, e.What, e.Method, e.Process.Path, e.Moved.Tx, e.Moved.Rx))
	}
	want := []string{
		"1000 opened   0/0", "1000 made ebpf_creator /bin/maker 0/0", "1100 held sock_diag /bin/maker 0/0",
		"1150 became  /bin/other 0/0", "1200 moved ebpf /bin/user 5/7", "1200 closed   0/0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if first := h.Evidence(tcp1, 1000*ms, 1200*ms)[0]; first.Since != 990*ms || first.Socket.Cookie != 7 {
		t.Errorf("the socket opened %+v, want cookie 7 since 990 ms", first)
	}
	if later := h.Evidence(tcp1, 1200*ms+timeWait+1, 1300*ms+timeWait); later != nil {
		t.Errorf("of a later flow %d lines, want none", len(later))
	}
	if bound := h.Evidence(flows.Key{Local: udp1.Local, Remote: tcp1.Remote, Proto: flows.UDP, IPv6: udp1.IPv6}, 1000*ms, 1200*ms); len(bound) != 2 {
		t.Errorf("of a flow on a bound port %d lines, want opened and held", len(bound))
	}
}
