package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"apptap/capture"
	"apptap/capture/live"
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

// fileFilter applies a BPF expression to packets from files. One file may hold several link types,
// for each of which the expression compiles to another program.
type fileFilter struct {
	expr     string
	programs map[capture.LinkType]*live.Filter // nil where the expression makes no sense for the link type
}

// newFileFilter compiles the expression for the link types known so far, to find mistakes in it early.
func newFileFilter(expr string, sources []capture.Source) (*fileFilter, error) {
	f := &fileFilter{expr: expr, programs: make(map[capture.LinkType]*live.Filter)}
	types := []capture.LinkType{}
	for _, source := range sources {
		for _, i := range source.Interfaces() {
			types = append(types, i.LinkType)
		}
	}
	if len(types) == 0 {
		types = append(types, capture.LinkTypeEthernet)
	}
	for _, t := range types {
		if err := f.compile(t); err != nil {
			return nil, fmt.Errorf("filter for %v packets: %w", t, err)
		}
	}
	return f, nil
}

func (f *fileFilter) compile(t capture.LinkType) error {
	program, err := live.CompileFilter(t, defaultSnapLen, f.expr)
	f.programs[t] = program
	return err
}

func (f *fileFilter) match(p *capture.Packet) bool {
	program, ok := f.programs[p.LinkType]
	if !ok {
		if f.compile(p.LinkType) != nil {
			return false // libpcap has no such link type or the expression no meaning there: nothing matches
		}
		program = f.programs[p.LinkType]
	}
	return program != nil && program.Match(p)
}
