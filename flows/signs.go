package flows

import "encoding/binary"

// signs are what a packet shows, beside its counts, of where its flow is in time. Decode reads them where the bytes are in
// the cache.
type signs uint8

const (
	signShut      signs = 1 << iota // TCP: the window is closed; not on SYN, FIN and RST, where it means nothing
	signHandshake                   // TCP: the segment begins with a TLS handshake record
	signSealed                      // TCP: a TLS record of application data begins in the segment
	signSealedOn                    // TCP: and more follows it there
	signInitial                     // UDP: a QUIC Initial
	signLong                        // UDP: the long header of a QUIC version
	signShort                       // UDP: what is a short header if the flow is QUIC
	signSpin                        // UDP: and then its spin bit (RFC 9000 §17.4)

	signResumed = signInitial // TCP: a ServerHello that resumes a session
	signFull    = signLong    // TCP: one that does not
	signPreface = signShort   // TCP: HTTP/2 with prior knowledge begins

	signEarly    = signShut      // UDP: a QUIC packet of 0-RTT data
	signTail     = signHandshake // UDP: a packet with a short header behind those with long ones
	signTailAsks = signSealed    // UDP: and it is longer than controlBytes

	signUnreachable = signInitial // of a packet without a flow: an ICMP error about one of this 5-tuple
)

// Content types of TLS records (RFC 8446 §5.1).
const (
	tlsChangeCipherSpec = 20
	tlsHandshake        = 22
	tlsApplicationData  = 23
)

// maxWalk bounds how many records of a segment are stepped over; the last flight of a handshake has four.
const maxWalk = 8

// tlsSigns reads the records of a segment of wire bytes, of which payload was captured, as far as they begin at its start.
func tlsSigns(payload []byte, wire int) (found signs) {
	if tlsRecord(payload) == tlsHandshake {
		found = signHandshake
		if len(payload) > 5 && payload[5] == tlsServerHello {
			found |= resumptionSigns(payload)
		}
	}
	for range maxWalk {
		kind := tlsRecord(payload)
		if kind == 0 {
			return found
		}
		next := 5 + int(binary.BigEndian.Uint16(payload[3:]))
		if kind == tlsApplicationData {
			found |= signSealed
			if wire > next {
				found |= signSealedOn
			}
			return found
		}
		if next > len(payload) {
			return found
		}
		payload, wire = payload[next:], wire-next
	}
	return found
}

// tlsRecord is the content type of the record at the start of payload, 0 for none.
func tlsRecord(payload []byte) byte {
	if len(payload) < 5 || payload[1] != 3 || payload[2] > 4 || payload[0] < tlsChangeCipherSpec || payload[0] > tlsApplicationData {
		return 0
	}
	return payload[0]
}

// quicSigns reads the first bytes of a datagram (RFC 9000 §17, RFC 9369 §3.2). The fixed bit is not asked for: ends may agree to
// vary it (RFC 9287), though not in the client's first Initial.
func quicSigns(payload []byte) signs {
	if len(payload) < 8 {
		return 0
	}
	if payload[0]&0x80 == 0 {
		return signShort | signs(payload[0]>>5&1)*signSpin
	}
	kind := quicKind(payload)
	if kind == quicUnknown {
		return 0
	}
	found := signLong
	if kind == quicInitial {
		found |= signInitial
	}
	for range maxWalk {
		if kind == quicZeroRTT {
			found |= signEarly
		}
		payload = behindLong(payload, kind)
		switch {
		case len(payload) < 5:
			return found
		case payload[0]&0x80 == 0:
			if payload[0]&0x40 != 0 {
				found |= signTail
				if len(payload) > controlBytes {
					found |= signTailAsks
				}
			}
			return found
		}
		kind = quicKind(payload)
	}
	return found
}

// behindLong is what stands in a datagram behind a packet of a long header, as far as it was captured (RFC 9000 §12.2, §17.2).
func behindLong(packet []byte, kind byte) []byte {
	if kind > quicHandshake {
		return nil // these have no length
	}
	behind := packet[5:]
	for range 2 { // connection ids
		if len(behind) == 0 || len(behind) < 1+int(behind[0]) {
			return nil
		}
		behind = behind[1+int(behind[0]):]
	}
	fields := 1 // packet number with payload
	if kind == quicInitial {
		fields++ // token
	}
	for range fields {
		length, size := quicInteger(behind)
		if size == 0 || length > uint64(len(behind)-size) {
			return nil
		}
		behind = behind[size+int(length):]
	}
	return behind
}

// Types of long headers, as version 1 counts them.
const (
	quicInitial = iota
	quicZeroRTT
	quicHandshake
	quicRetry
	quicUnknown // of another version
)

// quicKind is the type of the long header that payload begins with.
func quicKind(payload []byte) byte {
	version, kind := binary.BigEndian.Uint32(payload[1:]), payload[0]>>4&3
	switch {
	case version == 0x6b3343cf: // version 2 counts its types from one
		return (kind + 3) % 4
	case version != 1 && version>>8 != 0xff0000:
		return quicUnknown
	}
	return kind
}
