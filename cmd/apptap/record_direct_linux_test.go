package main

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"apptap/capture"
)

// writePackets writes 20 MB of packets, flushed twice on the way.
func writePackets(t *testing.T, to io.Writer) {
	t.Helper()
	w, err := capture.NewWriter(to, capture.WriterOptions{Interfaces: []capture.Interface{{LinkType: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		data := bytes.Repeat([]byte{byte(i)}, 1000)
		err := w.WritePacket(&capture.Packet{Data: data, Length: len(data), LinkType: 1})
		if i%7000 == 6999 {
			err = errors.Join(err, w.Flush())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDirect records into a file past the page cache, and where that is refused from the first write on: the same bytes.
func TestDirect(t *testing.T) {
	for _, refused := range []bool{false, true} {
		name := filepath.Join(t.TempDir(), "s.pcapng")
		out, err := createFile(t.Context(), t.Output(), name)
		if err != nil {
			t.Fatal(err)
		}
		if out.direct == nil {
			t.Skip("this file system has no O_DIRECT")
		}
		if refused {
			out.direct.file.Close()
			if out.direct.file, err = os.Open(name); err != nil { // which cannot be written to
				t.Fatal(err)
			}
		}
		writePackets(t, out.writer())
		if tried := !out.direct.since.IsZero(); !tried || refused != (out.direct.pause > directPause) {
			t.Errorf("refused %v: written past the page cache %v, %d pieces to go through it", refused, tried, out.direct.pause)
		}
		if err := out.close(); err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		writePackets(t, &want)
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("refused %v: %d bytes are in the file (%v), want the %d that were written", refused, len(got), err, want.Len())
		}
	}
}

// TestDirectJudges: a disk that is slow is left to the page cache for some time.
func TestDirectJudges(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, c := range []struct {
		name         string
		gather, take time.Duration // of each piece
		err          error
		pieces, want int
	}{
		{"quick", 7 * time.Millisecond, time.Millisecond, nil, 1000, 0},
		{"one wait too long", 5 * time.Millisecond, slowDirect + 1, nil, 2, directPause},
		{"one wait in which little came", 70 * time.Millisecond, slowDirect + 1, nil, judgedPieces - 1, 0},
		{"as fast as it comes", time.Millisecond, 2 * time.Millisecond, nil, judgedPieces, directPause},
		{"a burst", time.Millisecond, 2 * time.Millisecond, nil, judgedPieces - 1, 0},
		{"refused", time.Second, 0, os.ErrInvalid, 1, math.MaxInt},
	} {
		var d direct
		now := start
		for range c.pieces {
			begun := now.Add(c.gather)
			now = begun.Add(c.take)
			d.judge(begun, now, c.err)
		}
		if d.pause != c.want {
			t.Errorf("%s: pause %d, want %d", c.name, d.pause, c.want)
		}
	}
}

// TestOpenDirect: what is no file is written as ever.
func TestOpenDirect(t *testing.T) {
	for _, name := range []string{os.DevNull, "/dev/full"} {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if openDirect(name, f) != nil {
			t.Errorf("%s: written past the page cache", name)
		}
	}
}
