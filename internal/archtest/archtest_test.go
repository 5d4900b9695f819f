package archtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestModule holds every .go file of the module to the rules.
func TestModule(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	sources, err := parseModule(root)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(sources, func(s source) bool { return s.file == "capture/packet.go" }) {
		t.Fatalf("capture/packet.go is not among the %d files found below %s", len(sources), root)
	}
	for _, objection := range objections(sources) {
		t.Error(objection)
	}
}

// TestObjections feeds the rules files that break each of them, and the nearest ones that do not.
func TestObjections(t *testing.T) {
	tests := []struct {
		name, file, text string
		want             string // part of the only objection, "" for none
	}{
		{"arrow down", "flows/x.go", `package flows; import "apptap/capture"`, ""},
		{"arrow up", "flows/x.go", `package flows; import "apptap/pidmap"`, "flows may not import apptap/pidmap"},
		{"arrow up in a file of another system", "capture/live/x_darwin.go", "//go:build darwin && cgo\n\npackage live\nimport \"apptap/flows\"", "capture/live may not import apptap/flows"},
		{"arrow up in a test", "capture/x_test.go", `package capture; import "apptap/flows"`, "capture may not import apptap/flows"},
		{"arrow sideways", "internal/session/x.go", `package session; import "apptap/internal/pipeline"`, "may not import apptap/internal/pipeline"},
		{"nothing imports cmd", "internal/pipeline/x.go", `package pipeline; import "apptap/cmd/apptap"`, "may not import apptap/cmd/apptap"},
		{"external test", "flows/x_test.go", `package flows_test; import "apptap/flows"`, ""},
		{"fixtures in a test", "capture/x_test.go", `package capture; import "apptap/fixtures"`, ""},
		{"fixtures outside a test", "capture/x.go", `package capture; import "apptap/fixtures"`, "capture may not import apptap/fixtures"},
		{"unknown room", "engine/x.go", `package engine`, `room "engine" is not in the table`},
		{"unknown room below a known one", "flows/quic/x.go", `package quic`, `room "flows/quic" is not in the table`},

		{"gopacket at home", "flows/x.go", `package flows; import "github.com/google/gopacket/layers"`, ""},
		{"gopacket in a test", "summarize/x_test.go", `package summarize; import "github.com/google/gopacket/layers"`, ""},
		{"gopacket abroad", "summarize/x.go", `package summarize; import "github.com/google/gopacket"`, "only [flows fixtures] may"},
		{"pcap beside gopacket", "flows/x.go", `package flows; import "github.com/google/gopacket/pcap"`, "only [capture/live fixtures/blast] may"},
		{"pcap in a test", "flows/x_test.go", `package flows; import "github.com/google/gopacket/pcap"`, "only [capture/live fixtures/blast] may"},
		{"pcapgo is not pcap", "fixtures/x.go", `package fixtures; import "github.com/google/gopacket/pcapgo"`, ""},
		{"table in cmd", "cmd/apptap/x.go", `package main; import "github.com/olekukonko/tablewriter/tw"`, "only [summarize/report] may"},
		{"unknown package", "flows/x.go", `package flows; import "example.com/fast"`, "no line in the table"},
		{"prefix is no match", "capture/x.go", `package capture; import "github.com/klauspost/compressed"`, "no line in the table"},
		{"cmp in a test", "flows/x_test.go", `package flows; import "github.com/google/go-cmp/cmp"`, ""},
		{"cmp outside a test", "flows/x.go", `package flows; import "github.com/google/go-cmp/cmp"`, "go-cmp"},
		{"unix with a suffix", "pidmap/x_linux.go", `package pidmap; import "golang.org/x/sys/unix"`, ""},
		{"unix without", "pidmap/x.go", `package pidmap; import "golang.org/x/sys/unix"`, "operating system in its name"},

		{"exec", "pidmap/lsof_darwin.go", `package pidmap; import "os/exec"`, "imports os/exec"},
		{"exec in a test", "pidmap/x_test.go", `package pidmap; import "os/exec"`, ""},
		{"exec where it is named", "fixtures/demo/programs.go", `package main; import "os/exec"`, ""},
		{"goroutine", "pidmap/x.go", "package pidmap\nfunc f() {\n\tg := func() { go f() }\n\tg()\n}", "pidmap/x.go:3: starts a goroutine"},
		{"goroutine of a run", "internal/pipeline/x.go", "package pipeline\nfunc f() { go f() }", ""},
		{"goroutine in a test", "pidmap/x_test.go", "package pidmap\nfunc f() { go f() }", ""},
		{"init", "flows/x.go", "package flows\nfunc init() {}", "flows/x.go:2: has an init function"},
		{"method called init", "flows/x.go", "package flows\ntype t int\nfunc (t) init() {}", ""},
		{"system in its name", "pidmap/x_darwin.go", "package pidmap\nimport \"runtime\"\nvar mac = runtime.GOOS == \"darwin\"", ""},
		{"other systems", "pidmap/x_other.go", "//go:build !linux\n\npackage pidmap", ""},
		{"cgo", "capture/live/x_cgo.go", "//go:build cgo\n\npackage live", ""},
		{"system in its tag alone", "pidmap/x.go", "//go:build linux\n\npackage pidmap", "names linux and its name names no system"},
		{"system beside another tag", "pidmap/x_cgo.go", "//go:build cgo || darwin\n\npackage pidmap", "names darwin"},
		{"no system but one, in its tag alone", "pidmap/x.go", "//go:build cgo && !darwin\n\npackage pidmap", "names darwin"},
		{"system in a test's tag", "pidmap/x_test.go", "//go:build linux\n\npackage pidmap", ""},
		{"system in a comment", "pidmap/x.go", "package pidmap\n\n//go:build linux\nvar x int", ""},
		{"asks for the system", "pidmap/x.go", "package pidmap\nimport \"runtime\"\nvar mac = \"darwin\" == runtime.GOOS", "pidmap/x.go:3: asks which system"},
		{"switches on the system", "summarize/x.go", "package summarize\nimport \"runtime\"\nfunc f() {\n\tswitch runtime.GOOS {\n\t}\n}", "summarize/x.go:4: asks which system"},
		{"says the system", "cmd/apptap/x.go", "package main\nimport \"runtime\"\nvar os = runtime.GOOS", ""},
		{"audit of one system", "summarize/audit_darwin.go", "package summarize", "summarize is the same on every system"},
		{"report of other systems", "summarize/report/x_other.go", "package report", "summarize/report is the same on every system"},
		{"counters of one system", "summarize/kernel/x_darwin.go", "package kernel", ""},

		{"junk package", "flows/x.go", "package utils", `the name "utils" says nothing`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := parse("", tt.file, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			got := objections([]source{s})
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("got %q, want no objection", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("got %q, want one with %q", got, tt.want)
			}
		})
	}
}

// TestParseModule finds files of every build tag and in nested directories, and none that the go
// command would not read.
func TestParseModule(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{
		"flows/a.go", "flows/a_windows.go", "flows/deep/er/b_test.go", "flows/testdata/no.go", ".hidden/no.go", "_no/no.go", "flows/no.txt",
	} {
		file = filepath.Join(root, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("//go:build never\n\npackage x\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	sources, err := parseModule(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sources {
		got = append(got, s.file)
	}
	want := []string{"flows/a.go", "flows/a_windows.go", "flows/deep/er/b_test.go"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestTable finds lines of the tables that lead nowhere, and circles.
func TestTable(t *testing.T) {
	known := func(room string) bool { _, ok := arrows[room]; return ok }
	for room, targets := range arrows {
		for _, target := range targets {
			if !known(target) {
				t.Errorf("arrow from %s to %q, which is no room", room, target)
			}
			if reaches(target, room) {
				t.Errorf("arrow from %s to %s closes a circle", room, target)
			}
		}
	}
	for _, l := range leashes {
		for _, room := range l.rooms {
			if !known(room) {
				t.Errorf("%s is leashed to %q, which is no room", l.path, room)
			}
		}
	}
}

func reaches(from, to string) bool {
	if from == to {
		return true
	}
	for _, target := range arrows[from] {
		if reaches(target, to) {
			return true
		}
	}
	return false
}
