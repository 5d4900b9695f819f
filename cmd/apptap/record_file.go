package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"apptap/capture"
)

// outFile is a file that a recording goes to, compressed if its name says so. It counts the bytes that reach it.
type outFile struct {
	name       string
	file       *os.File
	waiting    impatient          // what is written through it
	compressor capture.Compressor // nil = none
	direct     *direct            // nil = none
	bytes      int64
	info       os.FileInfo // as it was opened
}

// createFile opens a file to record into, empty. ctx ends the wait for the reader of a named pipe, of which is said that it is waited for.
func createFile(ctx context.Context, said io.Writer, name string) (*outFile, error) {
	if err := checkWritable(name); err != nil {
		return nil, err
	}
	file, err := openToWrite(ctx, said, name) // not emptied before it is known to be nobody else's
	if errors.Is(err, errInterrupted) {
		return nil, err
	}
	if err != nil {
		return nil, notWritable(name, err)
	}
	if err := claim(file); err != nil {
		file.Close()
		return nil, notFree(name, "-w", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, notWritable(name, err)
	}
	o := &outFile{name: name, file: file, info: info, waiting: impatient{file: file, patience: patience}}
	if o.compressor, err = capture.NewCompressor(name, o); err != nil {
		file.Close()
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	if o.compressor == nil {
		o.direct = openDirect(name, file)
	}
	return o, nil
}

var errClaimed = errors.New("another apptap is writing to it")

// claim empties a file that is for one writer alone until it is closed: two would overwrite each other's blocks. The lock binds only who
// asks for it (flock(2)): tcpdump does not, and on file systems without locks everyone may write. What is no file is anyone's.
func claim(file *os.File) error {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if err := lock(file, syscall.LOCK_EX); err != nil {
		return err
	}
	return file.Truncate(0)
}

// lock locks a file as long as it is open, without waiting: errClaimed. A file system without locks gives none and no error.
func lock(file *os.File, how int) error {
	if err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return errClaimed
	}
	return nil
}

// writer is where the recording writes.
func (o *outFile) writer() io.Writer {
	if o.compressor != nil {
		return o.compressor
	}
	return o
}

// Buffer implements capture.BufferLender.
func (o *outFile) Buffer() []byte {
	if o.direct == nil {
		return nil
	}
	return o.direct.buffer
}

// Write puts bytes into the file as they are.
func (o *outFile) Write(p []byte) (n int, err error) {
	if o.direct != nil {
		n, err = o.direct.write(o.file, p, o.bytes)
	} else {
		n, err = o.waiting.Write(p)
	}
	o.bytes += int64(n)
	return n, err
}

// end is close of the last file of a recording: the system is asked to have it on the disk by then, and says what went wrong since it was written.
// Pipes and devices have nothing to be asked for.
func (o *outFile) end() (err error) {
	if o.compressor != nil {
		err, o.compressor = o.compressor.Close(), nil
	}
	if info, statErr := o.file.Stat(); statErr == nil && info.Mode().IsRegular() {
		err = cmp.Or(err, o.file.Sync())
	}
	return cmp.Or(err, o.close())
}

// failed says after close whether what was written before an error can be replayed: what went into a pipe or a device is not there to be, and
// a file without anything is removed.
func (o *outFile) failed() (replayable bool) {
	if !o.info.Mode().IsRegular() || o.bytes > 0 {
		return o.info.Mode().IsRegular()
	}
	if now, err := os.Lstat(o.name); err == nil && os.SameFile(now, o.info) { // no link, and nobody else's meanwhile
		_ = os.Remove(o.name) // it stays, empty
	}
	return false
}

func (o *outFile) close() (err error) {
	if o.compressor != nil {
		err = o.compressor.Close()
	}
	if o.direct != nil {
		err = cmp.Or(err, o.direct.file.Close())
	}
	return cmp.Or(err, o.file.Close())
}
