package names

// cursor reads big-endian fields and length-prefixed vectors (RFC 8446 §3). Reading past the end yields what there
// is and sets cut; a caller checks it once, after the last field.
type cursor struct {
	b   []byte
	cut bool
}

// take returns the next n bytes, or as many as there are.
func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.cut, n = true, len(c.b)
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

// uint reads n bytes as a number; 0 if they are not all there.
func (c *cursor) uint(n int) int {
	v := 0
	for _, x := range c.take(n) {
		v = v<<8 | int(x)
	}
	if c.cut {
		return 0
	}
	return v
}

// vector reads a length of n bytes and the bytes that it counts.
func (c *cursor) vector(n int) []byte { return c.take(c.uint(n)) }

// varint reads a QUIC variable-length integer (RFC 9000 §16); one that is cut or beyond an int is -1.
func (c *cursor) varint() int {
	if len(c.b) == 0 {
		c.cut = true
		return -1
	}
	n := 1 << (c.b[0] >> 6)
	first := int(c.b[0] & 0x3f)
	raw := c.take(n)
	if c.cut {
		return -1
	}
	v := uint64(first)
	for _, x := range raw[1:] {
		v = v<<8 | uint64(x)
	}
	if v > 1<<31-1 { // larger than any packet or offset that is followed, and safe to add on 32 bits
		return 1<<31 - 1
	}
	return int(v)
}
