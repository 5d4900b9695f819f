package session

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"

	"apptap/capture"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// record is one line of a block: exactly one of its other fields, and Again where another file of the run has it too.
type record struct {
	Again    bool            `json:"again,omitempty"`
	In       *int            `json:"in,omitempty"` // with Again: the newest other part of the run that has it
	Process  *processRecord  `json:"process,omitempty"`
	Event    *eventRecord    `json:"event,omitempty"`
	Counters *countersRecord `json:"counters,omitempty"`
	State    *stateRecord    `json:"state,omitempty"`
	Lacks    *lacksRecord    `json:"lacks,omitempty"`
}

// fullBlock is how many bytes of records make a block; more than one record comes on top only if it is larger.
const fullBlock = 64 << 10

// Writer writes a session: packets, and between them what else the run learns, as soon as it is told. Errors are as with
// capture.Writer; it is not safe for concurrent use.
type Writer struct {
	*capture.Writer
	options  capture.WriterOptions
	state    stateRecord // the last one
	part     *partRecord // nil where there is one file
	living   *living     // likewise
	touched  *touched    // by the packets of this file; likewise
	last     lastPacket  // of those that touched something
	gathered []*kept     // to be written
	endings  []*ending   // files that are not ended yet, in their order
	numbered numbered
	labels   labels
	trimmer  *flows.Trimmer    // nil = whole frames
	written  capture.Packet    // the packet being written, where it is not as captured
	seen     flows.Observation // the packet being written, here because one of its own for each would be garbage
	inside   flows.Observation // what it carries, likewise
	block    bytes.Buffer
	encoder  *json.Encoder
}

// NewWriter begins a session in w, which it does not close.
func NewWriter(w io.Writer, o capture.WriterOptions) (*Writer, error) {
	packets, err := capture.NewWriter(w, o)
	if err != nil {
		return nil, err
	}
	s := &Writer{Writer: packets, options: o, labels: newLabels()}
	s.encode()
	return s, nil
}

// encode makes the encoder of records.
func (w *Writer) encode() {
	w.encoder = json.NewEncoder(&w.block)
	w.encoder.SetEscapeHTML(false)
}

// KeepHeaders has of every packet no more written than a report needs: see flows.Trimmer. It must come before the first packet.
func (w *Writer) KeepHeaders() { w.trimmer = new(flows.Trimmer) }

// WritePacket appends a packet, with its owner for other programs to see where that is known by now.
func (w *Writer) WritePacket(p *capture.Packet) error {
	return w.WriteDecoded(p, &w.seen, flows.Outer.Decode(p, &w.seen))
}

// WriteDecoded is WritePacket for who has decoded the packet, with the payload, as flows.Outer does.
func (w *Writer) WriteDecoded(p *capture.Packet, o *flows.Observation, payload []byte) error {
	if err := w.touch(p, o); err != nil {
		return err
	}
	owner, keep := w.labels.of(o), len(p.Data)
	if w.trimmer != nil {
		keep = w.trimmer.NeedsDecoded(p, o, payload)
	}
	if owner == nil && keep == len(p.Data) {
		return w.writePacket(p)
	}
	w.written = *p
	w.written.Data = p.Data[:keep]
	if owner != nil {
		w.written.Owner = owner
	}
	return w.writePacket(&w.written)
}

// WriteEvents appends what sources of ownership told.
func (w *Writer) WriteEvents(events []pidmap.Event) error {
	for i := range events {
		var err error
		if w.living != nil {
			err = w.tell(&events[i])
		} else {
			err = w.addEvent(&events[i], 0)
		}
		if err != nil {
			return err
		}
	}
	if err := w.writeEndings(); err != nil {
		return err
	}
	return w.end()
}

// addEvent appends an event and the processes that it names; in is the newest other file that has it, counted from 1, 0 for none.
func (w *Writer) addEvent(e *pidmap.Event, in int) error {
	var undescribed error
	r, err := eventRecordOf(e, func(p *pidmap.Process) uint32 {
		number, fresh := w.numbered.number(p)
		if fresh {
			undescribed = cmp.Or(undescribed, w.describe(number, p))
		}
		return number
	})
	if err = cmp.Or(err, undescribed); err != nil {
		return err
	}
	w.labels.learn(e, &r)
	if in == 0 {
		return w.add(record{Event: &r})
	}
	part := in - 1
	return w.add(record{Again: true, In: &part, Event: &r})
}

// describe appends a process, as apptap's record and as a block for other programs.
func (w *Writer) describe(number uint32, p *pidmap.Process) error {
	described := processRecordOf(number, p)
	if err := w.add(record{Process: &described}); err != nil {
		return err
	}
	if seen := w.labels.describe(number, p); seen != nil {
		return w.WriteProcess(seen)
	}
	return nil
}

// WriteCounters appends what the kernel counted for sockets.
func (w *Writer) WriteCounters(counters []summarize.SocketCounters) error {
	for i := range counters {
		r := countersRecordOf(&counters[i])
		if err := w.add(record{Counters: &r}); err != nil {
			return err
		}
	}
	return w.end()
}

// WriteState appends what is known of the run as such; final says that nothing comes after it.
func (w *Writer) WriteState(in *summarize.Input, final bool) error {
	w.labels.local = flows.NewLocal(in.Source.Local)
	w.state = stateRecordOf(in, final)
	if w.trimmer != nil {
		w.state.Kept = "headers"
	}
	if w.part != nil && w.part.Start == 0 {
		w.part.Start = in.Window.Start
	}
	w.state.Part = w.partSo(false)
	return w.addState(w.state)
}

// WriteLacks appends what the capture that this file is made from lacked, in sentences: a session's state says that, of a capture that is no session
// nothing else does.
func (w *Writer) WriteLacks(degraded []string) error {
	if err := w.add(record{Lacks: &lacksRecord{texts(degraded)}}); err != nil {
		return err
	}
	return w.end()
}

// add appends a record to the block and writes that once it is full.
func (w *Writer) add(r record) error {
	if w.block.Len() == 0 {
		w.block.WriteString(magic)
	}
	if err := w.encoder.Encode(r); err != nil {
		return fmt.Errorf("encode session record: %w", err)
	}
	if w.block.Len() < fullBlock {
		return nil
	}
	return w.end()
}

// end writes the block that was begun.
func (w *Writer) end() error {
	if w.block.Len() == 0 {
		return nil
	}
	for w.block.Len()%4 != 0 {
		w.block.WriteByte('\n') // an empty line: padding that is still text
	}
	err := w.WriteBlock(BlockType, w.block.Bytes())
	w.block.Reset()
	return err
}
