package main

import (
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures/netns"
)

// onceReport is what must be the same however many interfaces show a packet.
type onceReport struct {
	Totals       counters
	Apps         []onceApp
	Unattributed struct{ Packets, Bytes uint64 }
	Undecoded    struct {
		Packets, Bytes uint64
		Kinds          map[string]uint64 `json:"kinds_bytes"`
	}
	SeenBefore struct {
		Packets, Bytes uint64
		Kinds          map[string]uint64
		Unmatched      uint64 `json:"unmatched_bytes"`
	} `json:"seen_before"`
	Audit struct {
		Interfaces []onceInterface
		Ledger     struct {
			SeenBefore    uint64 `json:"seen_before"`
			ResidualBytes *int64 `json:"residual_bytes"`
		}
	}
}

type onceInterface struct {
	Name          string
	CapturedBytes uint64 `json:"captured_bytes"`
	Explained     map[string]uint64
	ResidualBytes *int64 `json:"residual_bytes"`
}

type onceApp struct {
	App struct{ Name, Path string }
	counters
	Destinations []struct {
		Times struct {
			TxRetransmitBytes uint64 `json:"tx_retransmit_bytes"`
			RxRetransmitBytes uint64 `json:"rx_retransmit_bytes"`
		}
	}
}

// once is the payload that the app moved without what TCP sent again: a tunnel that waits for a processor is slower than its patience.
func (a *onceApp) once() (tx, rx uint64) {
	tx, rx = a.TxPayload, a.RxPayload
	for _, d := range a.Destinations {
		tx -= d.Times.TxRetransmitBytes
		rx -= d.Times.RxRetransmitBytes
	}
	return tx, rx
}

// oncePrograms is how many programs move bytes in each topology.
const oncePrograms = 40

const (
	// maxOverhead is how many bytes a tunnel adds to a packet at most: Ethernet, IPv4 and UDP headers, and WireGuard's 32 and padding.
	maxOverhead = 14 + 20 + 8 + 32 + 15
	// maxOriginated is what tunnels and interfaces say of their own: WireGuard's handshake, ARP, neighbour discovery.
	maxOriginated = 4000
)

// TestIntegrationOnce captures on two interfaces that the same packets pass: every program has moved what it moved, once,
// and a replay says the same.
func TestIntegrationOnce(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap")
	}
	for _, c := range []struct {
		name       string
		interfaces [2]string
		lay        func(t *testing.T, here, there *netns.Namespace) (server netip.Addr)
		kind       string // of what is seen before
	}{
		{"bridge", [2]string{"br0", netns.Interface}, bridged, "same_packet"},
		{"VLAN", [2]string{"veth0.5", netns.Interface}, tagged, "same_packet"},
		{"VXLAN", [2]string{"vx0", netns.Interface}, encapsulated("vx0", "vxlan", "id", "7", "dstport", "4789"), "carried"},
		{"GENEVE", [2]string{"gv0", netns.Interface}, encapsulated("gv0", "geneve", "id", "7"), "carried"},
		{"IPIP", [2]string{"ti0", netns.Interface}, encapsulated("ti0", "ipip"), "same_packet"},
		{"GRE", [2]string{"gr0", netns.Interface}, encapsulated("gr0", "gre"), "same_packet"},
		{"WireGuard", [2]string{"wg0", netns.Interface}, wireGuard, "carried_unread"},
		{"TUN", [2]string{"tun0", netns.Interface}, forwarded(udpEnds(51820), sealed{}), "carried_unread"},
		{"IPIP of a program", [2]string{"tun0", netns.Interface}, forwarded(ipEnds("ip4:4"), headed{}), "same_packet"},
		{"GRE of a program", [2]string{"tun0", netns.Interface}, forwarded(ipEnds("ip4:47"), headed{0, 0, 0x08, 0x00}), "same_packet"},
		{"GENEVE of a program", [2]string{"tun0", netns.Interface}, forwarded(udpEnds(6081), headed{0, 0, 0x08, 0x00, 0, 0, 7, 0}), "carried"},
	} {
		t.Run(c.name, func(t *testing.T) {
			here, there := netns.Pair(t)
			server := c.lay(t, here, there)
			dir := t.TempDir()
			serveShort(t, there)
			live, session := filepath.Join(dir, "live.json"), filepath.Join(dir, "s.pcapng")
			run := here.Command(t, "apptap", "capture", "-i", c.interfaces[0], "-i", c.interfaces[1], "-w", session, "--format", "json", "-o", live)
			wait := start(t, run, "capturing on")
			short(t, here, server, dir, oncePrograms)
			interrupt(t, run)
			wait()
			var report, again onceReport
			readJSON(t, live, &report)
			checkCountedOnce(t, &report, c.kind)
			replay := filepath.Join(dir, "replay.json")
			if out, err := exec.CommandContext(t.Context(), "apptap", "replay", "--format", "json", "-o", replay, session).CombinedOutput(); err != nil {
				t.Fatalf("replay: %v: %s", err, out)
			}
			readJSON(t, replay, &again)
			if diff := cmp.Diff(report, again, cmp.AllowUnexported(onceApp{})); diff != "" {
				t.Errorf("replay (-live +replay):\n%s", diff)
			}
		})
	}
}

// checkCountedOnce compares with what the programs were told to move.
func checkCountedOnce(t *testing.T, r *onceReport, kind string) {
	t.Helper()
	var got, want counters
	for i := range uint64(oncePrograms) {
		want.TxPayload += 100 + i
		want.RxPayload += 1000
		if i%4 != 3 { // over TCP; a datagram is answered by 1000 bytes
			want.RxPayload += i
		}
	}
	rest, packets := r.Totals.bytes(), uint64(0)
	for _, app := range r.Apps {
		if strings.HasPrefix(app.App.Name, "p") {
			rest, packets = rest-app.bytes(), packets+app.packets()
			tx, rx := app.once()
			got.TxPayload += tx
			got.RxPayload += rx
		}
	}
	if got != want {
		t.Errorf("the programs moved %+v, want %+v, of %+v", got, want, r.Apps)
	}
	most := packets*maxOverhead + maxOriginated
	if kind == "carried_unread" {
		checkCarried(t, r)
	}
	if rest > most {
		t.Errorf("the carrier and others have %d bytes, want at most %d for %d packets of the programs", rest, most, packets)
	}
	if r.SeenBefore.Kinds[kind] == 0 || len(r.SeenBefore.Kinds) != 1 {
		t.Errorf("seen before: got %+v, want only %s", r.SeenBefore, kind)
	}
	var captured uint64
	for _, i := range r.Audit.Interfaces {
		captured += i.CapturedBytes
		if i.ResidualBytes == nil || *i.ResidualBytes != 0 {
			t.Errorf("%s: got residual %v, want 0", i.Name, number(i.ResidualBytes))
		}
	}
	if l := r.Audit.Ledger; l.SeenBefore != r.SeenBefore.Bytes || l.ResidualBytes == nil || *l.ResidualBytes != 0 {
		t.Errorf("ledger: got %d bytes seen before and residual %v, want %d and 0", l.SeenBefore, number(l.ResidualBytes), r.SeenBefore.Bytes)
	}
	if sum := r.Totals.bytes() + r.Undecoded.Bytes + r.SeenBefore.Bytes; sum != captured {
		t.Errorf("totals, undecoded and seen before are %d bytes, captured were %d", sum, captured)
	}
}

// checkCarried holds that each packet that passed the tunnel was found in a datagram, or is said not to have been: that can be
// only what the kernel sends of its own accord before the tunnel's other end is there (router solicitations).
func checkCarried(t *testing.T, r *onceReport) {
	t.Helper()
	inside := r.Audit.Interfaces[slices.IndexFunc(r.Audit.Interfaces, func(i onceInterface) bool { return i.Name != netns.Interface })].CapturedBytes
	found, left := r.SeenBefore.Kinds["carried_unread"], r.SeenBefore.Unmatched
	if found+left != inside || left > r.Undecoded.Kinds["icmpv6"] {
		t.Errorf("of %d bytes inside the tunnel %d were found in datagrams, %d are said not to have been; want all of the programs'", inside, found, left)
	}
}

// number is what a report says, nil where it says null.
func number(p *int64) any {
	if p == nil {
		return nil
	}
	return *p
}

// onceServer is the address behind a tunnel, onceClient this side's.
const onceClient, onceServer = "10.99.0.1", "10.99.0.2"

// bridged moves the address of the veth to a bridge of which it is a port.
func bridged(t *testing.T, here, there *netns.Namespace) netip.Addr {
	ipIn(t, here, "link", "add", "br0", "type", "bridge")
	ipIn(t, here, "addr", "flush", "dev", netns.Interface)
	ipIn(t, here, "link", "set", netns.Interface, "master", "br0")
	ipIn(t, here, "addr", "add", here.IPv4.String()+"/24", "dev", "br0")
	ipIn(t, here, "link", "set", "br0", "up")
	return there.IPv4
}

// tagged lays a VLAN over the veth pair.
func tagged(t *testing.T, here, there *netns.Namespace) netip.Addr {
	for _, end := range []struct {
		n    *netns.Namespace
		addr string
	}{{here, onceClient}, {there, onceServer}} {
		ipIn(t, end.n, "link", "add", "link", netns.Interface, "name", "veth0.5", "type", "vlan", "id", "5")
		ipIn(t, end.n, "addr", "add", end.addr+"/24", "dev", "veth0.5")
		ipIn(t, end.n, "link", "set", "veth0.5", "up")
	}
	return netip.MustParseAddr(onceServer)
}

// encapsulated lays a tunnel of the kernel between the namespaces.
func encapsulated(name, kind string, options ...string) func(t *testing.T, here, there *netns.Namespace) netip.Addr {
	return func(t *testing.T, here, there *netns.Namespace) netip.Addr {
		for _, end := range []struct {
			n, other *netns.Namespace
			addr     string
		}{{here, there, onceClient}, {there, here, onceServer}} {
			args := append([]string{"link", "add", name, "type", kind}, options...)
			if kind != "geneve" {
				args = append(args, "local", end.n.IPv4.String())
			}
			ipIn(t, end.n, append(args, "remote", end.other.IPv4.String())...)
			ipIn(t, end.n, "addr", "add", end.addr+"/24", "dev", name)
			ipIn(t, end.n, "link", "set", name, "up")
		}
		return netip.MustParseAddr(onceServer)
	}
}

// ipIn runs ip(8) in a namespace. Where the kernel has no such device it skips the test.
func ipIn(t *testing.T, n *netns.Namespace, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ip", append([]string{"-n", n.Name}, args...)...).CombinedOutput()
	switch {
	case err != nil && strings.Contains(string(out), "Unknown device type"):
		t.Skipf("this kernel has no such device: ip %s", strings.Join(args, " "))
	case err != nil:
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}
