package names

import "encoding/binary"

// IsAnswer says whether b is a whole DNS response with answers to one question, every record of class IN, and nothing behind
// them: proof enough on any port. Resolvers that others forward to listen on ports of their own (Unbound's 5335,
// dnscrypt-proxy's 5053, 8053). Of other payloads the first eight bytes tell nearly all.
func IsAnswer(b []byte) bool {
	const response, operation, reserved, failed = 0x80, 0x78, 0x40, 0x0f
	if len(b) < 12 || b[2]&(response|operation) != response || b[3]&(reserved|failed) != 0 {
		return false
	}
	if binary.BigEndian.Uint16(b[4:]) != 1 || b[6]|b[8]|b[10] != 0 || b[7] == 0 {
		return false
	}
	end := endOfName(b)
	if end < 0 || len(b) < end+4 || binary.BigEndian.Uint16(b[end+2:]) != classIN {
		return false
	}
	rest, ok := b[end+4:], true
	for range int(b[7]) + int(b[9]) + int(b[11]) {
		if rest, ok = skipRecord(rest); !ok {
			return false
		}
	}
	return len(rest) == 0
}

const (
	classIN = 1
	typeOPT = 41 // its class is a length (RFC 6891 §6.1.2)
)

// skipRecord steps over a record of class IN (RFC 1035 §4.1.3); false says that there is none.
func skipRecord(b []byte) (rest []byte, ok bool) {
	for {
		switch {
		case len(b) < 11: // a name's end and what follows it
			return nil, false
		case b[0] == 0:
			b = b[1:]
		case b[0] >= 0xc0:
			b = b[2:]
		case b[0] < 64 && len(b) > int(b[0]):
			b = b[int(b[0])+1:]
			continue
		default:
			return nil, false
		}
		break
	}
	if len(b) < 10 || binary.BigEndian.Uint16(b[2:]) != classIN && binary.BigEndian.Uint16(b) != typeOPT {
		return nil, false
	}
	length := 10 + int(binary.BigEndian.Uint16(b[8:]))
	if len(b) < length {
		return nil, false
	}
	return b[length:], true
}
