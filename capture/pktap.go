package capture

import (
	"bytes"
	"encoding/binary"
)

// Offsets into a PKTAP header, struct pktap_header of xnu bsd/net/pktap.h, and into its second version, struct pktap_v2_hdr. Both are
// little-endian, and both have their flags in the same place.
const (
	pktapFlagsAt    = 36
	pktapLinkAt     = 8
	pktapNameAt     = 12 // of the interface
	pktap2NameAt    = 3  // the offset of that name from the header's start
	pktap2LinkAt    = 6
	pktapFlagIn     = 1 << 0
	pktapFlagOut    = 1 << 1
	pktapFlagV2     = 1 << 19
	pktapLeast      = 108
	pktapNameSize   = 17 // 16 bytes and a NUL
	pktap2Least     = 40
	pktap2CommAt    = 4 // the offset of the name from the header's start, 0 = none
	pktap2EffCommAt = 5
)

// maxHeaderProcesses bounds the processes told apart; a capture that names more begins anew.
const maxHeaderProcesses = 16384

// HeaderOwners reads owners from the PKTAP headers of packets. Its zero value is ready; it is for one goroutine.
type HeaderOwners struct {
	known map[headerProcess]*Process
	own   Owner
}

// headerProcess is a process as a header has it.
type headerProcess struct {
	pid  int32
	name [pktapNameSize]byte
}

// Of returns what the packet says of its owner: what its Source found in the file, else what its PKTAP header says, nil if
// there is neither. The Owner is valid until the next call.
func (h *HeaderOwners) Of(p *Packet) *Owner {
	if p.Owner != nil || p.LinkType != LinkTypePKTAP && p.LinkType != LinkTypeUser2 || len(p.Data) < pktap2Least {
		return p.Owner
	}
	flags := binary.LittleEndian.Uint32(p.Data[pktapFlagsAt:])
	h.own = Owner{Header: true, Outgoing: flags&pktapFlagOut != 0}
	ok := false
	if flags&pktapFlagV2 != 0 && p.Data[0] >= pktap2Least {
		ok = h.second(p.Data)
	} else {
		ok = h.first(p.Data, p.LinkType)
	}
	oneWay := (flags&pktapFlagIn != 0) != h.own.Outgoing
	if !ok || !oneWay || h.own.For() == nil {
		return nil
	}
	return &h.own
}

// loopbackName is what macOS calls its loopback interface.
const loopbackName = "lo0"

// Loopback says which way a packet went that was captured on the loopback interface of a Mac, where a tap sees each twice: as it is
// sent and as it arrives. iface is the name of the interface by the capture; a PKTAP header says it itself. It is DirectionUnknown on
// other interfaces, and where the capture does not say.
func Loopback(p *Packet, iface string) Direction {
	if p.Direction != DirectionUnknown && iface == loopbackName {
		return p.Direction
	}
	if p.LinkType != LinkTypePKTAP && p.LinkType != LinkTypeUser2 || len(p.Data) < pktapLeast {
		return DirectionUnknown
	}
	flags := binary.LittleEndian.Uint32(p.Data[pktapFlagsAt:])
	name := p.Data[pktapNameAt : pktapNameAt+len(loopbackName)+1]
	if flags&pktapFlagV2 != 0 && p.Data[0] >= pktap2Least {
		at := int(p.Data[pktap2NameAt])
		if at < pktap2Least || at+len(name) > len(p.Data) {
			return DirectionUnknown
		}
		name = p.Data[at : at+len(name)]
	}
	way := flags & (pktapFlagIn | pktapFlagOut)
	switch {
	case string(name) != loopbackName+"\x00":
	case way == pktapFlagIn:
		return Incoming
	case way == pktapFlagOut:
		return Outgoing
	}
	return DirectionUnknown
}

// Unwrap takes the PKTAP header off p, so that it is the frame that was on the wire, and says in p.Owner whose it is, nil if the header
// does not tell. It is for live captures, in which the header is in the way of filters, snaplen and counters. Without a header
// that can be it returns false and leaves p as it was. The Owner is valid until the next call.
func (h *HeaderOwners) Unwrap(p *Packet) bool {
	if p.LinkType != LinkTypePKTAP && p.LinkType != LinkTypeUser2 || len(p.Data) < pktap2Least {
		return false
	}
	length, inner := uint64(binary.LittleEndian.Uint32(p.Data)), binary.LittleEndian.Uint32(p.Data[pktapLinkAt:])
	least := uint64(pktapLeast)
	if binary.LittleEndian.Uint32(p.Data[pktapFlagsAt:])&pktapFlagV2 != 0 && p.Data[0] >= pktap2Least {
		length, inner = uint64(p.Data[0]), uint32(binary.LittleEndian.Uint16(p.Data[pktap2LinkAt:]))
		least = pktap2Least
	}
	if length < least || length > uint64(len(p.Data)) || length > uint64(max(p.Length, 0)) || inner > 0xffff {
		return false
	}
	owner := h.Of(p)
	p.Data, p.Length = p.Data[length:], p.Length-int(length)
	p.LinkType, p.Owner = LinkType(inner).Canonical(), owner
	return true
}

// first reads a header of version 1. Link type 149 is anyone's to use: there it must look like one.
func (h *HeaderOwners) first(b []byte, t LinkType) bool {
	length, next := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if len(b) < pktapLeast || length < pktapLeast || uint64(length) > uint64(len(b)) || t == LinkTypeUser2 && next > 2 {
		return false
	}
	h.own.Process = h.process(b[52:], b[56:73])
	h.own.Effective = h.process(b[84:], b[88:105])
	return true
}

// second reads a header of version 2, whose names stand behind the fixed part.
func (h *HeaderOwners) second(b []byte) bool {
	length := int(b[0])
	if length > len(b) {
		return false
	}
	name := func(offsetAt int) []byte {
		at := int(b[offsetAt])
		if at < pktap2Least || at >= length {
			return nil
		}
		return b[at:min(at+pktapNameSize, length)]
	}
	h.own.Process = h.process(b[28:], name(pktap2CommAt))
	h.own.Effective = h.process(b[32:], name(pktap2EffCommAt))
	return true
}

// process is the process with the PID in front of b, nil for -1, nobody.
func (h *HeaderOwners) process(b, name []byte) *Process {
	key := headerProcess{pid: int32(binary.LittleEndian.Uint32(b))}
	if name, _, _ = bytes.Cut(name, []byte{0}); key.pid < 0 || key.pid == 0 && len(name) == 0 {
		return nil
	}
	copy(key.name[:], name)
	p := h.known[key]
	if p == nil {
		if h.known == nil || len(h.known) >= maxHeaderProcesses {
			h.known = map[headerProcess]*Process{}
		}
		p = &Process{PID: key.pid, Name: string(name)}
		h.known[key] = p
	}
	return p
}
