package main

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"apptap/capture"
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
