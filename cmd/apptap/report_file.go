package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"apptap/summarize"
	"apptap/summarize/report"
)

// writeReportFile writes beside path and renames, so that nobody ever reads half a report; what is no regular
// file (a pipe, /dev/null) is written directly. A link is followed and an old report keeps its mode. A file that is being recorded
// into stays: errClaimed.
func writeReportFile(said io.Writer, path string, summary *summarize.Summary, opts report.Options) error {
	mode := os.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		if isPipe(path) {
			return writeReportPipe(said, path, summary, opts)
		}
		if !info.Mode().IsRegular() {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			return writeAndClose(f, summary, opts)
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
		mode = info.Mode().Perm()
	}
	free, err := keepFree(path)
	defer free()
	if err != nil {
		return err
	}
	// A name that nobody can foresee, and made new: in a directory open to all a link could wait under it.
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = part.Chmod(mode)
	err = errors.Join(err, writeAndClose(part, summary, opts))
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(part.Name()))
	}
	return err
}

var errUnread = errors.New("interrupted before anybody read it")

// writeReportPipe writes into a named pipe once somebody reads it, which is said to a person. The signals that end a capture end this too,
// after a capture that they have ended as well: errUnread, and errPatience for a reader who takes no more.
func writeReportPipe(said io.Writer, path string, summary *summarize.Summary, opts report.Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	defer stop()
	f, err := openToWrite(ctx, said, path)
	if errors.Is(err, errInterrupted) {
		return errUnread
	}
	if err != nil {
		return err
	}
	out := impatient{file: f, patience: patience}
	defer out.after(ctx)()
	err = writeReport(&out, summary, opts)
	return cmp.Or(err, f.Close())
}

func writeAndClose(f *os.File, summary *summarize.Summary, opts report.Options) error {
	if err := writeReport(f, summary, opts); err != nil {
		f.Close() // the first error is the one to tell
		return err
	}
	return f.Close()
}

// keepFree keeps recordings out of a file until free, which is never nil. errClaimed: one goes into it already. What is no file, or cannot be
// read, or is on a file system without locks, is not looked at.
func keepFree(path string) (free func(), err error) {
	free = func() {}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return free, nil
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return free, nil
	}
	// Shared: it conflicts with claim's alone, and NFS takes it for a file that is only read (flock(2)).
	if err := lock(file, syscall.LOCK_SH); err != nil {
		file.Close()
		return free, err
	}
	return func() { file.Close() }, nil
}

// notFree is the error for a file that flag names and that another one records into, nil for nil.
func notFree(name, flag string, err error) error {
	if err == nil {
		return nil
	}
	return withHint(fmt.Errorf("write %s: %w", name, pathCause(err)), "give another name with "+flag+", or end the other one first")
}
