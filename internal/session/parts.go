package session

import (
	"cmp"
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
	// ToldUntil is until when the file took in what was told of its sockets, nanoseconds since 1970 UTC, where that was not long enough.
	ToldUntil int64 `json:"told_until,omitempty"`
}

// Rotate makes the file the first of several, which Next begins. run tells this run's files from others'. It must come before
// anything is written but by NewWriter.
func (w *Writer) Rotate(run string) {
	w.part = &partRecord{Run: text(run)}
	var names []string
	for _, i := range w.options.Interfaces {
		names = append(names, i.Name)
	}
	w.living, w.touched = newLiving(names), new(touched)
	w.touched.add(everyFile)
}

// Next goes on in out, at a time in nanoseconds since 1970 UTC: a file of its own with the same interfaces, the
// circumstances, and from its packets on whoever has their sockets. The file before it takes in what is told late of its sockets, for a second or so; once it
// has been written it is its caller's to close, which is what ended is for. Packets and drops of the interfaces stand in the last file alone.
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
	w.touched, w.last = new(touched), lastPacket{}
	w.part.Part++
	w.part.Start = at
	first := w.state
	first.Part, first.End = w.partSo(false), max(first.End, at)
	if err := w.addState(first); err != nil {
		return err
	}
	w.living.forget(at - repeatGrace)
	w.gatherPlace(everyFile)
	if w.living.traced != nil {
		w.gather(w.living.traced)
	}
	return cmp.Or(w.writeGathered(), w.end())
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
