package main

import (
	"context"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// countedFile is an input that knows how much of it has been read.
type countedFile struct {
	reader io.Reader
	closer io.Closer // nil for standard input
	read   atomic.Int64
}

func (f *countedFile) Read(p []byte) (int, error) {
	n, err := f.reader.Read(p)
	f.read.Add(int64(n))
	return n, err
}

// Close closes the file, unless it is standard input.
func (f *countedFile) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// done is the share of all files that has been read, between 0 and 1.
func (in *inputs) done() float64 {
	var read int64
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, f := range in.files {
		read += f.read.Load()
	}
	if in.total == 0 {
		return 0
	}
	return min(1, float64(read)/float64(in.total))
}

// interruptible makes a read of standard input end when ctx does, where that is a pipe: a person who presses ^C
// wants the report of what came until then. Only a non-blocking file can be waited for with a deadline, and
// the end of a pipe that one reads from is one's own to change.
func interruptible(ctx context.Context, stdin io.Reader) io.Reader {
	f, ok := stdin.(*os.File)
	if !ok {
		return stdin
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 || syscall.SetNonblock(int(f.Fd()), true) != nil {
		return stdin
	}
	return untilDone(ctx, os.NewFile(f.Fd(), f.Name()))
}

// untilDone makes reads of a pipe end when ctx does. Other files have no deadlines and need none: they
// never make a reader wait.
func untilDone(ctx context.Context, f *os.File) io.Reader {
	context.AfterFunc(ctx, func() {
		_ = f.SetReadDeadline(time.Now()) // os.ErrNoDeadline: not a pipe
	})
	return f
}

// openWaiting opens a file, but for a named pipe gives up when ctx ends: such an open waits until somebody writes.
func openWaiting(ctx context.Context, name string) (*os.File, error) {
	if !isPipe(name) {
		return os.Open(name)
	}
	var opened atomic.Bool
	stop := context.AfterFunc(ctx, func() {
		// Somebody who writes, if only for a moment, is what the open waits for. Until it does there is no
		// reader, and this fails: again, then.
		for !opened.Load() {
			if w, err := os.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				w.Close()
				return
			}
		}
	})
	defer stop()
	defer opened.Store(true)
	f, err := os.Open(name)
	if err == nil && ctx.Err() != nil {
		f.Close()
		return nil, errInterrupted
	}
	return f, err
}
