package main

import (
	"encoding/json"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"testing"

	"apptap/fixtures/netns"
	"apptap/pidmap"
)

// TestIntegrationEgressQueue counts without a capture on a link that is shaped: what its queue drops was sent by a socket and by no interface, and has
// a name.
func TestIntegrationEgressQueue(t *testing.T) {
	here, there := netns.Pair(t)
	tc, err := exec.LookPath("tc")
	if err != nil {
		t.Skip("tc(8) is not installed")
	}
	watcher, _, err := pidmap.Open(pidmap.Config{})
	if err != nil || !watcher.Counts() {
		t.Skipf("kernel events do not count packets here (%v)", err)
	}
	watcher.Close()
	if out, err := here.Command(t, tc, "qdisc", "add", "dev", netns.Interface, "root", "tbf", "rate", "1mbit", "burst", "2000", "limit", "4000").CombinedOutput(); err != nil {
		t.Skipf("this kernel shapes no links: %v: %s", err, out)
	}
	file := filepath.Join(t.TempDir(), "counted.json")
	run := here.Command(t, "apptap", "capture", "-i", netns.Interface, "--count-only", "--format", "json", "-o", file)
	wait := start(t, run, "counting on ")
	const datagrams, size = 200, 1000
	var c *net.UDPConn
	here.Do(t, func() { c, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(there.IPv4, 9))) })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := uint64(0)
	for range datagrams {
		if n, err := c.Write(make([]byte, size)); err == nil { // else it was told that nobody listens there, and sent nothing
			sent += uint64(n)
		}
	}
	interrupt(t, run)
	wait()
	var r struct {
		Totals counters
		Audit  struct {
			Verdict    string
			Interfaces []struct {
				Residual  *int64           `json:"residual_bytes"`
				Explained map[string]int64 `json:"explained"`
			}
		}
	}
	readJSON(t, file, &r)
	i := r.Audit.Interfaces
	if len(i) != 1 || i[0].Residual == nil || *i[0].Residual != 0 || i[0].Explained["egress_queue"] == 0 || r.Audit.Verdict != "explained" {
		b, _ := json.Marshal(r.Audit)
		t.Errorf("audit %s, want nothing left of what the queue dropped", b)
	}
	if r.Totals.TxPayload != sent {
		t.Errorf("sockets sent %d bytes, want %d", r.Totals.TxPayload, sent)
	}
}
