package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"apptap/capture"
)

// TestIntegrationKilledRecording kills a recording capture with SIGKILL: what was captured while the wire was last
// quiet is in the file.
func TestIntegrationKilledRecording(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap")
	}
	if os.Geteuid() != 0 {
		t.Skip("capturing wants root")
	}
	const datagrams = 100
	dir := t.TempDir()
	session := filepath.Join(dir, "session.pcapng")
	receiver, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	_, port, _ := net.SplitHostPort(receiver.LocalAddr().String())
	c := exec.CommandContext(t.Context(), build(t, dir, "apptap/cmd/apptap"), "capture", "-i", "lo", "-w", session, "udp port "+port)
	start(t, c, "capturing on")

	changes := watchFile(t, session)
	sender, err := net.Dial("udp4", receiver.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	for range datagrams {
		if _, err := sender.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for recorded(t, session) < datagrams {
		changes()
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil {
		t.Error("a killed capture ended well")
	}
	if got := recorded(t, session); got != datagrams {
		t.Errorf("%d packets are in the file of the killed capture, want %d", got, datagrams)
	}
}

// watchFile returns a function that blocks until the file was written to after the last call.
func watchFile(t *testing.T, path string) (wait func()) {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		t.Skipf("no inotify: %v", err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if _, err := syscall.InotifyAddWatch(fd, path, syscall.IN_MODIFY); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		var events [4096]byte
		if _, err := syscall.Read(fd, events[:]); err != nil {
			t.Fatal(err)
		}
	}
}

// recorded counts the whole packets in a file that is still being written.
func recorded(t *testing.T, path string) (packets int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	source, err := capture.NewReader(f, path)
	if err != nil {
		return 0 // not even the head is there
	}
	for p := new(capture.Packet); source.Next(p) == nil; {
		packets++
	}
	return packets
}
