package session

import (
	"errors"

	"apptap/capture"
	"apptap/pidmap"
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
	before := &Writer{Writer: w.Writer, state: w.state, part: w.partSo(true), numbered: w.numbered, labels: newLabels()}
	before.encode()
	return &ending{before, at, ended}
}

// tellEndings writes an event into the files that still take it in, and says whether there are any: the first has it, for the others it is
// told again.
func (w *Writer) tellEndings(e *pidmap.Event) (told bool, err error) {
	if err := w.endBefore(e.Time); err != nil {
		return false, err
	}
	for i, before := range w.endings {
		if err := before.addEvent(e, i > 0); err != nil {
			return true, err
		}
	}
	return len(w.endings) > 0, nil
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

// endBefore ends the files that have waited long enough at a time.
func (w *Writer) endBefore(at int64) error {
	n := max(0, len(w.endings)-maxEndings)
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

// EndEarlier ends all files but the one that is being written, whatever is still told of them.
func (w *Writer) EndEarlier() error { return w.endFirst(len(w.endings)) }

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
func (w *Writer) Close() error { return errors.Join(w.EndEarlier(), w.Writer.Close()) }

// writePacket writes a packet as it is.
func (w *Writer) writePacket(p *capture.Packet) error {
	if len(w.endings) > 0 {
		if err := w.endBefore(p.Time); err != nil {
			return err
		}
	}
	return w.Writer.WritePacket(p)
}
