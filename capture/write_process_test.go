package capture_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
)

// TestWriteOwners reads back what packets say of their processes.
func TestWriteOwners(t *testing.T) {
	curl := &capture.Process{PID: 1234, Name: "curl", Path: "/usr/bin/curl", Cmdline: "curl\x00https://example.com/", PPID: 1, UID: 1000, User: "alice", StartTime: 1_767_225_600_000_000_000}
	daemon, music := &capture.Process{PID: 4_000_000, Name: "nsurlsessiond"}, &capture.Process{PID: 300, Name: "Music"}
	written := []*capture.Owner{
		{Process: curl, Outgoing: true}, {Process: curl}, nil,
		{Process: daemon, Effective: music, Outgoing: true}, {Process: music, Effective: music}, {Effective: music}, {},
		{Process: curl, Sideless: true},
	}
	want := []*said{
		{Process: "curl/usr/bin/curl", PID: 1234, Outgoing: true}, {Process: "curl/usr/bin/curl", PID: 1234}, nil,
		{Process: "nsurlsessiond", Effective: "Music", PID: 300, Outgoing: true}, {Process: "Music", PID: 300}, {Effective: "Music", PID: 300}, nil,
		{Process: "curl/usr/bin/curl", PID: 1234, Sideless: true},
	}
	for _, wireshark := range []bool{false, true} {
		var file bytes.Buffer
		w, err := capture.NewWriter(&file, capture.WriterOptions{WiresharkProcesses: wireshark, Interfaces: []capture.Interface{{LinkType: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, owner := range written {
			err = errors.Join(err, w.WritePacket(&capture.Packet{Data: frame(61), Length: 61, LinkType: 1, Owner: owner}))
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, owners(t, bytes.NewReader(file.Bytes()))); diff != "" {
			t.Errorf("owners (-want +got):\n%s", diff)
		}
		if got := bytes.Count(file.Bytes(), []byte("alice")) > 0; got != wireshark {
			t.Errorf("the user stands in the file: got %v, want %v", got, wireshark)
		}
	}
}

// TestWriteWiresharkProcess: without Apple's numbers, a packet is found by its PID in Wireshark's blocks.
func TestWriteWiresharkProcess(t *testing.T) {
	curl := &capture.Process{PID: 1234, Name: "curl", Path: "/usr/bin/curl", Cmdline: "curl\x00https://example.com/", PPID: 1, UID: 1000, User: "alice", StartTime: 1_767_225_600_000_000_000}
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.WriterOptions{WiresharkProcesses: true, Interfaces: []capture.Interface{{LinkType: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.WriteProcess(curl), w.WriteProcess(curl), w.WriteProcess(&capture.Process{PID: -1}), w.Close()); err != nil {
		t.Fatal(err)
	}
	packet := ngOwned(order(false), 0, pidOf(order(false), 1234))
	got := processesOf(t, append(file.Bytes(), packet...))
	want := []string{`1 1234 "curl" "/usr/bin/curl" "curl\x00https://example.com/" ppid 1 uid 1000 "alice" start 1767225600000000000`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("process (-want +got):\n%s", diff)
	}
	if n := bytes.Count(file.Bytes(), []byte("/usr/bin/curl")); n != 2 {
		t.Errorf("the process is described %d times, want once in each of two blocks", n)
	}
}
