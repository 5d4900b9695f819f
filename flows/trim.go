package flows

import (
	"apptap/capture"
	"apptap/flows/names"
)

// Trimmer says how much of each packet a report needs, its figures, times and names: whatever Followers want whole, with
// handshakes of TLS and QUIC and every message of DNS, and of the rest the headers. It has to be asked of all packets of a
// capture in their order. The zero value is ready. Not safe for concurrent use.
type Trimmer struct {
	outer, inner Follower // of what Outer and Inner decode

	whole, inside, cut Observation // the packet that is looked at: here because ones of its own for each would be garbage
	short              capture.Packet
}

const (
	// trimmedPayload is what stays of a payload that is not needed, in bytes: a TLS record header, a QUIC header with its
	// connection IDs, whatever tells that the payload begins nothing that is needed.
	trimmedPayload = 32
	// trimmedFrame is what stays of frames without a payload that is read: ICMP, ARP, later fragments.
	trimmedFrame = 128
)

// Needs is how many bytes of p.Data to keep. Whatever decodes p decodes the same from these: where that is not so, because a
// header announces more than was looked at, all are kept.
func (t *Trimmer) Needs(p *capture.Packet) int {
	payload := Outer.Decode(p, &t.whole)
	return t.NeedsDecoded(p, &t.whole, payload)
}

// NeedsDecoded is Needs of a packet that Outer has decoded to o and payload, a part of p.Data.
func (t *Trimmer) NeedsDecoded(p *capture.Packet, o *Observation, payload []byte) int {
	keep := t.needs(Outer, &t.outer, p, o, payload)
	if keep < len(p.Data) && o.MayCarry() {
		inside := Inner.Decode(p, &t.inside)
		keep = max(keep, t.needs(Inner, &t.inner, p, &t.inside, inside))
	}
	return keep
}

func (t *Trimmer) needs(tunnels Tunnels, f *Follower, p *capture.Packet, o *Observation, payload []byte) int {
	if o.Kind.Decoded() && (len(payload) > 0 && o.carriesDNS() || f.wants(o, payload) || isHandshake(o, payload)) {
		return len(p.Data)
	}
	keep := trimmedFrame
	if len(payload) > 0 {
		keep = cap(p.Data) - cap(payload) + trimmedPayload // payload is a part of Data
	}
	if keep >= len(p.Data) {
		return len(p.Data)
	}
	left := payload[:min(len(payload), trimmedPayload)]
	if !plain(tunnels, p, o, payload) {
		t.short = *p
		t.short.Data = p.Data[:keep:keep]
		if left = tunnels.Decode(&t.short, &t.cut); t.cut != *o {
			return len(p.Data)
		}
	}
	if names.StreamStart(left) != names.StreamStart(payload) || names.DatagramStart(left) != names.DatagramStart(payload) {
		return len(p.Data)
	}
	return keep
}

// plain says that a packet with a payload is decoded from its headers and the first byte of that, so that it need not be decoded again to see
// whether it is the same when it is cut. That holds for most packets of bulk data; FuzzTrimmer holds it against a second decoding.
func plain(tunnels Tunnels, p *capture.Packet, o *Observation, payload []byte) bool {
	switch {
	case tunnels != Outer || p.LinkType != capture.LinkTypeEthernet || len(payload) < trimmedPayload:
		return false
	case o.Proto == TCP:
		return tlsRecord(payload) == 0
	}
	return payload[0]&0x80 == 0
}

// isHandshake says that payload begins with a message of a handshake of TLS or DTLS, or in a long header of QUIC.
func isHandshake(o *Observation, payload []byte) bool {
	if o.Proto == TCP {
		return tlsRecord(payload) == tlsHandshake
	}
	return len(payload) > 0 && (payload[0]&0xc0 == 0xc0 && o.signs&signLong != 0 || payload[0] == tlsHandshake && names.DatagramStart(payload))
}
