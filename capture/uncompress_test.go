package capture_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"apptap/capture"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCompressed(t *testing.T) {
	file := ngFile(true)
	want, _ := mustRead(t, file)
	half := len(file) / 2
	for name, compressed := range map[string][]byte{
		"gzip":                gzipped(file),
		"gzip of two members": append(gzipped(file[:half]), gzipped(file[half:])...),
		"zstd":                zstded(file),
		"zstd of two frames":  append(zstded(file[:half]), zstded(file[half:])...),
		"zstd, skipped frame": append([]byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}, zstded(file)...),
		"gzip of gzip":        gzipped(gzipped(file)),
		"gzip of zstd":        gzipped(zstded(file)),
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := mustRead(t, compressed)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestCompressedTruncated cuts a compressed file at every byte. What could be decompressed is given.
func TestCompressedTruncated(t *testing.T) {
	file := ngFile(false)
	whole, _ := mustRead(t, file)
	for name, compressed := range map[string][]byte{"gzip": gzipped(file), "zstd": zstded(file), "both": zstded(gzipped(file))} {
		for n := 1; n < len(compressed); n++ {
			got, _, err := readAll(bytes.NewReader(compressed[:n]))
			if !errors.Is(err, capture.ErrTruncated) {
				t.Errorf("%s, cut at %d of %d: got %v, want ErrTruncated", name, n, len(compressed), err)
			}
			if len(got) > len(whole) {
				t.Fatalf("%s, cut at %d: got %d packets of %d", name, n, len(got), len(whole))
			}
			if diff := cmp.Diff(whole[:len(got)], got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, cut at %d (-want +got):\n%s", name, n, diff)
			}
		}
	}
}

// TestGzipHeaderCut ends inside the header's extra field, which the decompressor calls a plain end.
func TestGzipHeaderCut(t *testing.T) {
	header := []byte("\x1f\x8b\b\x04\x00\x00\x00\x00\x00\xff\b\x00")
	if _, err := capture.NewReader(bytes.NewReader(header), "test"); !errors.Is(err, capture.ErrTruncated) {
		t.Errorf("got %v, want ErrTruncated", err)
	}
}

func TestCompressedDamaged(t *testing.T) {
	file := ngFile(false)
	whole, _ := mustRead(t, file)
	checksum := gzipped(file)
	checksum[len(checksum)-8] ^= 1
	for name, compressed := range map[string][]byte{"checksum": checksum, "trailing bytes": append(gzipped(file), "more text than a header"...)} {
		got, _, err := readAll(bytes.NewReader(compressed))
		if !errors.Is(err, capture.ErrDamaged) || len(got) != len(whole) {
			t.Errorf("%s: got %d packets and %v, want all %d and ErrDamaged", name, len(got), err, len(whole))
		}
	}
}

func TestZstdWindow(t *testing.T) {
	// A frame header (RFC 8878 section 3.1.1.1): no content size, a window of 2^31 bytes, one raw block.
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 0x01, 0x00, 0x00}
	_, err := capture.NewReader(bytes.NewReader(frame), "test")
	if !errors.Is(err, capture.ErrDamaged) || !strings.Contains(err.Error(), "window of more than 128 MiB") {
		t.Errorf("got %v, want ErrDamaged that speaks of the window", err)
	}
}
