package capture

import (
	"encoding/binary"
	"fmt"
	"io"
)

// out gathers blocks and hands them on in large writes. After an error it takes nothing more.
//
// Unless everything is wanted, it hands on whole pages, and each byte lies at the same place of a page of the buffer as of the
// destination: what a file needs that is written past the page cache (open(2), O_DIRECT).
type out struct {
	w     io.Writer
	buf   []byte
	from  int   // where in buf begins what was not handed on yet
	full  int   // how long buf may become
	start int   // where the block being written begins
	done  int64 // bytes handed on
	tail  bool  // a Compressor may hold some of them
	err   error
}

const (
	// writeBuffer is how much is gathered before the destination is called.
	writeBuffer = 256 << 10
	// largeBlock is room for the block that makes a lent buffer full: frames of 64 KiB and blocks of apptap's records are smaller.
	// A larger one is gathered elsewhere.
	largeBlock = 128 << 10
	pageSize   = 4096
)

// BufferLender is a destination with a buffer of its own to gather in, of more than 128 KiB and beginning where a page of memory
// does. The destination does not touch it.
type BufferLender interface {
	io.Writer
	Buffer() []byte
}

func newOut(w io.Writer) out {
	if lender, lends := w.(BufferLender); lends {
		if buf := lender.Buffer(); cap(buf) > largeBlock {
			return out{w: w, buf: buf[:0], full: cap(buf) - largeBlock}
		}
	}
	return out{w: w, buf: make([]byte, 0, writeBuffer), full: writeBuffer}
}

// begin starts a pcapng block and returns the buffer to append its body to.
func (o *out) begin(kind uint32) []byte {
	o.start = len(o.buf)
	b := binary.LittleEndian.AppendUint32(o.buf, kind)
	return binary.LittleEndian.AppendUint32(b, 0)
}

// end closes the block in b, which begin returned: it fills in both lengths.
func (o *out) end(b []byte) error {
	length := uint32(len(b) - o.start + 4)
	binary.LittleEndian.PutUint32(b[o.start+4:], length)
	return o.take(binary.LittleEndian.AppendUint32(b, length))
}

// take makes b, the buffer with something appended, the buffer.
func (o *out) take(b []byte) error {
	if o.err != nil {
		return o.err
	}
	o.buf = b
	if len(o.buf) < o.full {
		return nil
	}
	return o.handOn(len(o.buf) &^ (pageSize - 1))
}

// pending is how many bytes are gathered.
func (o *out) pending() int64 { return int64(len(o.buf) - o.from) }

// flush hands on everything, so that nothing stays behind in a Compressor either, which costs it some of its effect.
func (o *out) flush() error {
	if err := o.handOn(len(o.buf)); err != nil {
		return err
	}
	if c, compresses := o.w.(Compressor); compresses && o.tail {
		o.tail = false
		return o.failed(c.Flush())
	}
	return nil
}

// handOn writes what was gathered up to an end in the buffer, and moves the rest to the place in a page that it has in the destination.
func (o *out) handOn(end int) error {
	if o.err != nil {
		return o.err
	}
	if end > o.from {
		n, err := o.w.Write(o.buf[o.from:end])
		o.done += int64(n)
		o.tail = true
		if err != nil {
			o.buf, o.from = o.buf[:0], 0 // what does not fit must not pile up
			return o.failed(err)
		}
	}
	o.from = end % pageSize
	o.buf = append(o.buf[:o.from], o.buf[end:]...)
	return nil
}

func (o *out) failed(err error) error {
	if err != nil {
		o.err = fmt.Errorf("write capture at byte %d: %w", o.done, err)
	}
	return o.err
}
