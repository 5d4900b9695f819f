package flows

import (
	"math/bits"
	"math/rand/v2"
)

// find returns the slot of the packet's flow, or the free one where it belongs.
func (t *Table) find(o *Observation) uint32 {
	mask := uint32(len(t.slots) - 1)
	for i := o.hash & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.id == 0 || s.hash == o.hash && t.records.at(s.id-1).key.of(o) {
			return i
		}
	}
}

// touch loads what a batch will need: first all slots, then of each record the lines that its packet will change. None
// of the loads of a pass waits for another, so the processor has many under way at once, where packet by packet it
// would wait for each in turn.
func (t *Table) touch(batch []Observation) {
	mask := uint32(len(t.slots) - 1)
	var sum uint64
	for i := range batch {
		sum += uint64(t.slots[batch[i].hash&mask].id)
	}
	ids := t.touched[:0]
	for i := range batch {
		ids = append(ids, t.probe(batch[i].hash))
	}
	for i, id := range ids {
		if id == 0 {
			continue
		}
		r := t.records.at(id - 1)
		from, _ := r.sender(batch[i].fromLow)
		sum += uint64(r.last) + from.packets
		if r.watch != 0 {
			sum += uint64(t.rares.at(id - 1).timing)
		}
	}
	for i, id := range ids {
		if id != 0 && t.records.at(id-1).watch != 0 {
			sum += t.timings.touch(t.rares.at(id-1), batch[i].fromLow)
		}
	}
	t.touched, t.sink = ids, sum
}

// probe returns the id of the first slot with that hash, 0 if there is none. It reads no record: it may be another key's.
func (t *Table) probe(hash uint32) uint32 {
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if s := t.slots[i]; s.id == 0 || s.hash == hash {
			return s.id
		}
	}
}

// grow doubles the slots; records stay where they are.
func (t *Table) grow() {
	old, mapped := t.slots, t.slotMemory
	t.slots, t.slotMemory = makeLarge[slot](2 * len(old))
	t.place(old)
	mapped.free()
}

// place fills the empty slots with those of from that are in use.
func (t *Table) place(from []slot) {
	mask := uint32(len(t.slots) - 1)
	for _, s := range from {
		if s.id == 0 {
			continue
		}
		i := s.hash & mask
		for t.slots[i].id != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// append makes room for one more record and its rare part, and returns their index.
func (t *Table) append() uint32 {
	if n := len(t.freed); n > 0 {
		id := t.freed[n-1]
		t.freed = t.freed[:n-1]
		*t.rares.at(id) = rare{}
		return id
	}
	t.rares.add()
	return t.records.add()
}

// hashSeed: whoever could predict the hash could make one chain of a table as long as he likes. No output depends
// on it, for records keep the order in which flows began.
var hashSeed = rand.Uint64()

// hashOf mixes a pair with 128-bit multiplications, as wyhash does.
func hashOf(low, high *Endpoint, proto Protocol) uint32 {
	const k0, k1 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db
	ports := uint64(low.Port)<<48 | uint64(high.Port)<<32 | uint64(proto)
	low0, low1 := low.words()
	high0, high1 := high.words()
	a := mix(low0^k0^hashSeed, low1^ports)
	b := mix(high0^k1, high1^a)
	return uint32(b ^ b>>32)
}

func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}
