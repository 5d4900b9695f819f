package capture

import (
	"errors"
	"fmt"
	"io"
)

const (
	// firstBuffer is how much a reader asks for at once: fewer, larger reads cost less, and 256 KiB
	// still fits a core's second-level cache.
	firstBuffer = 256 << 10
	// maxRecord bounds the captured bytes of one packet and the length of one pcapng block that is
	// read as a whole. libpcap stops at 256 KiB for most link types and at 16 MiB for any pcapng
	// block (sf-pcapng.c, MAX_BLOCKSIZE).
	maxRecord = 16 << 20
	// maxEmptyReads is how often a reader may return nothing and no error before it counts as broken.
	maxEmptyReads = 100
)

// input is a window on a byte stream. Packets point into its buffer, so nothing is copied but the
// part of a record that straddles two reads. The buffer grows by doubling and only when it is full of
// bytes that have arrived: a length field alone allocates nothing.
type input struct {
	r          io.Reader
	name       string
	buf        []byte
	start, end int
	base       int64 // stream offset of buf[0]
	err        error // what r ended with
}

func newInput(r io.Reader, name string) *input {
	return &input{r: r, name: name, buf: make([]byte, firstBuffer)}
}

// peek returns at least n bytes without consuming them, or fewer when the stream ended: err says how.
// The bytes are valid until the next peek or discard.
func (in *input) peek(n int) []byte {
	if in.end-in.start < n {
		in.fill(n)
	}
	return in.buf[in.start:in.end]
}

// skip consumes n bytes that peek has shown.
func (in *input) skip(n int) { in.start += n }

func (in *input) offset() int64 { return in.base + int64(in.start) }

func (in *input) fill(n int) {
	for in.err == nil && in.end-in.start < n {
		if in.end == len(in.buf) || len(in.buf)-in.start < n {
			in.makeRoom()
		}
		in.read()
	}
}

// makeRoom moves what is left to the front; when there is nothing to move it doubles the buffer.
func (in *input) makeRoom() {
	if in.start == 0 && in.end == len(in.buf) {
		in.buf = append(in.buf, make([]byte, len(in.buf))...)
		return
	}
	copy(in.buf, in.buf[in.start:in.end])
	in.base += int64(in.start)
	in.end -= in.start
	in.start = 0
}

func (in *input) read() {
	for range maxEmptyReads {
		n, err := in.r.Read(in.buf[in.end:])
		in.end += n
		in.err = err
		if n > 0 || err != nil {
			return
		}
	}
	in.err = io.ErrNoProgress
}

// discard consumes n bytes, read or not, and returns how many there were.
func (in *input) discard(n int64) int64 {
	done := int64(0)
	for done < n {
		have := len(in.peek(1))
		if have == 0 {
			break
		}
		step := min(int64(have), n-done)
		in.skip(int(step))
		done += step
	}
	return done
}

// ended explains why fewer than need bytes of what were left at offset at. It is io.EOF where the
// stream ends cleanly between two records.
func (in *input) ended(at int64, what string, have, need int64) error {
	var broken *streamError
	switch {
	case errors.As(in.err, &broken):
		return &FileError{File: in.name, Offset: at, Detail: broken.detail, Err: broken.kind}
	case !errors.Is(in.err, io.EOF):
		return fmt.Errorf("read %s at byte %d: %w", in.name, at, in.err)
	case have == 0:
		return io.EOF
	}
	detail := fmt.Sprintf("%s has %d of %d bytes, %d missing", what, have, need, need-have)
	return &FileError{File: in.name, Offset: at, Detail: detail, Err: ErrTruncated}
}

// damaged says that the bytes at offset at cannot be.
func (in *input) damaged(at int64, format string, args ...any) *FileError {
	return &FileError{File: in.name, Offset: at, Detail: fmt.Sprintf(format, args...), Err: ErrDamaged}
}
