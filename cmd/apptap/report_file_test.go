package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"apptap/summarize"
	"apptap/summarize/report"
)

// TestReportKeepsRecordings: -o refuses a file that is being recorded into, by whatever name, before anything is read and again when the
// report is made, and takes it once the recording is over.
func TestReportKeepsRecordings(t *testing.T) {
	dir := t.TempDir()
	name, hard, soft := filepath.Join(dir, "v.pcapng"), filepath.Join(dir, "hard.pcapng"), filepath.Join(dir, "soft.pcapng")
	recording, err := createFile(t.Context(), t.Output(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := recording.Write([]byte("packets")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Link(name, hard), os.Symlink(name, soft)); err != nil {
		t.Fatal(err)
	}
	for _, o := range []string{name, hard, soft} {
		var out, said bytes.Buffer
		code := run([]string{"replay", "../../fixtures/demo.pcapng", "-o", o}, nil, &out, &said)
		want := "apptap: write " + o + ": another apptap is writing to it\napptap: hint: give another name with -o, or end the other one first\n"
		if code != exitError || said.String() != want || out.Len() > 0 {
			t.Errorf("%s: exit code %d, %q, want %d, %q; %s", filepath.Base(o), code, &said, exitError, want, &out)
		}
		if err := writeReportFile(t.Output(), o, &summarize.Summary{}, report.Options{}); !errors.Is(err, errClaimed) {
			t.Errorf("%s, begun meanwhile: error %v, want %v", filepath.Base(o), err, errClaimed)
		}
		if got, err := os.ReadFile(o); err != nil || string(got) != "packets" {
			t.Errorf("%s has %q (%v), want what was recorded", filepath.Base(o), got, err)
		}
	}
	if err := recording.close(); err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	if code := run([]string{"replay", "../../fixtures/demo.pcapng", "-o", name}, nil, &out, &said); code != exitOK {
		t.Errorf("a finished file: exit code %d, %s", code, &said)
	}
	if got, err := os.ReadFile(name); err != nil || !strings.Contains(string(got), "TOTAL") {
		t.Errorf("a finished file has %q (%v), want the report", got, err)
	}
}

// TestOutputPipes: who writes into a named pipe that nobody reads says that it waits, and one signal ends that with a sentence, and a report on
// standard output; a reader gets it all.
func TestOutputPipes(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	report := []string{"replay", "../../fixtures/demo.pcapng", "-o", pipe}
	packets := []string{"export", "../../fixtures/demo.pcapng", "--headers", "-w", pipe}
	for _, tt := range []struct {
		name   string
		args   []string
		end    os.Signal // nil: somebody reads
		code   int
		said   string
		report bool // on standard output
		read   string
	}{
		{"report, interrupt", report, os.Interrupt, exitError, "interrupted before anybody read it\napptap: hint: the report was printed on standard output instead\n", true, ""},
		{"report, quit", report, syscall.SIGQUIT, exitError, "interrupted before anybody read it\n", true, ""},
		{"report, read", report, nil, exitOK, "", false, "TOTAL"},
		{"packets, quit", packets, syscall.SIGQUIT, exitInterrupted, "apptap: interrupted\n", false, ""},
		{"packets, read", packets, nil, exitOK, "written to", false, "\x0a\x0d\x0d\x0a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			c := exec.Command("apptap", tt.args...)
			c.Env = append(os.Environ(), "GOTRACEBACK=")
			c.Stdout = &out
			stderr, err := c.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			said := bufio.NewReader(stderr)
			if line, err := said.ReadString('\n'); line != "apptap: waiting until somebody reads "+pipe+"\n" {
				t.Errorf("said %q (%v), want that it waits", line, err)
			}
			var read []byte
			if tt.end != nil {
				err = c.Process.Signal(tt.end)
			} else {
				read, err = os.ReadFile(pipe)
			}
			if err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(said)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Wait() // the code is looked at
			if code := c.ProcessState.ExitCode(); code != tt.code || !strings.Contains(string(rest), tt.said) || strings.Contains(string(rest), "goroutine") {
				t.Errorf("exit code %d, %q, want %d, %q", code, rest, tt.code, tt.said)
			}
			if strings.Contains(out.String(), "TOTAL") != tt.report || !strings.Contains(string(read), tt.read) {
				t.Errorf("standard output %q, read %d bytes", &out, len(read))
			}
		})
	}
}
