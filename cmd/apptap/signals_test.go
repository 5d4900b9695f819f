package main

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
)

// TestEndSignals: every signal by which people end a program ends a run with the report of what came until then.
func TestEndSignals(t *testing.T) {
	var file bytes.Buffer
	w, err := capture.NewPcapWriter(&file, capture.LinkTypeEthernet, 0)
	if err != nil {
		t.Fatal(err)
	}
	const packets = 500 // more bytes than a pipe holds
	for range packets {
		if err := w.WritePacket(&capture.Packet{Data: make([]byte, 1000), Length: 1000, LinkType: capture.LinkTypeEthernet}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		end       os.Signal
		traceback string // GOTRACEBACK
		dump      bool
	}{
		{"interrupt", os.Interrupt, "", false},
		{"terminate", syscall.SIGTERM, "", false},
		{"hangup", syscall.SIGHUP, "", false},
		{"quit", syscall.SIGQUIT, "", false},
		{"quit with a dump", syscall.SIGQUIT, "all", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.end == syscall.SIGHUP && signal.Ignored(syscall.SIGHUP) {
				t.Skip("the test runs under nohup")
			}
			var out, said bytes.Buffer
			c := exec.Command("apptap", "replay", "-")
			c.Env = append(os.Environ(), "GOTRACEBACK="+tt.traceback)
			c.Stdout, c.Stderr = &out, &said
			in, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Write(file.Bytes()); err != nil { // once that is done apptap reads, and so has taken the signals
				t.Fatal(err)
			}
			if err := c.Process.Signal(tt.end); err != nil {
				t.Fatal(err)
			}
			err = c.Wait()
			if dump := strings.Contains(said.String(), "goroutine"); dump != tt.dump {
				t.Errorf("Go's dump %v, want %v: %s", dump, tt.dump, &said)
			}
			if report := strings.Contains(out.String(), "TOTAL"); report == tt.dump || report != (err == nil) {
				t.Errorf("report %v, %v: %s%s", report, err, &out, &said)
			}
		})
	}
}

// TestQuitTwice: a second ^\\ while the report is made ends that, as a second ^C does, without Go's dump.
func TestQuitTwice(t *testing.T) {
	var file bytes.Buffer
	w, err := capture.NewPcapWriter(&file, capture.LinkTypeEthernet, 0)
	if err != nil {
		t.Fatal(err)
	}
	for port := range uint16(2000) { // flows whose report is more than a pipe holds
		frame := fixtures.UDP(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port+1), netip.MustParseAddrPort("192.0.2.2:9"), make([]byte, 100))
		if err := w.WritePacket(&capture.Packet{Data: frame, Length: len(frame), LinkType: capture.LinkTypeEthernet}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := exec.Command("apptap", "replay", "-", "--format", "json", "--flows")
	c.Env = append(os.Environ(), "GOTRACEBACK=")
	c.Stderr = &said
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	quit := func() {
		if err := c.Process.Signal(syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := in.Write(file.Bytes()); err != nil { // once that is done apptap reads, and so has taken the signals
		t.Fatal(err)
	}
	quit()
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil { // the report has begun, and waits for its reader
		t.Fatal(err)
	}
	quit()
	var ended *exec.ExitError
	if err := c.Wait(); !errors.As(err, &ended) || !ended.Sys().(syscall.WaitStatus).Signaled() || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("ended with %v, want by SIGINT", err)
	}
	if strings.Contains(said.String(), "goroutine") {
		t.Errorf("said %s", &said)
	}
}
