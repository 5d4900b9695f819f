package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// openPipe opens the named pipe that -w names, nil for anything else, when somebody reads it: tcpdump waits for that too. Nothing is
// captured meanwhile. limit is how long a capture may take and so how long the wait may, 0 = for ever.
func (f *captureFlags) openPipe(ctx context.Context, s streams, limit time.Duration) (*outFile, error) {
	if !isPipe(f.record) || f.rotation != (rotation{}) {
		return nil, nil
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	out, err := createFile(ctx, s.err, f.record)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, withHint(fmt.Errorf("write %s: nobody has read it for %v", f.record, limit), "begin to read first, such as: wireshark -k -i "+f.record)
	}
	return out, err
}

func isPipe(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// openToWrite opens a file to write to, which it makes if need be and does not empty. A named pipe waits for a reader, which is said to a
// person, but gives up with errInterrupted when ctx ends.
func openToWrite(ctx context.Context, said io.Writer, name string) (*os.File, error) {
	if !isPipe(name) {
		return os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	}
	if file, err := os.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0); !errors.Is(err, syscall.ENXIO) { // fifo(7): nobody reads it
		return file, err
	}
	fmt.Fprintf(said, "apptap: waiting until somebody reads %s\n", printable(name))
	opened, done := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, func() {
		// A reader, which is there until the open has seen it, is what that waits for.
		if r, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
			<-opened.Done()
			r.Close()
		}
	})
	defer stop()
	defer done()
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err == nil && ctx.Err() != nil {
		file.Close()
		return nil, errInterrupted
	}
	return file, err
}

// patience is how long each write may wait for a pipe's reader once the run is over. A reader that is merely slow gets the rest.
const patience = 2 * time.Second

var errPatience = errors.New("its reader takes no more")

// impatient writes to a file, and once ctx has ended waits no longer than patience for each write. Only pipes wait at all: other files
// have no deadlines (os.ErrNoDeadline).
type impatient struct {
	file     *os.File
	patience time.Duration
	over     atomic.Bool
}

// after begins to watch ctx; stop ends that.
func (i *impatient) after(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		i.over.Store(true)
		_ = i.file.SetWriteDeadline(time.Now().Add(i.patience))
	})
}

// Write implements io.Writer.
func (i *impatient) Write(p []byte) (int, error) {
	if i.over.Load() {
		_ = i.file.SetWriteDeadline(time.Now().Add(i.patience))
	}
	n, err := i.file.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errPatience
	}
	return n, err
}
