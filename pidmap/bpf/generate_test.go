package bpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clangVersion made the committed objects; another one makes other code of the same source.
const clangVersion = "clang version 14."

// TestObjects compiles the programs again and compares them with what is committed.
func TestObjects(t *testing.T) {
	version, err := exec.Command("clang-14", "--version").Output()
	if err != nil || !strings.Contains(string(version), clangVersion) {
		t.Skipf("wants %s to compare: have %q, %v", clangVersion, version, err)
	}
	source, err := os.ReadFile("generate.go")
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(source), "//go:generate go ")
	if !ok {
		t.Fatal("generate.go has no go:generate line")
	}
	line = strings.TrimSpace(line)
	before, quoted, _ := strings.Cut(line, `"`)
	flags, after, _ := strings.Cut(quoted, `"`)
	dir := t.TempDir()
	arguments := append(strings.Fields(before), flags)
	arguments = append(arguments, "-output-dir", dir)
	arguments = append(arguments, strings.Fields(after)...)
	c := exec.CommandContext(t.Context(), "go", arguments...)
	c.Env = append(os.Environ(), "GOPACKAGE=bpf", "GOOS=linux")
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("the generator does not run here: %v: %s", err, out)
	}
	made, err := filepath.Glob(filepath.Join(dir, "ownership_*"))
	if err != nil || len(made) != 4 {
		t.Fatalf("made %q, %v, want two objects and their Go", made, err)
	}
	for _, name := range made {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Base(name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what its source makes (%v): run make generate", filepath.Base(name), err)
		}
	}
}
