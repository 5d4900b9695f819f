package pidmap

import (
	"bytes"
	"net/netip"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"apptap/flows"
)

// TestIntegrationMultipath gives both paths of a connection of Multipath TCP to the program that has it, with the bytes that it
// moved. The kernel opens the second path in a thread of its own.
func TestIntegrationMultipath(t *testing.T) {
	s := newStorm(t)
	second := netip.MustParseAddr("10.77.0.11")
	for _, setting := range [][]string{
		{s.a.Name, "addr", "add", second.String() + "/24", "dev", "veth0"},
		{s.a.Name, "mptcp", "limits", "set", "subflow", "2"}, {s.b.Name, "mptcp", "limits", "set", "subflow", "2"},
		{s.a.Name, "mptcp", "endpoint", "add", second.String(), "dev", "veth0", "subflow"},
	} {
		if out, err := exec.Command("ip", append([]string{"-n"}, setting...)...).CombinedOutput(); err != nil {
			t.Skipf("no Multipath TCP here: ip %q: %v: %s", setting, err, out)
		}
	}
	w := listen(t, s.a, "veth0")
	p := s.act(t, 0, &situation{name: "two paths", mode: "mptcp-paths"})
	began := time.Now()
	h := watchWhile(t, s, Config{}, func() {
		if s.a.Do(t, func() { p.err = p.command.Start() }); p.err == nil {
			p.err = p.command.Wait()
		}
	})
	p.truths = truthsIn(t, bytes.NewReader(p.stdout.Bytes()))
	p.ended(t)
	truth, paths, sum := &p.truths[0], 0, Moved{}
	for key, moved := range w.payloads(t, func(a netip.Addr) bool { return a == s.a.IPv4 || a == second }) {
		if key.Proto != flows.TCP || strconv.Itoa(int(key.Remote.Port)) != p.command.Args[3] {
			continue
		}
		paths++
		sum = Moved{sum.Tx + moved.Tx, sum.Rx + moved.Rx}
		a := h.Owner(key, flows.InitiatorLocal, began.UnixNano(), time.Now().UnixNano())
		got, ok := shareOfLife(a, truth)
		if !ok || a.Method != MethodEBPF || len(a.Shares) != 0 {
			t.Errorf("%v, %+v: got %q by %s%s, %d shares, want %+v", key, moved, a.Process.Path, a.Method, a.Reason, len(a.Shares), *truth)
		} else if has := movedOn(h, key, truth, got); has != (Moved{truth.Tx, truth.Rx}) {
			t.Errorf("%v: moved %+v, want %+v", key, has, *truth)
		}
	}
	if paths != 2 || sum.Tx < truth.Tx || sum.Rx < truth.Rx {
		t.Errorf("%d paths with %+v on the wire, want 2 with no less than %+v", paths, sum, *truth)
	}
}
