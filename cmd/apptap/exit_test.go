package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// TestTellNeutral says errors and hints about a file whose name has terminal escapes.
func TestTellNeutral(t *testing.T) {
	const name = "\x1b[31mred\u009b"
	for _, err := range []error{
		errors.New("open " + name), withHint(errors.New("open"), "mkdir -p "+name),
		checkWritable(filepath.Join(t.TempDir(), name, "out")), usageError("what is %s", name),
	} {
		var said strings.Builder
		if tell(&said, err, "apptap help"); strings.ContainsAny(said.String(), "\x1b\u009b") || !strings.Contains(said.String(), "red") {
			t.Errorf("%v: said %q", err, said.String())
		}
	}
}

// TestKeyWithoutEnd reads a key from a file that has no end.
func TestKeyWithoutEnd(t *testing.T) {
	f := keptFlags{anonymize: true, keyFile: "/dev/zero"}
	if _, err := f.mapper(); err == nil || !strings.Contains(err.Error(), "/dev/zero") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}
