package session

import (
	"errors"
	"io"

	"apptap/capture"
)

// partRecord says which of several files of one run a file is. Only what rotates has one.
type partRecord struct {
	Run       text  `json:"run"`                 // the same in all files of the run, and in no other
	Part      int   `json:"part"`                // from 0
	Start     int64 `json:"start"`               // when the file began, nanoseconds since 1970 UTC
	Continued bool  `json:"continued,omitempty"` // the run goes on in another file
}

// Rotate makes the file the first of several, which Next begins. run tells this run's files from others'. It must come before
// anything is written but by NewWriter.
func (w *Writer) Rotate(run string) {
	w.part = &partRecord{Run: text(run)}
	w.living = newLiving()
}

// Next goes on in out, at a time in nanoseconds since 1970 UTC: a file of its own with the same interfaces, the
// circumstances and whoever owns a socket by now. The file before it takes in what is told late of its sockets, for a second or so; once it has been
// written it is its caller's to close, which is what ended is for. Packets and drops of the interfaces stand in the last file alone.
func (w *Writer) Next(out io.Writer, at int64, ended func() error) error {
	if err := w.endBefore(at); err != nil {
		return err
	}
	packets, err := capture.NewWriter(out, w.options)
	if err != nil {
		return errors.Join(err, ended())
	}
	w.endings = append(w.endings, w.ending(at, ended))
	w.Writer = packets
	w.numbered.forget()
	clear(w.labels.processes)
	w.part.Part++
	w.part.Start = at
	first := w.state
	first.Part, first.End = w.partSo(false), max(first.End, at)
	if err := w.addState(first); err != nil {
		return err
	}
	return w.repeat(at)
}

func (w *Writer) partSo(continued bool) *partRecord {
	if w.part == nil {
		return nil
	}
	p := *w.part
	p.Continued = continued
	return &p
}

func (w *Writer) addState(r stateRecord) error {
	if err := w.add(record{State: &r}); err != nil {
		return err
	}
	return w.end()
}

// repeat writes what an earlier file said of owners and still holds. Who reads all files leaves it out.
func (w *Writer) repeat(at int64) error {
	w.living.forget(at - repeatGrace)
	for e := range w.living.all() {
		if err := w.addEvent(e, true); err != nil {
			return err
		}
	}
	return w.end()
}
