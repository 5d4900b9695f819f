package names

import "encoding/hex"

// ConnID is a connection ID of QUIC, at most 20 bytes (RFC 9000 §17.2). Comparable.
type ConnID struct {
	id     [20]byte
	length uint8
}

func newConnID(b []byte) (c ConnID) {
	c.length = uint8(copy(c.id[:], b))
	return c
}

func (c *ConnID) bytes() []byte { return c.id[:c.length] }

// String is the ID in hexadecimal digits.
func (c ConnID) String() string { return hex.EncodeToString(c.bytes()) }

const (
	// minMoved is the shortest ID that is followed: one of three bytes would be found by chance.
	minMoved = 4
	// maxMoves bounds the connections that are remembered, and memory to some MiB.
	maxMoves = 1 << 13
)

// Moves answers which connection of QUIC a packet of another 5-tuple belongs to: a client whose address or port was
// changed on the way goes on with the IDs of before (RFC 9000 §9). One that moves on purpose takes IDs that were
// agreed on in secret, and stays unknown. The zero value is ready. Not safe for concurrent use.
type Moves struct {
	names   map[ConnID]uint32
	order   []ConnID // oldest at first once full
	first   int
	lengths [21]int // how many IDs have each length
}

// Learn remembers the IDs in an Initial packet that b begins with, for a connection whose name has a number, which may be 0: the one
// that its sender chose, and the one that it writes to, which ends take anew once the handshake is done (RFC 9000 §5.1.1).
func (m *Moves) Learn(b []byte, number uint32) {
	if len(b) == 0 || b[0]&0x80 == 0 {
		return
	}
	if p, ok := parseQUIC(b); ok && p.kind == quicInitial {
		m.learn(p.src, number)
		m.learn(p.dst, number)
	}
}

func (m *Moves) learn(id ConnID, number uint32) {
	if id.length < minMoved {
		return
	}
	if _, known := m.names[id]; known {
		m.names[id] = number
		return
	}
	if m.names == nil {
		m.names = map[ConnID]uint32{}
	}
	if len(m.order) < maxMoves {
		m.order = append(m.order, id)
	} else {
		old := m.order[m.first]
		delete(m.names, old)
		m.lengths[old.length]--
		m.order[m.first] = id
		m.first = (m.first + 1) % maxMoves
	}
	m.names[id] = number
	m.lengths[id.length]++
}

// Name is the number of the connection whose 1-RTT packet begins the UDP payload b. It costs a map look-up for each length
// of ID that is known, mostly one.
func (m *Moves) Name(b []byte) (number uint32, known bool) {
	if len(m.names) == 0 || !IsShort(b) {
		return 0, false
	}
	for length := len(m.lengths) - 1; length >= minMoved; length-- {
		if m.lengths[length] == 0 || len(b) <= length {
			continue
		}
		if number, known = m.names[newConnID(b[1:1+length])]; known {
			return number, true
		}
	}
	return 0, false
}

// Empty says that no ID is known.
func (m *Moves) Empty() bool { return len(m.names) == 0 }

// IsShort says whether a UDP payload begins with what is a 1-RTT packet, if it is QUIC's.
func IsShort(b []byte) bool { return len(b) > minMoved && b[0]&0xc0 == 0x40 }
