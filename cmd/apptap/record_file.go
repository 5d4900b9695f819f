package main

import (
	"cmp"
	"fmt"
	"io"
	"os"

	"apptap/capture"
)

// outFile is a file that a recording goes to, compressed if its name says so. It counts the bytes that reach it.
type outFile struct {
	name       string
	file       io.WriteCloser
	compressor capture.Compressor // nil = none
	bytes      int64
}

func createFile(name string) (*outFile, error) {
	if err := checkWritable(name); err != nil {
		return nil, err
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, pathCause(err))
	}
	o := &outFile{name: name, file: file}
	if o.compressor, err = capture.NewCompressor(name, o); err != nil {
		file.Close()
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return o, nil
}

// writer is where the recording writes.
func (o *outFile) writer() io.Writer {
	if o.compressor != nil {
		return o.compressor
	}
	return o
}

// Write puts bytes into the file as they are.
func (o *outFile) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	o.bytes += int64(n)
	return n, err
}

func (o *outFile) close() (err error) {
	if o.compressor != nil {
		err = o.compressor.Close()
	}
	return cmp.Or(err, o.file.Close())
}
