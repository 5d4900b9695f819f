package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const fileKinds = "apptap reads pcap, pcapng, and gzip or zstd of these"

// NewReader returns a Source of the capture file in r: pcap in all its variants or pcapng, plain or
// compressed with gzip or zstd, told apart by content. name is how messages call the file; r is not
// closed. Its error wraps ErrFormat where r holds no capture, ErrTruncated where it ends inside the
// file header. The Source reads ahead, holds one buffer of 256 KiB (up to 32 MiB where packets are
// that large) and allocates nothing per packet.
func NewReader(r io.Reader, name string) (Source, error) {
	in := newInput(r, name)
	opened := closers{}
	for range maxNesting {
		c, ok := compressionOf(in.peek(4))
		if !ok {
			break
		}
		u, err := uncompress(c, in)
		if err != nil {
			in.err = err
			return nil, errors.Join(in.ended(0, c.name+" stream", 0, 0), opened.Close())
		}
		opened = append(opened, u)
		in = newInput(u, name)
	}
	source, err := newFileReader(in, opened)
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return source, nil
}

// Read makes an input a reader of what it has not given out yet, for a decompressor on top of it.
func (in *input) Read(p []byte) (int, error) {
	if in.start == in.end && len(in.peek(1)) == 0 {
		return 0, in.err
	}
	n := copy(p, in.buf[in.start:in.end])
	in.skip(n)
	return n, nil
}

func newFileReader(in *input, opened closers) (Source, error) {
	head := in.peek(4)
	if len(head) < 4 {
		return nil, in.tooShort(head)
	}
	if format, ok := pcapFormatOf(head); ok {
		return newPcapReader(in, format, opened)
	}
	if isPcapng(head) {
		return newNgReader(in, opened)
	}
	detail := fmt.Sprintf("begins with % x; %s", head[:4], fileKinds)
	if c, ok := compressionOf(head); ok {
		detail = fmt.Sprintf("%s inside %d other compressions; %s", c.name, maxNesting, fileKinds)
	}
	return nil, &FileError{File: in.name, Detail: detail, Err: ErrFormat}
}

// tooShort explains a stream that has no room for a magic number.
func (in *input) tooShort(head []byte) error {
	if !errors.Is(in.err, io.EOF) {
		return in.ended(0, "file header", 0, 0)
	}
	if len(head) == 0 {
		return &FileError{File: in.name, Detail: "it is empty; " + fileKinds, Err: ErrFormat}
	}
	if startsMagic(head) {
		return in.ended(0, "magic number", int64(len(head)), 4)
	}
	detail := fmt.Sprintf("holds only % x; %s", head, fileKinds)
	return &FileError{File: in.name, Detail: detail, Err: ErrFormat}
}

// startsMagic reports whether a capture file could begin with head.
func startsMagic(head []byte) bool {
	for _, f := range pcapFormats() {
		if bytes.HasPrefix(f.magic[:], head) {
			return true
		}
	}
	for _, magic := range [3][4]byte{pcapngMagic, gzipMagic, zstdMagic} {
		if bytes.HasPrefix(magic[:], head) {
			return true
		}
	}
	return false
}

// closers are the decompressors of a file, outermost first.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for i := len(c) - 1; i >= 0; i-- {
		errs = append(errs, c[i].Close())
	}
	return errors.Join(errs...)
}
