package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestCreateFileClaims: a file that is being recorded into is refused and stays as it is; one that is finished is overwritten, as by tcpdump.
func TestCreateFileClaims(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "s.pcapng")
	first, err := createFile(t.Context(), t.Output(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Write([]byte("packets")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.pcapng")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	for _, again := range []string{name, link} {
		if _, err := createFile(t.Context(), t.Output(), again); !errors.Is(err, errClaimed) {
			t.Errorf("second writer of %s: error %v, want %v", filepath.Base(again), err, errClaimed)
		}
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "packets" {
		t.Errorf("the first one's file has %q (%v), want what it wrote", got, err)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	next, err := createFile(t.Context(), t.Output(), name)
	if err != nil {
		t.Fatalf("a finished file: %v", err)
	}
	defer next.close()
	if info, err := os.Stat(name); err != nil || info.Size() != 0 {
		t.Errorf("a finished file is not emptied: %v (%v)", info, err)
	}
}

// TestCreateFileDevice: what is no file has no writer of its own.
func TestCreateFileDevice(t *testing.T) {
	for range 2 {
		out, err := createFile(t.Context(), t.Output(), os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer out.close()
	}
}
