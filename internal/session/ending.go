package session

import (
	"errors"

	"apptap/capture"
)

const (
	// tellGrace is how long after its last packet a file still takes in events: the kernel's come up to 150 ms after the packets of
	// their sockets, on a busy machine later. Nanoseconds.
	tellGrace = 1_000_000_000
	// maxEndings bounds the files that wait for that, all of them open: of more the first is ended.
	maxEndings = 4
)

// ending is a file of a run behind which the next has begun. Whoever reads it alone finds the owners of its last packets in it, of which
// nobody had told when they came.
type ending struct {
	*Writer
	at    int64 // when the next began
	ended func() error
}

// ending is the file that is being written, as one that gets no more packets.
func (w *Writer) ending(at int64, ended func() error) *ending {
	before := &Writer{Writer: w.Writer, state: w.state, part: w.partSo(true), living: w.living, touched: w.touched, numbered: w.numbered, labels: newLabels()}
	before.encode()
	return &ending{before, at, ended}
}

// writeEndings writes the blocks that were begun.
func (w *Writer) writeEndings() error {
	for _, before := range w.endings {
		if err := before.end(); err != nil {
			return err
		}
	}
	return nil
}

// endBefore ends the files that have waited long enough at a time, or are too many.
func (w *Writer) endBefore(at int64) error {
	n := max(0, len(w.endings)-maxEndings)
	w.early(n, at)
	for n < len(w.endings) && at > w.endings[n].at+tellGrace {
		n++
	}
	return w.endFirst(n)
}

func (w *Writer) endFirst(n int) (err error) {
	for _, before := range w.endings[:n] {
		err = errors.Join(err, before.finish())
	}
	w.endings = w.endings[n:]
	return err
}

// early notes at what time the first n files are ended, where they would wait for longer.
func (w *Writer) early(n int, at int64) {
	for _, before := range w.endings[:n] {
		if at <= before.at+tellGrace {
			before.part.ToldUntil = at
		}
	}
}

// EndEarlier ends all files but the one that is being written, at a time in nanoseconds since 1970 UTC, whatever is still told of them.
func (w *Writer) EndEarlier(at int64) error {
	w.early(len(w.endings), at)
	return w.endFirst(len(w.endings))
}

func (e *ending) finish() error {
	last := e.state
	last.Part, last.End = e.part, max(last.End, e.at)
	return errors.Join(e.addState(last), e.Writer.Writer.Close(), e.ended())
}

// Flush hands everything written so far to the destinations.
func (w *Writer) Flush() error {
	for _, before := range w.endings {
		if err := before.Writer.Flush(); err != nil {
			return err
		}
	}
	return w.Writer.Flush()
}

// Close ends all files: see capture.Writer.
func (w *Writer) Close() error { return errors.Join(w.endFirst(len(w.endings)), w.Writer.Close()) }

// writePacket writes a packet as it is.
func (w *Writer) writePacket(p *capture.Packet) error {
	if len(w.endings) > 0 {
		if err := w.endBefore(p.Time); err != nil {
			return err
		}
	}
	return w.Writer.WritePacket(p)
}
