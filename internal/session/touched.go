package session

import "apptap/flows"

// place is a number of placeBits bits that stands for ports of a protocol: two of a packet or of a TCP socket, or one with 0 for a socket that
// has a port to itself. Addresses have no part in it, since who translates them (NAT) may know others than the wire has. Some ports share
// a place: then a file tells of a socket too many.
type place uint32

const (
	placeBits = 22
	// everyFile is the place of what every file has to have.
	everyFile place = 0
)

func pairPlace(proto flows.Protocol, a, b uint16) place {
	const odd = 0x9e3779b97f4a7c15 // the golden ratio: the upper bits of its multiples are well mixed
	return max(1, place((uint64(proto)<<32|uint64(min(a, b))<<16|uint64(max(a, b)))*odd>>(64-placeBits)))
}

func portPlace(proto flows.Protocol, port uint16) place { return pairPlace(proto, 0, port) }

// touched are places that packets had: whose sockets have them may be asked for.
type touched struct {
	bits [1 << placeBits / 64]uint64
	held int
}

// add notes a place and says whether it is new.
func (t *touched) add(p place) bool {
	if t.has(p) {
		return false
	}
	t.bits[p/64] |= 1 << (p % 64)
	t.held++
	return true
}

func (t *touched) has(p place) bool { return t != nil && t.bits[p/64]&(1<<(p%64)) != 0 }

// touchedLately are the places of a run, of its last flows if they are very many.
type touchedLately struct{ now, before *touched }

func (t *touchedLately) add(p place) {
	if t.now == nil || t.now.held > 1<<placeBits/4 {
		t.now, t.before = new(touched), t.now
	}
	t.now.add(p)
}

func (t *touchedLately) has(p place) bool { return t.now.has(p) || t.before.has(p) }
