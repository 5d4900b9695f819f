package capture

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// TestCompressor: a capture that is compressed by name is read again, and one that was not ended as far as it was flushed.
func TestCompressor(t *testing.T) {
	for _, name := range []string{"a.pcapng.zst", "a.pcapng.gz"} {
		for _, ended := range []bool{true, false} {
			var file bytes.Buffer
			compressor, err := NewCompressor(name, &file)
			if err != nil {
				t.Fatal(err)
			}
			w, err := NewWriter(compressor, WriterOptions{Interfaces: []Interface{{Name: "eth0", LinkType: LinkTypeEthernet}}})
			if err != nil {
				t.Fatal(err)
			}
			write := func(n int) {
				for range n {
					if err := w.WritePacket(&Packet{Time: 1, Data: make([]byte, 1000), Length: 1000}); err != nil {
						t.Fatal(err)
					}
				}
			}
			write(300)
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			flushed := file.Len()
			write(200)
			want := 300
			if ended {
				want = 500
				if err := errors.Join(w.Close(), compressor.Close()); err != nil {
					t.Fatal(err)
				}
			} else {
				file.Truncate(flushed)
			}
			if got, err := readAll(&file, name); got != want || ended && err != nil || !ended && !errors.Is(err, ErrTruncated) {
				t.Errorf("%s, ended %v: %d packets, %v; want %d", name, ended, got, err, want)
			}
			if flushed > 30_000 {
				t.Errorf("%s: %d bytes for 300 packets of zeros", name, flushed)
			}
		}
	}
	if c, err := NewCompressor("a.pcapng", io.Discard); c != nil || err != nil {
		t.Errorf("a.pcapng is compressed: %v, %v", c, err)
	}
}

func readAll(file io.Reader, name string) (packets int, err error) {
	source, err := NewReader(file, name)
	if err != nil {
		return 0, err
	}
	defer source.Close()
	var p Packet
	for err = source.Next(&p); err == nil; err = source.Next(&p) {
		packets++
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return packets, err
}
