package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"apptap/fixtures"
)

// FuzzReplay gives whole programs' input to the whole program: whatever a file holds, replay ends with a report whose sums hold, in
// either view of tunnels and with a table of two flows, or with a sentence; and nothing it prints may command a terminal.
func FuzzReplay(f *testing.F) {
	for _, name := range []string{"demo-session.pcapng", "demo.pcapng", "encapsulations.pcapng", "namespaces.pcapng", "servers.pcap", "times.pcap"} {
		file, err := os.ReadFile(fixtures.Path(f, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file[:min(len(file), 8<<10)])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 64<<10 {
			return
		}
		outer := replayBytes(t, file, "--flows")
		inner := replayBytes(t, file, "--flows", "--tunnels", "inner")
		small := replayBytes(t, file, "--max-flows", "2", "-n")
		if (outer == nil) != (inner == nil) || (outer == nil) != (small == nil) {
			t.Fatal("a file is readable in one view and not in another")
		}
		if outer == nil {
			return
		}
		for _, r := range []*reportSums{outer, inner, small} {
			r.check(t)
		}
		if got, want := inner.packets(), outer.packets(); got != want {
			t.Errorf("%d packets with tunnels opened, %d without", got, want)
		}
		if got, want := small.packets(), outer.packets(); got != want {
			t.Errorf("%d packets with a small table, %d with a large one", got, want)
		}
	})
}

// replayBytes is the report of a file given as standard input, nil where there is a sentence instead.
func replayBytes(t *testing.T, file []byte, args ...string) *reportSums {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(append([]string{"replay", "--format", "json", "-"}, args...), bytes.NewReader(file), &stdout, &stderr)
	for _, out := range []string{stdout.String(), stderr.String()} {
		if !utf8.ValidString(out) || strings.ContainsFunc(out, isControl) {
			t.Fatalf("%q: a terminal may be commanded by %q", args, out)
		}
	}
	if code == exitError && stdout.Len() == 0 && strings.HasPrefix(stderr.String(), "apptap: ") {
		return nil
	}
	report := new(reportSums)
	decode := json.NewDecoder(&stdout)
	if err := decode.Decode(report); err != nil || code != exitOK {
		t.Fatalf("%q: exit code %d, %v, stderr %q", args, code, err, stderr.String())
	}
	if _, err := decode.Token(); err != io.EOF {
		t.Fatalf("%q: something behind the report (%v)", args, err)
	}
	return report
}

// counters are a counter set of a JSON report: packets, bytes of frames and of payload.
type counters struct {
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxPayload uint64 `json:"tx_payload"`
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	RxPayload uint64 `json:"rx_payload"`
}

func (c *counters) add(o counters) {
	c.TxPackets += o.TxPackets
	c.TxBytes += o.TxBytes
	c.TxPayload += o.TxPayload
	c.RxPackets += o.RxPackets
	c.RxBytes += o.RxBytes
	c.RxPayload += o.RxPayload
}

// counted is a row of the report, and how many flows it is of.
type counted struct {
	counters
	Flows uint64
}

// reportSums are the parts of a report that add up.
type reportSums struct {
	Totals counted
	Apps   []struct {
		counted
		Methods                 map[string]uint64
		Processes, Destinations []counted
	}
	Unattributed struct {
		counted
		Reasons      map[string]uint64
		Destinations []counted
	}
	Undecoded struct {
		Packets, Bytes uint64
		Kinds          map[string]uint64
	}
	Flows []counters
}

func (s *reportSums) packets() uint64 {
	return s.Totals.TxPackets + s.Totals.RxPackets + s.Undecoded.Packets
}

// check holds each total against the sum of its parts.
func (s *reportSums) check(t *testing.T) {
	t.Helper()
	same := func(what string, total counted, parts []counted) {
		t.Helper()
		var sum counted
		for _, p := range parts {
			sum.add(p.counters)
			sum.Flows += p.Flows
		}
		if sum != total {
			t.Errorf("%s: %+v, their sum is %+v", what, total, sum)
		}
	}
	sameBytes := func(what string, total counted, parts map[string]uint64) {
		t.Helper()
		sum := uint64(0)
		for _, n := range parts {
			sum += n
		}
		if sum != total.TxBytes+total.RxBytes {
			t.Errorf("%s: %d bytes of %d", what, sum, total.TxBytes+total.RxBytes)
		}
	}
	rows := []counted{s.Unattributed.counted}
	for _, app := range s.Apps {
		rows = append(rows, app.counted)
		same("destinations of an app", app.counted, app.Destinations)
		same("processes of an app", app.counted, app.Processes)
		sameBytes("methods of an app", app.counted, app.Methods)
	}
	same("destinations of nobody", s.Unattributed.counted, s.Unattributed.Destinations)
	sameBytes("reasons of nobody", s.Unattributed.counted, s.Unattributed.Reasons)
	same("all apps", s.Totals, rows)
	if s.Flows != nil {
		flows := make([]counted, len(s.Flows))
		for i, c := range s.Flows {
			flows[i] = counted{counters: c, Flows: 1}
		}
		same("all flows", s.Totals, flows)
	}
	kinds := uint64(0)
	for _, n := range s.Undecoded.Kinds {
		kinds += n
	}
	if kinds != s.Undecoded.Packets {
		t.Errorf("%d undecoded packets, %d by kind", s.Undecoded.Packets, kinds)
	}
}

// isControl says whether a terminal may take r for a command: C0 but for line ends and tabs, DEL, C1.
func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f }
