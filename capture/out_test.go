package capture_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"apptap/capture"
)

// lender is a destination that lends a buffer and looks at what it is given of it.
type lender struct {
	file      bytes.Buffer
	lent      []byte
	partial   int // writes that do not end where a page ends
	misplaced int // writes from another place of a page than the one they go to
}

func (l *lender) Buffer() []byte { return l.lent }

func (l *lender) Write(p []byte) (int, error) {
	const page = 4096
	if from := cap(l.lent) - cap(p); from%page != l.file.Len()%page {
		l.misplaced++
	}
	if (l.file.Len()+len(p))%page != 0 {
		l.partial++
	}
	return l.file.Write(p)
}

// TestBufferLender writes the same packets with and without a lent buffer, flushed now and then: the same file, in pieces that fit O_DIRECT.
func TestBufferLender(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	to := &lender{lent: make([]byte, 200_704)}
	var plain bytes.Buffer
	options := capture.WriterOptions{Interfaces: []capture.Interface{{LinkType: 1}}}
	lent, err := capture.NewWriter(to, options)
	if err != nil {
		t.Fatal(err)
	}
	owned, err := capture.NewWriter(&plain, options)
	if err != nil {
		t.Fatal(err)
	}
	flushes := 0
	for i := range 3000 {
		data := make([]byte, random.IntN(3000))
		for j := range data {
			data[j] = byte(i + j)
		}
		for _, w := range []*capture.Writer{lent, owned} {
			if err := w.WritePacket(&capture.Packet{Data: data, Length: len(data), LinkType: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if random.IntN(100) == 0 {
			flushes++
			if err := lent.Flush(); err != nil || lent.Pending() != 0 {
				t.Fatalf("flush: %v, %d bytes pending", err, lent.Pending())
			}
		}
	}
	for _, w := range []*capture.Writer{lent, owned} {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(to.file.Bytes(), plain.Bytes()) {
		t.Errorf("%d bytes in the lent buffer's file differ from %d", to.file.Len(), plain.Len())
	}
	if to.misplaced > 0 || to.partial > flushes+1 {
		t.Errorf("%d writes from the wrong place of a page, %d that end within one; want none and %d at most", to.misplaced, to.partial, flushes+1)
	}
}

// TestBufferLenderLargeBlock: a block that no lent buffer holds is written all the same, and packets behind it.
func TestBufferLenderLargeBlock(t *testing.T) {
	to := &lender{lent: make([]byte, 200_704)}
	w, err := capture.NewWriter(to, capture.WriterOptions{Interfaces: []capture.Interface{{LinkType: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.WriteBlock(0x80001234, make([]byte, 1<<20)), w.WritePacket(&capture.Packet{Data: frame(1), Length: 1}), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := capture.NewReader(&to.file, "lent")
	if err != nil {
		t.Fatal(err)
	}
	var p capture.Packet
	if err := r.Next(&p); err != nil || !bytes.Equal(p.Data, frame(1)) {
		t.Errorf("got %x, %v", p.Data, err)
	}
}
