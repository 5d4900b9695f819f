package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apptap/summarize"
	"apptap/summarize/report"
)

// TestReportKeepsRecordings: -o refuses a file that is being recorded into, by whatever name, before anything is read and again when the
// report is made, and takes it once the recording is over.
func TestReportKeepsRecordings(t *testing.T) {
	dir := t.TempDir()
	name, hard, soft := filepath.Join(dir, "v.pcapng"), filepath.Join(dir, "hard.pcapng"), filepath.Join(dir, "soft.pcapng")
	recording, err := createFile(t.Context(), name)
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
		if err := writeReportFile(o, &summarize.Summary{}, report.Options{}); !errors.Is(err, errClaimed) {
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
