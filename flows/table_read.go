package flows

import (
	"cmp"
	"iter"
	"slices"
)

// Interfaces is what was captured by interface index.
func (t *Table) Interfaces() []InterfaceCounts { return slices.Clone(t.ifaces) }

// Flows appends all flows as seen from the host with the addresses in local, in the order in which they began
// if none were folded.
func (t *Table) Flows(dst []Flow, local Local) []Flow {
	dst = slices.Grow(dst, t.Len())
	for f := range t.All(local) {
		dst = append(dst, f.Clone())
	}
	return dst
}

// All yields all flows as Flows has them, without a list in memory: each Flow is valid until the next. The Table must
// not be added to meanwhile.
func (t *Table) All(local Local) iter.Seq[*Flow] {
	return func(yield func(*Flow) bool) {
		t.names.settle()
		for chunk := range t.chunks() {
			if !t.yieldChunk(chunk, local, yield) {
				return
			}
		}
	}
}

// Drain yields all flows as All does, in parts that may be read at the same time, each of them once. The table gives
// its memory back as it is read, and may not be used any more but for Close.
func (t *Table) Drain(local Local, parts int) []iter.Seq[*Flow] {
	t.names.settle()
	t.slotMemory.free()
	t.slots, t.slotMemory = nil, nil
	all := make([]iter.Seq[*Flow], parts)
	for i := range parts {
		first, end := t.chunks()*uint32(i)/uint32(parts), t.chunks()*uint32(i+1)/uint32(parts)
		all[i] = func(yield func(*Flow) bool) {
			for chunk := first; chunk < end && t.yieldChunk(chunk, local, yield); chunk++ {
				t.records.release(chunk)
				t.rares.release(chunk)
			}
		}
	}
	return all
}

func (t *Table) chunks() uint32 { return (t.records.length + chunkLength - 1) / chunkLength }

// yieldChunk yields the flows of a chunk; false says that no more are wanted.
func (t *Table) yieldChunk(chunk uint32, local Local, yield func(*Flow) bool) bool {
	var f Flow
	var m Timing
	for id := chunk * chunkLength; id < min((chunk+1)*chunkLength, t.records.length); id++ {
		r := t.records.at(id)
		if r.free() || r.emptied() {
			continue
		}
		f = r.flow(t.rares.at(id), local, &t.holes)
		f.Names = t.names.of(id, &f)
		f.Timing = t.timingOf(id, r, &f, &m)
		f.Pieces = t.piecesOf(id, r, &f)
		if !yield(&f) {
			return false
		}
	}
	return true
}

// Undecoded lists what belongs to no flow, by name.
func (t *Table) Undecoded() []Undecoded {
	all := make(map[string]Undecoded, len(t.undecoded)+1)
	add := func(u Undecoded) {
		sum := all[u.Kind]
		all[u.Kind] = Undecoded{u.Kind, sum.Packets + u.Packets, sum.Bytes + u.Bytes}
	}
	for _, u := range t.undecoded {
		add(*u)
	}
	if packets, bytes := t.fragments.waiting(); packets > 0 {
		add(Undecoded{simple(kindFragment).String(), packets, bytes})
	}
	list := make([]Undecoded, 0, len(all))
	for _, u := range all {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b Undecoded) int { return cmp.Compare(a.Kind, b.Kind) })
	return list
}
