package flows

import "encoding/binary"

// Resumption says whether a TLS handshake built on an earlier one (RFC 8446 §2.2, RFC 5246 §7.3): then it needs no certificate,
// and in TLS 1.2 a round trip less.
type Resumption uint8

// The resumptions. ResumptionUnknown is a flow without TLS, of QUIC, or whose ServerHello was not seen.
const (
	ResumptionUnknown Resumption = iota
	ResumptionFull
	ResumptionResumed
)

// String is the report's word: "unknown", "full" or "resumed".
func (r Resumption) String() string { return [...]string{"unknown", "full", "resumed"}[r%3] }

// Handshake messages and extensions of TLS (RFC 8446 §4, §4.2; RFC 5246 §7.4).
const (
	tlsServerHello       = 2
	tlsNewSessionTicket  = 4
	extPreSharedKey      = 41
	extSupportedVersions = 43
)

// retryStart begins the random of a HelloRetryRequest (RFC 8446 §4.1.3): the hello proper is still to come.
const retryStart = 0xcf21ad74e59a6111

// resumptionSigns reads a segment that begins with a ServerHello. In TLS 1.3 the hello itself says whether the client's PSK was
// accepted, also one that both sides had from elsewhere. Before, a server that resumes sends no certificate: behind the hello come
// a ticket or at once ChangeCipherSpec, which in a full handshake follows the client's.
func resumptionSigns(payload []byte) signs {
	record := int(binary.BigEndian.Uint16(payload[3:]))
	if len(payload) < 9 || payload[5] != tlsServerHello {
		return 0
	}
	length := int(payload[6])<<16 | int(payload[7])<<8 | int(payload[8])
	if length < 38 || 4+length > record || len(payload) < 9+length {
		return 0
	}
	body, next := payload[9:9+length], payload[9+length:]
	if binary.BigEndian.Uint64(body[2:]) == retryStart {
		return 0
	}
	modern, accepted := helloExtensions(body[34:])
	switch {
	case modern && accepted:
		return signResumed
	case modern:
		return signFull
	}
	kind := tlsRecord(next)
	if record > 4+length { // the record has more messages than the hello
		kind = tlsHandshake
	} else if kind == tlsHandshake && len(next) > 5 {
		next = next[5:]
	}
	switch {
	case kind == tlsChangeCipherSpec, kind == tlsHandshake && len(next) > 0 && next[0] == tlsNewSessionTicket:
		return signResumed
	case kind == tlsHandshake && len(next) > 0:
		return signFull
	}
	return 0
}

// helloExtensions reads a ServerHello from its session id on: whether it is TLS 1.3's, and accepts a PSK.
func helloExtensions(b []byte) (modern, accepted bool) {
	start := 1 + int(b[0]) + 2 + 1 + 2 // session id, cipher suite, compression, length of all
	if len(b) < start {
		return false, false
	}
	for b = b[start:]; len(b) >= 4; {
		number, length := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		switch {
		case len(b) < 4+length:
			return modern, accepted
		case number == extSupportedVersions && length == 2:
			modern = b[4] == 3 && b[5] >= 4 || b[4] == 0x7f // its drafts
		case number == extPreSharedKey:
			accepted = true
		}
		b = b[4+length:]
	}
	return modern, accepted
}

// quicInteger reads a variable-length integer (RFC 9000 §16); size 0 says that it is cut.
func quicInteger(b []byte) (n uint64, size int) {
	if len(b) == 0 || len(b) < 1<<(b[0]>>6) {
		return 0, 0
	}
	size = 1 << (b[0] >> 6)
	n = uint64(b[0] & 0x3f)
	for _, c := range b[1:size] {
		n = n<<8 | uint64(c)
	}
	return n, size
}
