package session

import (
	"cmp"
	"slices"

	"apptap/capture"
	"apptap/flows"
	"apptap/pidmap"
)

// lastPacket is what decides of which places the packet before was: most packets are of the same.
type lastPacket struct {
	src, dst uint16
	proto    flows.Protocol
}

// touch has what is known of a packet's sockets written before it, unless the file has it.
func (w *Writer) touch(p *capture.Packet, o *flows.Observation) error {
	if w.living == nil || !o.Kind.Decoded() || o.FragLater {
		return nil
	}
	if of := (lastPacket{o.Src.Port, o.Dst.Port, o.Proto}); of != w.last {
		w.last = of
		if err := w.touchKey(flows.Key{Local: o.Src, Remote: o.Dst, Proto: o.Proto}); err != nil {
			return err
		}
	}
	if o.MayCarry() { // somebody may want the flow inside
		if flows.Inner.Decode(p, &w.inside); w.inside.Kind.Decoded() && !w.inside.FragLater {
			return w.touchKey(flows.Key{Local: w.inside.Src, Remote: w.inside.Dst, Proto: w.inside.Proto})
		}
	}
	return nil
}

// touchKey gathers what is known of the sockets that a packet with these ports may be of, and writes it.
func (w *Writer) touchKey(k flows.Key) error {
	w.gatherKey(k)
	return cmp.Or(w.writeGathered(), w.end())
}

func (w *Writer) gatherKey(k flows.Key) {
	for _, p := range placesOfKey(k) {
		w.gatherPlace(p)
	}
}

func (w *Writer) gatherPlace(p place) {
	if w.touched.add(p) {
		w.living.seen.add(p)
		for _, t := range w.living.places[p] {
			w.gather(t)
		}
	}
}

// gather takes what the file has not yet of a subject, and of the sockets and processes that it names, for writeGathered.
func (w *Writer) gather(t *told) {
	from, _ := t.upTo(w.file())
	if !t.note(w.file()) {
		return
	}
	for i := range t.events {
		k := &t.events[i]
		if k.number <= from {
			continue
		}
		w.gathered = append(w.gathered, k)
		w.living.wrote(t, &k.Event)
		if k.Translation != nil {
			w.gatherKey(k.Translation.Original)
			w.gatherKey(k.Translation.Reply)
		}
		for p := range named(&k.Event) {
			if became := w.living.by[subject{process: *p}]; became != nil {
				w.gather(became)
			}
		}
	}
}

// writeGathered writes what was gathered in the order in which it was told.
func (w *Writer) writeGathered() error {
	slices.SortFunc(w.gathered, func(a, b *kept) int { return cmp.Compare(a.number, b.number) })
	for _, k := range w.gathered {
		if err := w.addEvent(&k.Event, k.file); err != nil {
			return err
		}
		k.file = max(k.file, w.file())
	}
	clear(w.gathered)
	w.gathered = w.gathered[:0]
	return nil
}

// tell writes an event into the files that it is for: those whose packets it may be about, and this one if any file has something of its
// subject.
func (w *Writer) tell(e *pidmap.Event) error {
	if err := w.endBefore(e.Time); err != nil {
		return err
	}
	needed := w.living.counts(e) || w.living.first(e)
	t, left := w.living.learn(e)
	w.gatherUntold(left)
	for _, before := range w.endings {
		needed = needed || before.concerns(t)
	}
	if needed || t.written() || w.concerns(t) || t.meets(w.living.seen.has) {
		w.gather(t)
	}
	if err := w.writeGathered(); err != nil { // first, so that who reads one file after the other is told in this order
		return err
	}
	for _, before := range w.endings {
		if !before.concerns(t) {
			continue
		}
		before.gather(t)
		if err := before.writeGathered(); err != nil {
			return err
		}
	}
	return nil
}

// concerns says whether the file has packets that may be the subject's, or something of it already.
func (w *Writer) concerns(t *told) bool {
	if _, ok := t.upTo(w.file()); ok || t.meets(w.touched.has) {
		return true
	}
	return t.about.process != (pidmap.ProcessKey{}) && w.living.names(t.about.process)
}

// file is the number of the file, from 1.
func (w *Writer) file() int { return w.part.Part + 1 }

// gatherUntold takes those that no file has and that are there.
func (w *Writer) gatherUntold(list []*told) {
	for _, t := range list {
		if t.gone == 0 && !t.written() {
			w.gather(t)
		}
	}
}
