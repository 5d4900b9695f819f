package main

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"apptap/fixtures/netns"
)

// TestIntegrationKernelTunnel captures what a tunnel of the kernel's sends and is sent, not what is inside: nobody but the kernel has these
// datagrams. A program that sends to the tunnel's port by a socket of its own is their owner all the same.
func TestIntegrationKernelTunnel(t *testing.T) {
	here, there := netns.Pair(t)
	server := encapsulated("vx0", "vxlan", "id", "7", "dstport", "4789")(t, here, there)
	dir := t.TempDir()
	serveShort(t, there)
	live := filepath.Join(dir, "live.json")
	run := here.Command(t, "apptap", "capture", "-i", netns.Interface, "--flows", "--format", "json", "-o", live)
	wait := start(t, run, "capturing on")
	short(t, here, server, dir, 4)
	var own *net.UDPConn
	var err error
	here.Do(t, func() {
		own, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(there.IPv4, 4789)))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if _, err := own.Write([]byte("no tunnel")); err != nil {
		t.Fatal(err)
	}
	interrupt(t, run)
	wait()
	var report struct {
		Degraded     []string
		Unattributed counters
		Flows        []struct {
			Proto, Local, Remote, App, Method string
		}
	}
	readJSON(t, live, &report)
	if strings.Contains(strings.Join(report.Degraded, " "), "polled for") {
		t.Skip("no eBPF here")
	}
	methods := map[string]int{}
	for _, f := range report.Flows {
		tunnel := strings.HasSuffix(f.Remote, ":4789") || strings.HasSuffix(f.Local, ":4789")
		switch {
		case !tunnel || f.Proto != "udp":
			t.Errorf("an unexpected flow: %+v", f)
		case f.Local == own.LocalAddr().String() && f.Method == "ebpf" && f.App != "kernel":
			methods["own"]++
		case f.App != "kernel":
			t.Errorf("%+v, want the kernel", f)
		default:
			methods[f.Method]++
		}
	}
	if methods["own"] != 1 || methods["ebpf_tunnel"] == 0 || methods["ebpf_creator"] == 0 || report.Unattributed != (counters{}) {
		t.Errorf("flows by method %v, without an owner %+v; want the program's own, some that the tunnel sent and some that it was sent", methods, report.Unattributed)
	}
}
