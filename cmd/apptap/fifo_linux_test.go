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

// TestOpenToWriteInterrupted: opening a named pipe waits for a reader, but not past the end of the run.
func TestOpenToWriteInterrupted(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	opened := make(chan error)
	go func() {
		out, err := createFile(ctx, t.Output(), pipe)
		if err == nil {
			out.close()
		}
		opened <- err
	}()
	interrupt() // before or while the open waits: both end it
	if err := <-opened; !errors.Is(err, errInterrupted) {
		t.Errorf("error %v, want %v", err, errInterrupted)
	}
}

// TestPipeReaderStops: a recording into a named pipe that nobody empties ends with the run, and not before.
func TestPipeReaderStops(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	out, err := createFile(t.Context(), t.Output(), pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer out.close()
	out.waiting.patience = 1
	ctx, interrupt := context.WithCancel(t.Context())
	defer out.waiting.after(ctx)()
	more := make([]byte, 64<<10)
	if _, err := out.Write(more[:1]); err != nil {
		t.Fatalf("with a reader: %v", err)
	}
	written := make(chan error)
	go func() {
		for {
			if _, err := out.Write(more); err != nil { // of 64 KiB, what a pipe holds, the second one waits
				written <- err
				return
			}
		}
	}()
	interrupt()
	if err := <-written; !errors.Is(err, errPatience) {
		t.Errorf("error %v, want %v", err, errPatience)
	}
}
