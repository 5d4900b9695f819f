package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOpenWaitingInterrupted: opening a named pipe waits for a writer, but not past the end of the run.
func TestOpenWaitingInterrupted(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	opened := make(chan error)
	go func() {
		f, err := openWaiting(ctx, pipe)
		if err == nil {
			f.Close()
		}
		opened <- err
	}()
	interrupt() // before or while the open waits: both end it
	if err := <-opened; !errors.Is(err, errInterrupted) {
		t.Errorf("error %v, want %v", err, errInterrupted)
	}
}

// TestUntilDone: a read of a pipe that nobody writes to ends with the run.
func TestUntilDone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	reader := untilDone(ctx, r)
	interrupt()
	if _, err := io.ReadAll(reader); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read error %v, want %v", err, os.ErrDeadlineExceeded)
	}
}
