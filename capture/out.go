package capture

import (
	"encoding/binary"
	"fmt"
	"io"
)

// out gathers blocks and hands them on in large writes. After an error it takes nothing more.
type out struct {
	w     io.Writer
	buf   []byte
	start int   // where the block being written begins
	done  int64 // bytes handed on
	err   error
}

func newOut(w io.Writer) out { return out{w: w, buf: make([]byte, 0, writeBuffer)} }

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
	if len(o.buf) < writeBuffer {
		return nil
	}
	return o.handOn(false)
}

func (o *out) flush() error { return o.handOn(true) }

// handOn writes what was gathered; whole says that nothing may stay behind in a Compressor, which costs it some of its
// effect.
func (o *out) handOn(whole bool) error {
	if o.err != nil {
		return o.err
	}
	n, err := o.w.Write(o.buf)
	o.done += int64(n)
	o.buf = o.buf[:0] // after an error as well: what does not fit must not pile up
	if c, compresses := o.w.(Compressor); compresses && err == nil && whole {
		err = c.Flush()
	}
	if err != nil {
		o.err = fmt.Errorf("write capture at byte %d: %w", o.done, err)
		return o.err
	}
	return nil
}
