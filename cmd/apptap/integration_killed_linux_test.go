package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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
	c := exec.CommandContext(t.Context(), "apptap", "capture", "-i", "lo", "-w", session, "udp port "+port)
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

// TestIntegrationKills kills recording captures at random moments: whatever is left of a file replays. APPTAP_KILLS says how often.
func TestIntegrationKills(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap")
	}
	if os.Geteuid() != 0 {
		t.Skip("capturing wants root")
	}
	kills := 4
	if text := os.Getenv("APPTAP_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("APPTAP_KILLS: %v", err)
		}
	}
	receiver, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	_, port, _ := net.SplitHostPort(receiver.LocalAddr().String())
	stop := blast(t, receiver.LocalAddr().String())
	defer stop()
	random, dir := rand.New(rand.NewPCG(1, 2)), t.TempDir()
	for i := range kills {
		session := filepath.Join(dir, []string{"s.pcapng", "s.pcapng.zst", "s.pcapng.gz"}[i%3])
		c := exec.CommandContext(t.Context(), "apptap", "capture", "-i", "lo", "-w", session, "udp port "+port)
		start(t, c, "capturing on")
		<-time.After(time.Duration(random.IntN(400)) * time.Millisecond) // the moment is what is random, and nothing waits for it
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		checkRemainder(t, session)
	}
}

// blast sends datagrams until it is stopped.
func blast(t *testing.T, to string) (stop func()) {
	t.Helper()
	sender, err := net.Dial("udp4", to)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		payload := make([]byte, 1000)
		for {
			if _, err := sender.Write(payload); errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}()
	return func() { sender.Close(); <-done }
}

// checkRemainder replays what is left of a recording: there is a report, and it says that something is missing.
func checkRemainder(t *testing.T, session string) {
	t.Helper()
	var stderr bytes.Buffer
	c := exec.CommandContext(t.Context(), "apptap", "replay", "--format", "json", session)
	c.Stderr = &stderr
	out, err := c.Output()
	info, statErr := os.Stat(session)
	if statErr != nil || info.Size() == 0 {
		return // it was killed before it wrote
	}
	var report struct {
		Totals, Undecoded struct{ Packets uint64 }
		Degraded          []string
	}
	if err != nil && (strings.Contains(stderr.String(), "ends inside") || info.Size() < 64 && strings.Contains(stderr.String(), "stream ends early")) {
		return // before the first block was whole
	}
	if err != nil || json.Unmarshal(out, &report) != nil {
		t.Fatalf("replay: %v: %s", err, &stderr)
	}
	if stderr.Len() == 0 || !strings.Contains(strings.Join(report.Degraded, " "), "not ended") {
		t.Errorf("the report does not say what is missing: %q, %s", report.Degraded, &stderr)
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
