package names

import "hash/maphash"

// rawIndex finds the numbers of names as they stand on the wire: open addressing, a name and its number in one cache line, where a
// map of strings takes four or five. The zero value is empty. Its caller bounds it.
type rawIndex struct {
	slots  []rawSlot // a power of two, at most five eighths in use
	length int
}

// rawSlot is free if number+1 is 0.
type rawSlot struct {
	hash   uint32
	next   uint32 // number+1: 0 is a number too, of names that found no room
	length uint16
	short  [maxShort]byte
}

// maxShort is how long a name may be to stand in a slot: one in a thousand is longer.
const maxShort = 54

// rawSeed: whoever could predict the hash could make one chain of an index as long as he likes. No output depends on it.
var rawSeed = maphash.MakeSeed()

// find returns the number of a name of maxShort bytes at most; hash is for add, if it is not known.
func (x *rawIndex) find(raw []byte) (number uint32, known bool, hash uint32) {
	hash = uint32(maphash.Bytes(rawSeed, raw))
	if len(x.slots) == 0 {
		return 0, false, hash
	}
	mask := uint32(len(x.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &x.slots[i]
		if s.next == 0 {
			return 0, false, hash
		}
		if s.hash == hash && int(s.length) == len(raw) && string(s.short[:len(raw)]) == string(raw) {
			return s.next - 1, true, hash
		}
	}
}

// add keeps a name that find did not know, of maxShort bytes at most.
func (x *rawIndex) add(raw []byte, hash, number uint32) {
	if 8*x.length >= 5*len(x.slots) {
		old := x.slots
		x.slots = make([]rawSlot, max(64, 2*len(old)))
		for i := range old {
			if old[i].next != 0 {
				x.put(&old[i])
			}
		}
	}
	s := rawSlot{hash: hash, next: number + 1, length: uint16(len(raw))}
	copy(s.short[:], raw)
	x.put(&s)
	x.length++
}

func (x *rawIndex) put(s *rawSlot) {
	mask := uint32(len(x.slots) - 1)
	i := s.hash & mask
	for x.slots[i].next != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = *s
}
