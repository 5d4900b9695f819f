package capture

import (
	"compress/gzip"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Compressor compresses what is written to it. A Writer flushes it with itself, so that what a program that dies has
// flushed can be read; it has to be closed after the Writer.
type Compressor interface {
	io.WriteCloser
	Flush() error
}

// NewCompressor compresses into w as a file's name says by its end: .zst (RFC 8878) or .gz (RFC 1952). Of any other name it is
// nil. It starts no goroutine.
func NewCompressor(name string, w io.Writer) (Compressor, error) {
	switch {
	case strings.HasSuffix(name, ".zst"):
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	case strings.HasSuffix(name, ".gz"):
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	}
	return nil, nil
}
