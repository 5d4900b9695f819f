package flows

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// find returns the slot of p, or the free one where it belongs.
func (t *Table) find(hash uint32, p *pair) uint32 {
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.id == 0 || s.hash == hash && t.records.at(s.id-1).key == *p {
			return i
		}
	}
}

// touch loads what a batch will need: first all slots, then of each record the lines that its packet will change. None
// of the loads waits for another, so the processor has many under way at once, where packet by packet it would wait
// for each in turn.
func (t *Table) touch(batch []Observation) {
	mask := uint32(len(t.slots) - 1)
	ids := t.touched[:0]
	for i := range batch {
		ids = append(ids, t.slots[batch[i].hash&mask].id)
	}
	var sum uint64
	for i, id := range ids {
		if id == 0 {
			continue
		}
		r := t.records.at(id - 1)
		from, _ := r.sender(batch[i].fromLow)
		sum += uint64(r.last) + from.packets
	}
	t.touched, t.sink = ids, sum
}

// grow doubles the slots; records stay where they are.
func (t *Table) grow() {
	old, memory := t.slots, t.large
	t.large = nil
	t.slots = makeLarge[slot](2*len(old), &t.large)
	t.place(old)
	for _, b := range memory {
		freeMemory(b)
	}
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

// hash mixes the key with 128-bit multiplications, as wyhash does.
func (p *pair) hash() uint32 {
	const k0, k1 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db
	ports := uint64(p.low.Port)<<48 | uint64(p.high.Port)<<32 | uint64(p.proto)
	a := mix(binary.LittleEndian.Uint64(p.low.Addr[:])^k0^hashSeed, binary.LittleEndian.Uint64(p.low.Addr[8:])^ports)
	b := mix(binary.LittleEndian.Uint64(p.high.Addr[:])^k1, binary.LittleEndian.Uint64(p.high.Addr[8:])^a)
	return uint32(b ^ b>>32)
}

func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}
