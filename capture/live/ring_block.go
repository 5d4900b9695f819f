package live

import (
	"encoding/binary"

	"apptap/capture"
)

// Layout of what the kernel writes into a TPACKET_V3 ring, in the machine's byte order (linux/if_packet.h: struct
// tpacket_block_desc, tpacket_hdr_v1, tpacket3_hdr, sockaddr_ll).
const (
	blockStatus      = 8
	blockPackets     = 12
	blockFirstOffset = 16
	blockHeader      = 48

	frameNext   = 0
	frameSec    = 4
	frameNsec   = 8
	frameSnap   = 12
	frameLen    = 16
	frameStatus = 20
	frameMAC    = 24
	frameTCI    = 32
	frameTPID   = 36
	frameFrom   = 48 // struct sockaddr_ll, without padding between
	frameHeader = 68

	fromProtocol = frameFrom + 2 // in network order, as are the address bytes
	fromIndex    = frameFrom + 4
	fromHardware = frameFrom + 8
	fromKind     = frameFrom + 10
	fromLength   = frameFrom + 11
	fromAddress  = frameFrom + 12

	statusVLAN      = 1 << 4 // TP_STATUS_VLAN_VALID
	statusVLANType  = 1 << 6 // TP_STATUS_VLAN_TPID_VALID
	kindOutgoing    = 4      // PACKET_OUTGOING
	ethertypeVLAN   = 0x8100
	tagBytes        = 4
	macsBytes       = 12 // of both addresses, before the tag
	cookedHeader    = 16 // LINKTYPE_LINUX_SLL
	nanosPerSecond  = 1_000_000_000
	noLoopbackIndex = -1
)

// ringFrames yields the frames of one block after another. Their Data lies in the block: to put a VLAN tag or a cooked
// header before a frame it writes over the kernel's header in front of it, so each block is read once.
type ringFrames struct {
	linkType capture.LinkType
	snapLen  int
	// loopback is the index of the interface whose outgoing frames are left out, because each comes in again;
	// noLoopbackIndex for none.
	loopback int32

	block []byte
	at    uint32 // offset of the next frame
	left  uint32 // frames
}

// open begins a block. A block that is damaged has no frames.
func (r *ringFrames) open(block []byte) {
	r.block, r.left = block, 0
	if len(block) < blockHeader {
		return
	}
	r.left = binary.NativeEndian.Uint32(block[blockPackets:])
	r.at = binary.NativeEndian.Uint32(block[blockFirstOffset:])
}

// next fills p with the next frame of the block and reports whether there was one. Time stamps are the kernel's
// software ones: a card's clock is another clock than the system's.
func (r *ringFrames) next(p *capture.Packet) bool {
	for r.left > 0 {
		r.left--
		frame, ok := r.frame()
		if !ok {
			r.left = 0
			return false
		}
		if r.comesAgain(frame) {
			continue
		}
		if r.fill(p, frame) {
			return true
		}
	}
	return false
}

// frame cuts the next frame out of the block: from its header on to the block's end.
func (r *ringFrames) frame() ([]byte, bool) {
	if uint64(r.at)+frameHeader > uint64(len(r.block)) {
		return nil, false
	}
	frame := r.block[r.at:]
	next := binary.NativeEndian.Uint32(frame[frameNext:])
	if next == 0 {
		r.left = 0 // the last of its block
	}
	if uint64(r.at)+uint64(next) > uint64(len(r.block)) {
		r.left = 0
	} else {
		r.at += next
	}
	return frame, true
}

func (r *ringFrames) comesAgain(frame []byte) bool {
	return frame[fromKind] == kindOutgoing && int32(binary.NativeEndian.Uint32(frame[fromIndex:])) == r.loopback
}

// fill describes a frame as libpcap does: VLAN tag put back, cooked header before it, cut to the snaplen after that.
func (r *ringFrames) fill(p *capture.Packet, frame []byte) bool {
	start := int(binary.NativeEndian.Uint16(frame[frameMAC:]))
	kept := binary.NativeEndian.Uint32(frame[frameSnap:])
	if start < frameHeader || uint64(start)+uint64(kept) > uint64(len(frame)) {
		return false
	}
	end := start + int(kept)
	length := int(binary.NativeEndian.Uint32(frame[frameLen:]))
	switch r.linkType {
	case capture.LinkTypeLinuxSLL:
		begin, ok := cook(frame, start)
		if !ok {
			return false
		}
		length += start - begin
		start = begin
	case capture.LinkTypeEthernet:
		if tagged(frame) && kept >= macsBytes && start >= frameHeader+tagBytes {
			start -= tagBytes
			length += tagBytes
			copy(frame[start:], frame[start+tagBytes:start+tagBytes+macsBytes])
			putTag(frame[start+macsBytes:], frame)
		}
	}
	p.Time = int64(binary.NativeEndian.Uint32(frame[frameSec:]))*nanosPerSecond + int64(binary.NativeEndian.Uint32(frame[frameNsec:]))
	p.Data = frame[start:min(end, start+r.snapLen):end]
	p.Length = max(length, len(p.Data))
	p.LinkType, p.Interface = r.linkType, 0
	return true
}

func tagged(frame []byte) bool {
	return binary.NativeEndian.Uint32(frame[frameStatus:])&statusVLAN != 0 || binary.NativeEndian.Uint32(frame[frameTCI:]) != 0
}

// putTag writes the tag that the card or the driver took out of the frame.
func putTag(to, frame []byte) {
	kind := uint16(ethertypeVLAN)
	if given := binary.NativeEndian.Uint16(frame[frameTPID:]); given != 0 && binary.NativeEndian.Uint32(frame[frameStatus:])&statusVLANType != 0 {
		kind = given
	}
	binary.BigEndian.PutUint16(to, kind)
	binary.BigEndian.PutUint16(to[2:], uint16(binary.NativeEndian.Uint32(frame[frameTCI:])))
}

// cook puts a LINKTYPE_LINUX_SLL header before the network layer at start and returns where it begins. A tag stands
// before the header's last field, as in libpcap. There is room: the kernel leaves 28 bytes and the ring's reserve.
func cook(frame []byte, start int) (begin int, ok bool) {
	room := cookedHeader
	if tagged(frame) {
		room += tagBytes
	}
	if start < frameHeader+room {
		return 0, false
	}
	begin = start - room
	header := frame[begin:start]
	binary.BigEndian.PutUint16(header, uint16(frame[fromKind]))
	binary.BigEndian.PutUint16(header[2:], binary.NativeEndian.Uint16(frame[fromHardware:]))
	binary.BigEndian.PutUint16(header[4:], uint16(frame[fromLength]))
	copy(header[6:14], frame[fromAddress:])
	if room > cookedHeader {
		putTag(header[14:], frame)
	}
	copy(header[room-2:], frame[fromProtocol:fromProtocol+2])
	return begin, true
}
