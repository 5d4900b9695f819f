package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures"
)

var update = flag.Bool("update", false, "write the golden reports, and as root the recorded fixture")

// TestGoldenReports replays the committed captures in every format.
func TestGoldenReports(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	t.Chdir("../../fixtures") // reports name the files as they were given
	for _, file := range []string{"demo.pcapng", "namespaces.pcapng", "encapsulations.pcapng"} {
		for _, format := range []string{"table", "json", "csv", "html"} {
			t.Run(file+"/"+format, func(t *testing.T) {
				got := replay(t, "--format", format, "--flows", file)
				checkGolden(t, filepath.Join("../cmd/apptap/testdata/golden", file+"."+format), got)
			})
		}
	}
}

// checkGolden holds what a test got against the file that says what it is to be; -update writes that.
func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got; go test ./cmd/apptap -update):\n%s", file, diff)
	}
}

// replay runs the command in this process. The version is no part of a golden report.
func replay(t *testing.T, args ...string) string {
	t.Helper()
	released = "test"
	t.Cleanup(func() { released = "" })
	var stdout, stderr bytes.Buffer
	if code := run(append([]string{"replay"}, args...), strings.NewReader(""), &stdout, &stderr); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	return stdout.String()
}

// TestGoldenTruth holds the replay of recorded traffic against what its programs counted themselves.
func TestGoldenTruth(t *testing.T) {
	for _, name := range []string{"demo", "namespaces"} {
		t.Run(name, func(t *testing.T) {
			var report struct {
				Flows []struct {
					Proto, Local, Remote string
					Tx                   uint64 `json:"tx_payload"`
					Rx                   uint64 `json:"rx_payload"`
				}
			}
			if err := json.Unmarshal([]byte(replay(t, "--format", "json", "--flows", fixtures.Path(t, name+".pcapng"))), &report); err != nil {
				t.Fatal(err)
			}
			type exchange struct{ Tx, Rx uint64 }
			got := map[string]exchange{}
			for _, f := range report.Flows {
				got[fmt.Sprint(f.Proto, f.Local, f.Remote)] = exchange{f.Tx, f.Rx}
			}
			checked := 0
			decoder := json.NewDecoder(fixtures.Open(t, name+".truth.jsonl"))
			for decoder.More() {
				var want struct {
					Role, Proto, Local, Remote string
					Tx                         uint64 `json:"tx_payload"`
					Rx                         uint64 `json:"rx_payload"`
				}
				if err := decoder.Decode(&want); err != nil {
					t.Fatal(err)
				}
				if want.Role != "client" {
					continue
				}
				checked++
				key := fmt.Sprint(want.Proto, want.Local, want.Remote)
				if got[key] != (exchange{want.Tx, want.Rx}) {
					t.Errorf("%s: payload %+v, the program counted %d sent, %d received", key, got[key], want.Tx, want.Rx)
				}
			}
			if checked == 0 {
				t.Error("the truth names no client")
			}
		})
	}
}
