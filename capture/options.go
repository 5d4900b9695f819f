package capture

import "bytes"

// options iterates over the options at the end of a pcapng block: code, length, value, padding to 4
// bytes (draft-ietf-opsawg-pcapng section 3.5). It stays inside the bytes it was given; an option that
// claims more ends the iteration, and what came before it counts, as libpcap does. The values point into
// the block.
type options struct {
	rest  []byte
	order byteOrder
}

const optionEnd = 0

// next returns the next option, and false after the last one.
func (o *options) next() (code uint16, value []byte, ok bool) {
	if len(o.rest) < 4 {
		return 0, nil, false
	}
	code = o.order.uint16(o.rest)
	length := int(o.order.uint16(o.rest[2:]))
	if code == optionEnd || length > len(o.rest)-4 {
		o.rest = nil
		return 0, nil, false
	}
	value = o.rest[4 : 4+length]
	o.rest = o.rest[min(4+padded(length), len(o.rest)):]
	return code, value, true
}

// padded rounds a length up to the 32-bit boundary that pcapng keeps.
func padded(n int) int { return (n + 3) &^ 3 }

// optionText is an option's string: some writers end it with a NUL, which is not part of it.
func optionText(value []byte) string {
	if i := bytes.IndexByte(value, 0); i >= 0 {
		value = value[:i]
	}
	return string(value)
}
