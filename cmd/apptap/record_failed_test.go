package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"apptap/capture"
	"apptap/internal/pipeline"
	"apptap/internal/session"
	"apptap/summarize"
)

// TestRecordingFailed: only what is in a file is said to be replayed, it can be, and a file with nothing in it does not stay.
func TestRecordingFailed(t *testing.T) {
	const report, exported = "the report is of the whole capture", "export again on another disk"
	for _, tt := range []struct {
		name              string
		written, exported bool
		hint              string
	}{
		{"capture", true, false, "the recording ended there and can be replayed; " + report},
		{"capture, empty", false, false, report},
		{"export", true, true, "what was written until then can be replayed; " + exported},
		{"export, empty", false, true, exported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "s.pcapng")
			r, out, err := newRecorder(t.Context(), streams{err: t.Output()}, name)
			if err != nil {
				t.Fatal(err)
			}
			r.exported = tt.exported
			if r.writer, err = session.NewWriter(out, capture.WriterOptions{Interfaces: []capture.Interface{{Name: "eth0", LinkType: 1}}}); err != nil {
				t.Fatal(err)
			}
			if err := r.writer.WritePacket(&capture.Packet{Data: make([]byte, 60), Length: 60, LinkType: capture.LinkTypeEthernet}); err != nil {
				t.Fatal(err)
			}
			if tt.written {
				if err := r.writer.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			r.out.file.Close() // what is written from now on fails
			if r.out.direct != nil {
				r.out.direct.file.Close()
			}
			var said bytes.Buffer
			tell(&said, r.close(pipeline.Result{Summary: &summarize.Summary{}}), "apptap")
			if want := "apptap: write " + name + ": file already closed\napptap: hint: " + tt.hint + "\n"; said.String() != want {
				t.Errorf("said %q, want %q", &said, want)
			}
			if !tt.written {
				if _, err := os.Lstat(name); !os.IsNotExist(err) {
					t.Errorf("the empty file: %v, want none", err)
				}
				return
			}
			var report bytes.Buffer
			if code := run([]string{"replay", name}, nil, &report, &said); code != exitOK {
				t.Errorf("replayed: exit code %d, %s", code, &said)
			}
		})
	}
}
