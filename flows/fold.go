package flows

import "math/rand/v2"

// Fold takes the flows out that have been idle longest until no more than keep are left, and yields them as All
// does. What comes of such a flow later begins another. It is how a flood of flows keeps to a bound: whoever folds
// adds up what is yielded.
//
// It costs a pass over the table and its index, so it is meant to take out many at a time.
func (t *Table) Fold(keep int, local Local, yield func(*Flow)) {
	n := t.Len() - keep
	if n <= 0 {
		return
	}
	newest, ties := t.idlest(n)
	var f Flow
	var m Timing
	for id := range t.records.length {
		r := t.records.at(id)
		if r.free() || r.last > newest || r.last == newest && ties == 0 {
			continue
		}
		if r.last == newest {
			ties--
		}
		f = r.flow(t.rares.at(id), local, &t.holes)
		t.names.finish(id)
		f.Names = t.names.of(id, &f)
		f.Timing = t.timingOf(id, r, &f, &m)
		f.Pieces = t.piecesOf(id, r, &f)
		t.forget(id, r)
		if f.Packets() > 0 {
			yield(&f)
		}
	}
	t.reindex()
}

// idlest says which n flows have been idle longest: all whose last packet came before newest, and so many of those
// whose came then, the first in the table.
func (t *Table) idlest(n int) (newest int64, ties int) {
	times := make([]int64, 0, t.Len())
	for id := range t.records.length {
		if r := t.records.at(id); !r.free() {
			times = append(times, r.last)
		}
	}
	newest = nth(times, n-1)
	ties = n
	for _, last := range times {
		if last < newest {
			ties--
		}
	}
	return newest, ties
}

// forget empties a record.
func (t *Table) forget(id uint32, r *record) {
	t.holes.drop(&r.low.stream)
	t.holes.drop(&r.high.stream)
	t.names.forget(id)
	t.timings.drop(t.rares.at(id))
	if r.key.proto == UDP && r.state&handed != 0 {
		delete(t.hands.divided, id)
	}
	*r = record{}
	t.freed = append(t.freed, id)
}

// reindex drops the slots of records that are free.
func (t *Table) reindex() {
	old, mapped := t.slots, t.slotMemory
	t.slots, t.slotMemory = makeLarge[slot](len(old))
	t.used = 0
	for i, s := range old {
		if s.id == 0 {
			continue
		}
		if t.records.at(s.id - 1).free() {
			old[i].id = 0
			continue
		}
		t.used++
	}
	t.place(old)
	mapped.free()
}

// nth returns what would be at index n if values were sorted. It changes their order (Hoare's quickselect; the random
// pivot keeps a hostile order from costing more than others).
func nth(values []int64, n int) int64 {
	for {
		pivot := values[rand.IntN(len(values))]
		below, above := 0, len(values)
		for i := 0; i < above; {
			switch v := values[i]; {
			case v < pivot:
				values[i], values[below] = values[below], v
				below++
				i++
			case v > pivot:
				above--
				values[i], values[above] = values[above], v
			default:
				i++
			}
		}
		switch {
		case n < below:
			values = values[:below]
		case n >= above:
			values, n = values[above:], n-above
		default:
			return pivot
		}
	}
}
