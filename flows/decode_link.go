package flows

import (
	"encoding/binary"

	"apptap/capture"
)

// tokenRing skips access and frame control, the addresses, and the route that a set bit in the source
// address announces (IEEE 802.5).
func (d *decoder) tokenRing() Kind {
	if len(d.data) < 16 {
		return simple(kindTruncated)
	}
	header := 14
	if d.data[8]&0x80 != 0 {
		header += int(d.data[14] & 0x1f)
	}
	if !d.drop(header) {
		return simple(kindTruncated)
	}
	return d.llc()
}

// radiotap skips the header in front of an 802.11 frame (https://www.radiotap.org). Of its fields only
// the flags matter: whether the frame ends in an FCS and whether its header is padded to 4 bytes.
func (d *decoder) radiotap() Kind {
	if len(d.data) < 8 {
		return simple(kindTruncated)
	}
	length := int(binary.LittleEndian.Uint16(d.data[2:]))
	if length < 8 {
		return simple(kindMalformed)
	}
	if len(d.data) < length {
		return simple(kindTruncated)
	}
	flags := radiotapFlags(d.data[:length])
	d.skip(length)
	if flags&radiotapFCS != 0 {
		d.wire -= 4
		d.data = d.data[:max(0, min(len(d.data), d.wire))]
	}
	if flags&radiotapPadded != 0 {
		return d.wlanAligned(4)
	}
	return d.wlan()
}

const (
	radiotapFCS    = 0x10
	radiotapPadded = 0x20
)

// radiotapFlags finds the flags field: the second possible one, behind the 8-byte aligned TSFT.
func radiotapFlags(h []byte) byte {
	const tsft, flags, more = 1 << 0, 1 << 1, 1 << 31
	present := binary.LittleEndian.Uint32(h[4:])
	at := 8
	for word := present; word&more != 0; at += 4 {
		if at+4 > len(h) {
			return 0
		}
		word = binary.LittleEndian.Uint32(h[at:])
	}
	if present&flags == 0 {
		return 0
	}
	if present&tsft != 0 {
		at = (at+7)&^7 + 8
	}
	if at >= len(h) {
		return 0
	}
	return h[at]
}

// avs skips the AVS header, whose length is in its second word.
func (d *decoder) avs() Kind {
	if len(d.data) < 8 {
		return simple(kindTruncated)
	}
	length := binary.BigEndian.Uint32(d.data[4:])
	if length < 8 || length > 1<<16 {
		return simple(kindMalformed)
	}
	if !d.drop(int(length)) {
		return simple(kindTruncated)
	}
	return d.wlan()
}

// wlan decodes an 802.11 frame.
func (d *decoder) wlan() Kind { return d.wlanAligned(1) }

// wlanAligned is wlan of a frame whose header is padded to a multiple of align bytes, a power of two.
func (d *decoder) wlanAligned(align int) Kind {
	control, flags := d.frameControl()
	return d.wlanData(control, flags, align)
}

// frameControl is the beginning of an 802.11 header (IEEE 802.11-2020 §9.2.4.1), 0 where there are fewer bytes than data frames have:
// that is no data frame.
func (d *decoder) frameControl() (control, flags byte) {
	if len(d.data) < 24 {
		return 0, 0
	}
	return d.data[0], d.data[1]
}

// wlanData decodes what a data frame with this frame control carries (IEEE 802.11-2020 §9.3.2.1), if it is not encrypted.
func (d *decoder) wlanData(control, flags byte, align int) Kind {
	const typeData, subtypeNull, subtypeQoS = 2, 4, 8
	subtype := control >> 4
	const toDS, fromDS, protected, order = 1, 2, 0x40, 0x80
	if control>>2&3 != typeData || subtype&subtypeNull != 0 || flags&protected != 0 {
		return simple(kindWLAN)
	}
	header, aggregated := 24, false
	if flags&(toDS|fromDS) == toDS|fromDS {
		header += 6
	}
	if subtype&subtypeQoS != 0 {
		if len(d.data) < header+2 {
			return simple(kindTruncated)
		}
		aggregated = d.data[header]&0x80 != 0
		header += 2
		if flags&order != 0 {
			header += 4 // HT control
		}
	}
	d.note(HeaderWLAN, header)
	if !d.drop((header + align - 1) &^ (align - 1)) {
		return simple(kindTruncated)
	}
	if aggregated {
		return d.msdu()
	}
	return d.llc()
}

// msdu decodes an A-MSDU (IEEE 802.11-2020 §9.3.2.2.2). The frame is one, so one flow has it: that of its first packet, or where
// the innermost is wanted of its last, as in Wireshark. As a rule they are of the same one, since a sender aggregates by receiver.
func (d *decoder) msdu() Kind {
	kind, rest, wire := d.subframe()
	for (d.tunnels == Inner || !kind.Decoded()) && len(rest) >= 14 && d.deeper() {
		before, payload, headers := *d.o, d.payload, d.headers.count()
		d.data, d.wire = rest, wire
		var next Kind
		if next, rest, wire = d.subframe(); next.Decoded() {
			kind = next
			continue
		}
		*d.o, d.payload = before, payload
		d.headers.forget(headers)
	}
	return kind
}

// subframe decodes a packet of an A-MSDU: addresses, a length, LLC; rest is what follows it, of wire bytes.
func (d *decoder) subframe() (kind Kind, rest []byte, wire int) {
	if len(d.data) < 14 {
		return simple(kindTruncated), nil, 0
	}
	d.note(HeaderEthernet, 14)
	length := int(binary.BigEndian.Uint16(d.data[12:]))
	d.skip(14)
	padded := (14+length+3)&^3 - 14
	if len(d.data) > padded {
		rest, wire = d.data[padded:], d.wire-padded
	}
	d.wire = min(d.wire, length)
	d.data = d.data[:min(len(d.data), length)]
	return d.llc(), rest, wire
}

// nflog finds the packet among the attributes of a LINKTYPE_NFLOG frame: each a length and type in the byte
// order of the host that captured, padded to 4 bytes.
func (d *decoder) nflog() Kind {
	const payload = 9
	if len(d.data) < 4 {
		return simple(kindTruncated)
	}
	family := d.data[0]
	d.skip(4)
	for d.deeper() {
		if len(d.data) < 4 {
			return simple(kindTruncated)
		}
		length, kind := int(binary.LittleEndian.Uint16(d.data)), binary.LittleEndian.Uint16(d.data[2:])
		if kind > 0xff { // written on a big-endian host
			length, kind = int(binary.BigEndian.Uint16(d.data)), binary.BigEndian.Uint16(d.data[2:])
		}
		if length < 4 {
			return simple(kindMalformed)
		}
		if kind == payload {
			d.skip(4)
			d.wire = min(d.wire, length-4)
			return d.family(uint32(family))
		}
		if padded := (length + 3) &^ 3; len(d.data) < padded {
			return simple(kindTruncated)
		} else {
			d.skip(padded)
		}
	}
	return simple(kindNesting)
}

// family decodes what follows an address family number.
func (d *decoder) family(af uint32) Kind {
	switch af {
	case 2:
		return d.ipv4()
	case 10, 23, 24, 26, 28, 30: // AF_INET6 of Linux, Windows, NetBSD and OpenBSD, illumos, FreeBSD, Darwin
		return d.ipv6()
	}
	return simple(kindLLC)
}

// pktap decodes Apple's packet tap header (xnu bsd/net/pktap.h), version 1, and 2 where its flag is
// set. Link type 149 is anyone's to use: there it must look like one.
func (d *decoder) pktap(t capture.LinkType) Kind {
	const flagsAt, flagV2, nextPacket = 36, 0x80000, 1
	if len(d.data) < 40 {
		return d.notPKTAP(t)
	}
	var length int
	var inner capture.LinkType
	if binary.LittleEndian.Uint32(d.data[flagsAt:])&flagV2 != 0 && d.data[0] >= 40 {
		length, inner = int(d.data[0]), capture.LinkType(binary.LittleEndian.Uint16(d.data[6:]))
	} else {
		dlt := binary.LittleEndian.Uint32(d.data[8:])
		length = int(min(binary.LittleEndian.Uint32(d.data), 1<<16))
		inner = capture.LinkType(dlt)
		if length < 108 || dlt > 0xffff || t == capture.LinkTypeUser2 && binary.LittleEndian.Uint32(d.data[4:]) > 2 {
			return d.notPKTAP(t)
		}
	}
	if !d.deeper() {
		return simple(kindNesting)
	}
	if len(d.data) < length {
		return simple(kindTruncated)
	}
	d.skip(length)
	return d.link(inner.Canonical())
}

func (d *decoder) notPKTAP(t capture.LinkType) Kind {
	if t == capture.LinkTypeUser2 {
		return Kind{kindLinkType, uint16(t)}
	}
	return simple(kindMalformed)
}
