package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

const (
	malformedDir  = "../../../shared/corpus/malformed"
	maxHostileRSS = 512 << 10 // KiB, as getrusage(2) counts
	// hostileTime bounds the processor time of a run: every file here takes milliseconds, but a gz bomb.
	hostileTime = 10 * time.Second
	// hungTime ends a run that hangs without using the processor, on whatever else the machine does.
	hungTime = 2 * time.Minute
)

// outcome is how a run of the command ended.
type outcome struct {
	code           int
	stdout, stderr []byte
}

// runBounded runs apptap and holds it to the bounds on hostile input: time, memory, no panic, no terminal escape.
func runBounded(t *testing.T, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hungTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "apptap", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("apptap %q: %v", args, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("apptap %q: still running after %v", args, hungTime)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok || usage.Maxrss > maxHostileRSS {
		t.Errorf("apptap %q: took %d KiB of memory, want at most %d", args, usage.Maxrss, maxHostileRSS)
	}
	if used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); used > hostileTime {
		t.Errorf("apptap %q: took %v of processor time, want at most %v", args, used, hostileTime)
	}
	o := outcome{cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.Bytes()}
	if o.code != 0 && o.code != 1 || bytes.Contains(o.stderr, []byte("goroutine ")) {
		t.Errorf("apptap %q: exit code %d, stderr:\n%s", args, o.code, o.stderr)
	}
	for name, out := range map[string][]byte{"stdout": o.stdout, "stderr": o.stderr} {
		if !utf8.Valid(out) {
			t.Errorf("apptap %q: %s is no UTF-8, and a byte of it alone may be a command", args, name)
		}
		if at := bytes.IndexFunc(out, isControl); at >= 0 {
			t.Errorf("apptap %q: %s has a control character in %q", args, name, out[max(0, at-20):min(len(out), at+20)])
		}
	}
	return o
}

// packetsOf is how many packets a report speaks of.
func packetsOf(t *testing.T, report []byte) int {
	t.Helper()
	var r struct {
		Totals struct {
			Tx int `json:"tx_packets"`
			Rx int `json:"rx_packets"`
		}
		Undecoded struct{ Packets int }
	}
	if err := json.Unmarshal(report, &r); err != nil {
		t.Fatalf("%v in %.200q", err, report)
	}
	return r.Totals.Tx + r.Totals.Rx + r.Undecoded.Packets
}

// TestMalformed reads real and crafted damaged files, from the test suites of other tools where they lie beside this
// checkout: what came before the damage is reported, and the damage's place is named.
func TestMalformed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(malformedDir, "*"))
	if err != nil || len(files) == 0 {
		t.Skipf("no malformed files beside this checkout (%v)", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			for _, view := range []string{"outer", "inner"} {
				o := runBounded(t, "replay", "--flows", "--tunnels", view, "--format", "json", file)
				got := 0
				if o.code == 0 {
					got = packetsOf(t, o.stdout)
				} else if !strings.HasPrefix(string(o.stderr), "apptap: ") {
					t.Errorf("no sentence says why: %q", o.stderr)
				}
				if want := othersRead(t, file) - 1; got < want {
					t.Errorf("%s view: %d packets, others read %d; stderr: %s", view, got, want+1, o.stderr)
				}
				if bytes.Contains(o.stderr, []byte("cut short")) || bytes.Contains(o.stderr, []byte("damaged")) {
					if !bytes.Contains(o.stderr, []byte(" at byte ")) {
						t.Errorf("no place in %q", o.stderr)
					}
				}
			}
		})
	}
}

// othersRead is how many packets both tshark and tcpdump read, 0 if one of them read none.
func othersRead(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(malformedDir, "../oracle-malformed", filepath.Base(file)+".json"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	var line struct {
		Packets int `json:"packets"`
		Tcpdump int `json:"tcpdump_packets"`
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if err := errors.Join(err, json.Unmarshal(first, &line)); err != nil {
		t.Fatal(err)
	}
	return min(line.Packets, line.Tcpdump)
}
