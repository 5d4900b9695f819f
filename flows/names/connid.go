package names

// connID is a connection ID of QUIC, at most 20 bytes (RFC 9000 §17.2). Comparable.
type connID struct {
	id     [20]byte
	length uint8
}

func newConnID(b []byte) (c connID) {
	c.length = uint8(copy(c.id[:], b))
	return c
}

func (c *connID) bytes() []byte { return c.id[:c.length] }
