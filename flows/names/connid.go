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
	// maxMoves bounds the connections that are remembered, and memory to some 2 MiB.
	maxMoves = 1 << 13
)

// Moves answers which connection of QUIC a packet of another 5-tuple belongs to: a client whose address or port was
// changed on the way goes on with the IDs of before (RFC 9000 §9). One that moves on purpose takes IDs that were
// agreed on in secret, and stays unknown. The zero value is ready. Not safe for concurrent use.
type Moves struct {
	names   map[ConnID]Name
	order   []ConnID // oldest at first once full
	first   int
	lengths [21]int // how many IDs have each length
}

// Learn remembers the IDs of a flow that has a name.
func (m *Moves) Learn(seen *Seen) {
	if seen.Why != Named || seen.QUIC == 0 {
		return
	}
	m.learn(seen.ServerID, seen.Name)
	m.learn(seen.ClientID, seen.Name)
}

func (m *Moves) learn(id ConnID, n Name) {
	if id.length < minMoved {
		return
	}
	if _, known := m.names[id]; known {
		m.names[id] = n
		return
	}
	if m.names == nil {
		m.names = map[ConnID]Name{}
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
	m.names[id] = n
	m.lengths[id.length]++
}

// Name is that of the connection whose 1-RTT packet begins the UDP payload b. It costs a map look-up for each length
// of ID that is known, mostly one.
func (m *Moves) Name(b []byte) (Name, bool) {
	if len(b) == 0 || b[0]&0xc0 != 0x40 {
		return Name{}, false
	}
	for length := len(m.lengths) - 1; length >= minMoved; length-- {
		if m.lengths[length] == 0 || len(b) <= length {
			continue
		}
		if n, ok := m.names[newConnID(b[1:1+length])]; ok {
			return n, true
		}
	}
	return Name{}, false
}
