package main

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures/netns"
)

// onceReport is what must be the same however many interfaces show a packet.
type onceReport struct {
	Totals                  counters
	Apps                    []onceApp
	Unattributed, Undecoded struct{ Packets, Bytes uint64 }
	SeenBefore              struct {
		Packets, Bytes uint64
		Kinds          map[string]uint64
	} `json:"seen_before"`
	Audit struct {
		Interfaces []struct {
			CapturedBytes uint64 `json:"captured_bytes"`
		}
	}
}

type onceApp struct {
	App struct{ Name, Path string }
	counters
}

// oncePrograms is how many programs move bytes in each topology.
const oncePrograms = 40

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
		{"VXLAN", [2]string{"vx0", netns.Interface}, encapsulated("vx0", "vxlan", "id", "7", "dstport", "4789"), "carried"},
		{"GENEVE", [2]string{"gv0", netns.Interface}, encapsulated("gv0", "geneve", "id", "7"), "carried"},
		{"IPIP", [2]string{"ti0", netns.Interface}, encapsulated("ti0", "ipip"), "same_packet"},
		{"GRE", [2]string{"gr0", netns.Interface}, encapsulated("gr0", "gre"), "same_packet"},
		{"WireGuard", [2]string{"wg0", netns.Interface}, wireGuard, "carried_unread"},
		{"TUN", [2]string{"tun0", netns.Interface}, forwarded, "carried_unread"},
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
	for _, app := range r.Apps {
		if strings.HasPrefix(app.App.Name, "p") {
			got.TxPayload += app.TxPayload
			got.RxPayload += app.RxPayload
		}
	}
	if got != want {
		t.Errorf("the programs moved %+v, want %+v, of %+v", got, want, r.Apps)
	}
	if r.SeenBefore.Kinds[kind] == 0 || len(r.SeenBefore.Kinds) != 1 {
		t.Errorf("seen before: got %+v, want only %s", r.SeenBefore, kind)
	}
	var captured uint64
	for _, i := range r.Audit.Interfaces {
		captured += i.CapturedBytes
	}
	if sum := r.Totals.bytes() + r.Undecoded.Bytes + r.SeenBefore.Bytes; sum != captured {
		t.Errorf("totals, undecoded and seen before are %d bytes, captured were %d", sum, captured)
	}
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

func wireGuard(t *testing.T, here, _ *netns.Namespace) netip.Addr {
	ipIn(t, here, "link", "add", "wg0", "type", "wireguard") // skips where the kernel has none
	t.Skip("the keys of a WireGuard interface are set by wg(8), which this test does not ask for: TUN stands in for it")
	return netip.Addr{}
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

// forwarded lays a tunnel whose two ends are programs, as a VPN's are: what they send each other cannot be read, and is
// 32 bytes longer and padded as WireGuard's is.
func forwarded(t *testing.T, here, there *netns.Namespace) netip.Addr {
	near, far := here.TUN(t, "tun0", onceClient), there.TUN(t, "tun0", onceServer)
	nearAddr, farAddr := netip.AddrPortFrom(here.IPv4, 51820), netip.AddrPortFrom(there.IPv4, 51820)
	var a, b *net.UDPConn
	var errA, errB error
	here.Do(t, func() {
		a, errA = net.DialUDP("udp4", net.UDPAddrFromAddrPort(nearAddr), net.UDPAddrFromAddrPort(farAddr))
	})
	there.Do(t, func() {
		b, errB = net.DialUDP("udp4", net.UDPAddrFromAddrPort(farAddr), net.UDPAddrFromAddrPort(nearAddr))
	})
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	t.Cleanup(func() { near.Close(); far.Close(); a.Close(); b.Close() })
	for _, end := range []struct {
		tun  *os.File
		conn *net.UDPConn
	}{{near, a}, {far, b}} {
		go seal(end.tun, end.conn)
		go unseal(end.conn, end.tun)
	}
	return netip.MustParseAddr(onceServer)
}

// sealHeader is how much a sealed packet is longer, padding aside. Its first byte is the padding's length.
const sealHeader = 32

func seal(from *os.File, to *net.UDPConn) {
	buffer := make([]byte, 2000)
	for {
		n, err := from.Read(buffer[sealHeader:])
		if err != nil {
			return
		}
		for i := range n {
			buffer[sealHeader+i] ^= 0x55
		}
		padding := (16 - n%16) % 16
		buffer[0] = byte(padding)
		to.Write(buffer[:sealHeader+n+padding])
	}
}

func unseal(from *net.UDPConn, to *os.File) {
	buffer := make([]byte, 2000)
	for {
		n, err := from.Read(buffer)
		if err != nil || n < sealHeader {
			return
		}
		packet := buffer[sealHeader : n-int(buffer[0])]
		for i := range packet {
			packet[i] ^= 0x55
		}
		to.Write(packet)
	}
}
