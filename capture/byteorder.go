package capture

import (
	"encoding/binary"
	"math/bits"
)

// byteOrder reads integers of a file that may be in either order. It is a bool and not a
// binary.ByteOrder because a call through that interface cannot be inlined, and every packet costs four.
type byteOrder bool

const (
	littleEndian byteOrder = false
	bigEndian    byteOrder = true
)

func (o byteOrder) uint16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if o == bigEndian {
		return bits.ReverseBytes16(v)
	}
	return v
}

func (o byteOrder) uint32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if o == bigEndian {
		return bits.ReverseBytes32(v)
	}
	return v
}

func (o byteOrder) uint64(b []byte) uint64 {
	v := binary.LittleEndian.Uint64(b)
	if o == bigEndian {
		return bits.ReverseBytes64(v)
	}
	return v
}
