package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"apptap/fixtures/netns"
)

// TestIntegrationRecordingFails records where nothing can be written: to a full disk, and into a pipe whose reader leaves. The recording
// ends, which is said at once, with one error at the end, and the report is of the whole capture, also when the terminal goes (SIGHUP).
func TestIntegrationRecordingFails(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap")
	}
	here, there := netns.Pair(t)
	serveShort(t, there)
	hangup := os.Signal(syscall.SIGHUP)
	if signal.Ignored(hangup) { // by nohup(1), as for all programs that are started here
		hangup = syscall.SIGTERM
	}
	for _, tt := range []struct {
		name, to, want string
		end            os.Signal
	}{
		{"full disk", "/dev/full", "write /dev/full: no space left on device", os.Interrupt},
		{"reader leaves", "-", "write -: broken pipe", hangup},
	} {
		t.Run(tt.name, func(t *testing.T) {
			live := filepath.Join(t.TempDir(), "live.json")
			c := here.Command(t, "apptap", "capture", "-i", netns.Interface, "-w", tt.to, "--format", "json", "-o", live)
			if tt.to == "-" {
				reader, writer, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer writer.Close()
				c.Stdout = writer
				reader.Close()
			}
			stderr, err := c.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			one := make([]byte, 1)
			await := func(text string) {
				t.Helper()
				for !strings.Contains(said.String(), text) {
					if _, err := io.ReadFull(stderr, one); err != nil {
						t.Fatalf("%v: %s", err, &said)
					}
					said.Write(one)
				}
			}
			await("capturing on")
			short(t, here, there.IPv4, t.TempDir(), 8)
			await("the recording has ended, the capture goes on")
			if err := c.Process.Signal(tt.end); err != nil {
				t.Fatal(err)
			}
			io.Copy(&said, stderr)
			if err := c.Wait(); err == nil {
				t.Error("a recording that failed ended well")
			}
			if n := strings.Count(said.String(), tt.want); n != 1 {
				t.Errorf("%q was said %d times, want once: %s", tt.want, n, &said)
			}
			if strings.Contains(said.String(), "can be replayed") || !strings.Contains(said.String(), "hint: the report is of the whole capture\n") {
				t.Errorf("what is in no file is said to be there: %s", &said)
			}
			text, err := os.ReadFile(live)
			if err != nil {
				t.Fatal(err)
			}
			var report struct {
				Totals   struct{ Flows int }
				Degraded []string
			}
			if err := json.Unmarshal(text, &report); err != nil {
				t.Fatal(err)
			}
			if report.Totals.Flows < 8 || !strings.Contains(strings.Join(report.Degraded, " "), "the recording ended early, the report did not") {
				t.Errorf("the report has %d flows and says %q", report.Totals.Flows, report.Degraded)
			}
		})
	}
}
