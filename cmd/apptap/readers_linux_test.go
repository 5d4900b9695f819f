package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures"
	"apptap/fixtures/netns"
)

// TestIntegrationReaders captures the same frames side by side through the ring and through libpcap, cut to headers
// and whole: the reports must not differ in anything but the reader's name and what it kept.
func TestIntegrationReaders(t *testing.T) {
	here, there := netns.Pair(t)
	ways := map[string][]string{
		"ring":       {"--reader", "ring"},
		"ring whole": {"--reader", "ring", "-s", "0"},
	}
	if haveLibpcap {
		ways["pcap"], ways["pcap whole"] = []string{"--reader", "pcap"}, []string{"--reader", "pcap", "-s", "0"}
	}
	dir := t.TempDir()
	captures := map[string]func(){}
	for name, way := range ways {
		args := append([]string{"capture", "-i", netns.Interface, "--format", "json", "--flows", "-o", filepath.Join(dir, name)}, way...)
		c := there.Command(t, "apptap", append(args, "not", "icmp6", "and", "not", "arp")...)
		if !haveLibpcap {
			c = there.Command(t, "apptap", args...)
		}
		wait := start(t, c, "capturing on")
		captures[name] = func() { interrupt(t, c); wait() }
	}
	frames := talkative(t)
	here.Do(t, func() { sendAll(t, netns.Interface, frames) })
	var want any
	for _, name := range []string{"ring whole", "ring", "pcap", "pcap whole"} {
		if captures[name] == nil {
			continue
		}
		captures[name]()
		got := figures(t, filepath.Join(dir, name), frames)
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs from ring whole:\n%s", name, diff)
		}
	}
}

// figures are what is in a report but for what two captures of the same frames cannot share.
func figures(t *testing.T, file string, frames [][]byte) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report map[string]any
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	flows, _ := report["flows"].([]any)
	var kept []any
	for _, each := range flows {
		flow := each.(map[string]any)
		if strings.Contains(fmt.Sprint(flow["local"], flow["remote"]), "198.51.100.7") {
			kept = append(kept, timeless(flow))
		}
	}
	for _, name := range []string{"split.example", "long.example", "plain.example", "asked.example"} {
		if !bytes.Contains(text, []byte(name)) {
			t.Errorf("%s: no flow is called %s", file, name)
		}
	}
	return map[string]any{"flows": kept, "drops": report["drops"].(map[string]any)["dropped_kernel"]}
}

// timeless is a flow without what the clock says: the kernel takes a time stamp for each socket that captures.
func timeless(flow map[string]any) map[string]any {
	for name, value := range flow {
		if nested, ok := value.(map[string]any); ok {
			timeless(nested)
		}
		if name == "first" || name == "last" || strings.HasSuffix(name, "_us") || strings.HasSuffix(name, "_seconds") {
			delete(flow, name)
		}
	}
	return flow
}

// talkative are conversations that state names in every shape that a filter without state has to get right: hellos in
// one, two and several segments, an HTTP request and a DNS answer; each is followed by bulk data.
func talkative(t *testing.T) (frames [][]byte) {
	t.Helper()
	server := netip.MustParseAddr("198.51.100.7")
	port := uint16(50000)
	talk := func(to uint16, request []byte) {
		port++
		client, service := netip.AddrPortFrom(netip.MustParseAddr("10.77.0.1"), port), netip.AddrPortFrom(server, to)
		frames = append(frames, fixtures.TCP(client, service, "S", 999, 0, nil), fixtures.TCP(service, client, "SA", 4999, 1000, nil))
		seq := uint32(1000)
		for len(request) > 0 {
			n := min(len(request), 1400)
			frames = append(frames, fixtures.TCP(client, service, "A", seq, 5000, request[:n]))
			seq, request = seq+uint32(n), request[n:]
		}
		for i := range uint32(40) {
			frames = append(frames, fixtures.TCP(service, client, "A", 5000+1400*i, seq, bytes.Repeat([]byte{byte(i)}, 1400)))
		}
		frames = append(frames, fixtures.TCP(client, service, "FA", seq, 5000, nil))
	}
	talk(9500, hello(t, "split.example", 200)) // two segments, to a port that says nothing
	talk(443, hello(t, "long.example", 5000))
	talk(9080, append([]byte("GET / HTTP/1.1\r\nHost: plain.example\r\n\r\n"), make([]byte, 3000)...))
	resolver, client := netip.AddrPortFrom(server, 53), netip.MustParseAddrPort("10.77.0.1:40000")
	answer := "\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x05asked\x07example\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc6\x33\x64\x07"
	frames = append(frames, fixtures.UDP(resolver, client, append([]byte(answer), make([]byte, 1200)...)))
	talk(9000, []byte("\x00\x01"))
	return frames
}

// hello is the ClientHello that crypto/tls sends to a server of that name, made longer by protocols that it offers.
func hello(t *testing.T, server string, longer int) []byte {
	t.Helper()
	client, peer := net.Pipe()
	defer peer.Close()
	protocols := []string{"h2"}
	for i := 0; longer > 0; i, longer = i+1, longer-200 {
		protocols = append(protocols, fmt.Sprintf("%03d%s", i, strings.Repeat("x", 196)))
	}
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: server, NextProtos: protocols}).Handshake() // nobody answers
		client.Close()
	}()
	buf := make([]byte, 1<<16)
	n, err := peer.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// sendAll puts frames on an interface as they are. It is called on a thread of the interface's namespace.
func sendAll(t *testing.T, name string, frames [][]byte) {
	t.Helper()
	device, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	for _, frame := range frames {
		if err := syscall.Sendto(fd, frame, 0, &syscall.SockaddrLinklayer{Ifindex: device.Index, Halen: 6}); err != nil {
			t.Fatal(err)
		}
	}
}
