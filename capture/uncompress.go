package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxNesting is how many compressions may be wrapped around a capture: one is usual, two happen
	// (a rotated .gz that a backup compressed again), more is an attack.
	maxNesting = 2
	// maxZstdWindow bounds the memory that a zstd frame may ask for. zstd --ultra -22 writes windows
	// of 128 MiB; --long=31 would ask for 2 GiB.
	maxZstdWindow = 128 << 20
)

// streamError is a compressed stream that broke: kind is ErrTruncated or ErrDamaged.
type streamError struct {
	kind   error
	detail string
}

func (e *streamError) Error() string { return e.detail }
func (e *streamError) Unwrap() error { return e.kind }

// compression is a format that is unwrapped on the way to a capture.
type compression struct {
	name string
	open func(io.Reader) (io.ReadCloser, error)
}

var (
	gzipMagic = [4]byte{0x1f, 0x8b, 0x08, 0x00} // two bytes of magic, deflate, no flags
	zstdMagic = [4]byte{0x28, 0xb5, 0x2f, 0xfd}
)

// compressionOf recognises a compressed stream by its first bytes (RFC 1952 section 2.3.1, RFC 8878
// section 3.1.1). A zstd file may begin with a skippable frame, as pzstd writes it.
func compressionOf(head []byte) (compression, bool) {
	switch {
	case bytes.HasPrefix(head, gzipMagic[:2]):
		return compression{"gzip", openGzip}, true
	case bytes.HasPrefix(head, zstdMagic[:]),
		len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}):
		return compression{"zstd", openZstd}, true
	}
	return compression{}, false
}

// openGzip reads all members of a gzip file as one stream, as gzip(1) does.
func openGzip(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }

// openZstd decodes in the caller's goroutine: concurrency 1 is the decoder's synchronous mode.
func openZstd(r io.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxZstdWindow))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// uncompressed reads through a compression and tells a broken stream from a failing device.
type uncompressed struct {
	name string
	from *remembering
	z    io.ReadCloser
}

// uncompress returns a reader of what r holds compressed.
func uncompress(c compression, r io.Reader) (*uncompressed, error) {
	u := &uncompressed{name: c.name, from: &remembering{r: r}}
	z, err := c.open(u.from)
	if errors.Is(err, io.EOF) { // there were first bytes, so the end inside the header is no clean one
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, u.explain(err)
	}
	u.z = z
	return u, nil
}

func (u *uncompressed) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	if err != nil {
		err = u.explain(err)
	}
	return n, err
}

func (u *uncompressed) Close() error { return u.z.Close() }

func (u *uncompressed) explain(err error) error {
	if u.from.err != nil {
		return u.from.err
	}
	switch {
	case err == io.EOF: //nolint:errorlint // a Reader's own end must be io.EOF itself, never wrapped
		return io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &streamError{ErrTruncated, u.name + " stream ends early"}
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return &streamError{ErrDamaged, fmt.Sprintf("zstd stream asks for a window of more than %d MiB: decompress it first", maxZstdWindow>>20)}
	}
	return &streamError{ErrDamaged, fmt.Sprintf("%s stream: %v", u.name, err)}
}

// remembering keeps the error of the reader under a decompressor, which may hide it.
type remembering struct {
	r   io.Reader
	err error
}

func (m *remembering) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}
