package flows

import (
	"encoding/binary"

	"apptap/capture"
	"apptap/flows/names"
)

// quick decodes what most frames are: Ethernet, an IP header without options and fragments, and TCP or UDP whose header was
// captured. It says of them what a decoder would, in half the time; false leaves a frame to that, and o as it was.
func (t Tunnels) quick(p *capture.Packet, o *Observation) (payload []byte, ok bool) {
	b := p.Data
	if p.LinkType != capture.LinkTypeEthernet || p.Length < len(b) || len(b) < 14+40 {
		return nil, false
	}
	ip := b[14:]
	var header, total int
	var proto Protocol
	switch binary.BigEndian.Uint16(b[12:]) {
	case etherIPv4:
		header, total, proto = 20, int(binary.BigEndian.Uint16(ip[2:])), Protocol(ip[9])
		if ip[0] != 0x45 || binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
			return nil, false
		}
	case etherIPv6:
		header, total, proto = 40, 40+int(binary.BigEndian.Uint16(ip[4:])), Protocol(ip[6])
		if ip[0]>>4 != 6 {
			return nil, false
		}
	default:
		return nil, false
	}
	wire := min(p.Length-14, total)
	if ip = ip[:min(len(ip), wire)]; len(ip) < header+20 { // also where a length of 0 stands for all of the frame
		return nil, false
	}
	rest := ip[header:]
	if proto != TCP && (proto != UDP || t == Inner || rest[4]|rest[5] == 0) || proto == TCP && rest[12] < 0x50 {
		return nil, false
	}
	*o = Observation{} // field by field from here: a literal is made elsewhere and copied, and that waits for the cache
	o.Time, o.Frame, o.Interface = p.Time, clampLength(p.Length), uint16(p.Interface)
	o.IPBytes, o.IPv6, o.Proto = uint32(total), header == 40, proto
	if header == 20 {
		o.Src.mapV4(ip[12:])
		o.Dst.mapV4(ip[16:])
	} else {
		copy(o.Src.Addr[:], ip[8:24])
		copy(o.Dst.Addr[:], ip[24:40])
	}
	o.Src.Port, o.Dst.Port = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	if proto == TCP {
		payload = o.segment(rest, wire-header)
	} else {
		payload = o.datagram(rest, int(binary.BigEndian.Uint16(rest[4:])))
	}
	o.locate()
	return payload, true
}

// segment reads a TCP header of 20 bytes or more but for its ports, and returns the payload. h begins with it and is what was captured of wire
// bytes.
func (o *Observation) segment(h []byte, wire int) (payload []byte) {
	header := int(h[12]>>4) * 4
	o.Seq, o.Ack, o.Flags = binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:]), TCPFlags(h[13])
	o.Payload = clampLength(wire - header)
	if o.signs = 0; len(h) >= 16 && h[14]|h[15] == 0 && o.Flags&(SYN|FIN|RST) == 0 {
		o.signs = signShut
	}
	if len(h) <= header {
		return nil
	}
	payload = h[header:]
	if tlsRecord(payload) != 0 {
		o.signs |= tlsSigns(payload, wire-header)
	} else if payload[0] == 'P' && names.IsPreface(payload) {
		o.signs |= signPreface
	}
	return payload
}

// datagram reads the length of a UDP header and returns the payload.
func (o *Observation) datagram(h []byte, length int) (payload []byte) {
	o.Payload, o.signs = clampLength(length-8), 0
	if end := min(len(h), length); end > 8 && !o.FragMore {
		payload = h[8:end]
		o.signs = quicSigns(payload)
	}
	return payload
}
