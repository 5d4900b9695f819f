package names

import "bytes"

// preface begins HTTP/2 with prior knowledge (RFC 9113 §3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// IsPreface says whether a payload begins HTTP/2 with prior knowledge, whose requests may come in any later segment.
func IsPreface(b []byte) bool { return len(b) >= len(preface) && string(b[:len(preface)]) == preface }

const (
	maxMethod      = 20      // UPDATEREDIRECTREF has 17 (IANA's registry of HTTP methods)
	maxRequestLine = 8 << 10 // RFC 9112 §3 recommends that 8000 bytes be understood
)

// StreamStart says whether a TCP payload begins with something that states a name: a TLS hello, an HTTP request, the
// preface of HTTP/2, or a preamble known to stand before them. It costs some nanoseconds. The first payloads of a
// flow are worth passing on without this test, any later one only with it.
func StreamStart(b []byte) bool { return len(b) >= 6 && (startOf(b) != noStart || preamble(b) > 0) }

// startOf tells what begins with b; unsure if that takes more bytes.
func startOf(b []byte) mode {
	if len(b) == 0 {
		return unsure
	}
	switch c := b[0]; {
	case c == recordHandshake:
		return startOfTLS(b)
	case 'A' <= c && c <= 'Z':
		return startOfHTTP(b)
	}
	return noStart
}

// startOfTLS wants a record of handshake messages that begins with a hello of either side.
func startOfTLS(b []byte) mode {
	if len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4 {
		return noStart
	}
	if len(b) < 6 {
		return unsure
	}
	length := int(b[3])<<8 | int(b[4])
	if length == 0 || length > maxRecord || b[5] != typeClientHello && b[5] != typeServerHello {
		return noStart
	}
	return tlsRecords
}

func startOfHTTP(b []byte) mode {
	if n := min(len(b), len(preface)); string(b[:n]) == preface[:n] {
		if n < len(preface) {
			return unsure
		}
		return http2Frames
	}
	n := methodLength(b)
	if n == 0 {
		return noStart
	}
	if n >= len(b) {
		return unsure
	}
	return requestLine(b[n:])
}

// methodLength is how many bytes of b make a method in capital letters, len(b) if there may be more; 0 if it is none.
func methodLength(b []byte) int {
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z' || i > 0 && (c == '-' || c == '_'):
			if i >= maxMethod {
				return 0
			}
		case c == ' ' && i > 2:
			return i
		default:
			return 0
		}
	}
	return len(b)
}

// requestLine looks at a line after its method. SMTP and FTP have lines that begin like that; none names HTTP at
// its end, or goes on with a Host field.
func requestLine(b []byte) mode {
	line := b[:min(len(b), maxRequestLine)]
	end := bytes.IndexByte(line, '\n')
	if end < 0 {
		if len(b) > maxRequestLine || len(b) > 1 && (b[1] <= ' ' || b[1] >= 0x7f) {
			return noStart
		}
		return unsure
	}
	switch i := bytes.LastIndexByte(line[:end], ' '); {
	case i >= 0 && bytes.HasPrefix(line[i:], []byte(" HTTP/1.")):
		return httpHead
	case i == 0 && line[1] == '/':
		return afterTarget(line[end+1:])
	}
	return noStart
}

// afterTarget looks at what follows a request line that ends with its target, as a client writes that forgets the version:
// only a Host field makes it HTTP.
func afterTarget(b []byte) mode {
	const field = "host:"
	n := min(len(b), len(field))
	switch {
	case !bytes.EqualFold(b[:n], []byte(field[:n])):
		return noStart
	case n < len(field):
		return unsure
	}
	return httpHead
}

// preamble is the length of what may stand before TLS or HTTP in the same segment: the PROXY protocol (haproxy
// doc/proxy-protocol.txt §2), the SSLRequest of PostgreSQL (its manual's "SSL Session Encryption") and that of MySQL
// (32 bytes of a handshake response with CLIENT_SSL), the header of the packet in which SQL Server wraps a hello
// ([MS-TDS] §2.2.3.1). 0 if there is none, or not yet all of it. In other protocols (SMTP, IMAP, POP3, FTP, XMPP,
// LDAP) the client awaits an answer, so that its hello starts a segment.
func preamble(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] { // first, since this is asked of many payloads
	case 'P':
		if bytes.HasPrefix(b, []byte("PROXY ")) {
			return bytes.IndexByte(b[:min(len(b), 108)], '\n') + 1
		}
	case '\r':
		if len(b) < 16 || string(b[:12]) != "\r\n\r\n\x00\r\nQUIT\n" {
			return 0
		}
		if n := 16 + (int(b[14])<<8 | int(b[15])); n <= followed {
			return n
		}
	case 0:
		if len(b) >= 8 && string(b[:8]) == "\x00\x00\x00\x08\x04\xd2\x16\x2f" {
			return 8
		}
	case 0x12: // PRELOGIN
		if len(b) >= 14 && startOfTLS(b[8:]) == tlsRecords && b[8] == recordHandshake {
			return 8
		}
	case 32:
		if len(b) >= 36 && b[1] == 0 && b[2] == 0 && b[5]&8 != 0 {
			return 36
		}
	}
	return 0
}
