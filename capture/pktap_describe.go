package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// TapHeader is what a PKTAP header looks like, for apptap doctor.
type TapHeader struct {
	Words          string // version, length, inner link type and direction
	PID, Effective int32  // -1 and 0 = nobody's
	Anonymous      []byte // the header without names and UUIDs
}

// Offsets into struct pktap_header behind what HeaderOwners reads.
const (
	pktapPIDAt, pktapEffectiveAt   = 52, 84
	pktap2PIDAt, pktap2EffectiveAt = 28, 32
	pktapTailAt                    = 124 // the two UUIDs, where the header is that long
)

// DescribeTap describes the PKTAP header that b begins with; false where it begins with none that can be.
func DescribeTap(b []byte) (h TapHeader, ok bool) {
	if len(b) < pktap2Least {
		return h, false
	}
	u32 := binary.LittleEndian.Uint32
	flags, way := u32(b[pktapFlagsAt:]), "neither way"
	switch flags & (pktapFlagIn | pktapFlagOut) {
	case pktapFlagIn:
		way = "in"
	case pktapFlagOut:
		way = "out"
	}
	if flags&pktapFlagV2 != 0 && b[0] >= pktap2Least && int(b[0]) <= len(b) {
		h.Anonymous = bytes.Clone(b[:b[0]])
		clear(h.Anonymous[pktap2Least:])
		h.PID, h.Effective = int32(u32(b[pktap2PIDAt:])), int32(u32(b[pktap2EffectiveAt:]))
		h.Words = fmt.Sprintf("version 2, %d bytes, link type %d, %s", b[0], binary.LittleEndian.Uint16(b[pktap2LinkAt:]), way)
		return h, true
	}
	length := u32(b)
	if length < pktapLeast || uint64(length) > uint64(len(b)) {
		return h, false
	}
	h.Anonymous = bytes.Clone(b[:length])
	clear(h.Anonymous[pktapPIDAt+4 : pktapPIDAt+4+pktapNameSize])
	clear(h.Anonymous[pktapEffectiveAt+4 : pktapEffectiveAt+4+pktapNameSize])
	clear(h.Anonymous[min(pktapTailAt, length):])
	h.PID, h.Effective = int32(u32(b[pktapPIDAt:])), int32(u32(b[pktapEffectiveAt:]))
	h.Words = fmt.Sprintf("version 1, %d bytes, link type %d, %s", length, u32(b[pktapLinkAt:]), way)
	return h, true
}
