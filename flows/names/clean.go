package names

import (
	"bytes"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// maxName bounds a clean name before escapes: DNS allows 253 characters (RFC 1035 §2.3.4), and nothing longer can
// be meant.
const maxName = 255

// cutMark ends a name that was longer than maxName. It holds a character that Clean escapes, so no whole name
// looks like a cut one.
const cutMark = "\\..."

// Clean makes a name fit to be stored, compared and printed: ASCII lower case, no final dots, at most 255 bytes of
// the original, and every byte that is no visible ASCII character as \DDD (the decimal escape of RFC 1035 §5.1), a
// backslash and quotes too. The result has visible ASCII characters only, so no terminal, CSV or JSON is at risk.
func Clean(b []byte) string {
	cut := len(b) > maxName
	if cut {
		b = b[:maxName]
	}
	for n := len(b); !cut && n > 1 && b[n-1] == '.' && b[n-2] != '\\'; n-- {
		b = b[:n-1]
	}
	var buf [4*maxName + len(cutMark)]byte // on the stack: only the result is allocated
	out := buf[:0]
	for _, c := range b {
		out = appendClean(out, c)
	}
	if cut {
		out = append(out, cutMark...)
	}
	return string(out)
}

func appendClean(out []byte, c byte) []byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return appendEscaped(out, c, false)
}

// appendEscaped appends c, as \DDD if it is not plainly visible, means something to a shell, to HTML or to CSV, or must be.
func appendEscaped(out []byte, c byte, must bool) []byte {
	if must || c <= ' ' || c >= 0x7f || strings.IndexByte("\\\"'`<>&", c) >= 0 {
		return append(out, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
	}
	return append(out, c)
}

// Domain is the registrable domain of a clean name ("www.example.co.uk" -> "example.co.uk") by the public suffix
// list built into the program, private suffixes included. False for an address, a single label, a suffix itself and
// what is no host name.
func Domain(name string) (string, bool) {
	if strings.ContainsAny(name, "\\:[]/@") || IsAddress(name) {
		return "", false
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	return domain, err == nil
}

// IsAddress says whether a host is an IP address in text, with or without brackets.
func IsAddress(host string) bool {
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil
}

// hostPort splits "host:port" of a Host header or authority. What is no port stays part of the host.
func hostPort(b []byte) (host []byte, port uint16) {
	i := bytes.LastIndexByte(b, ':')
	if i <= 0 || bytes.IndexByte(b[:i], ':') >= 0 && b[i-1] != ']' {
		return b, 0
	}
	n := 0
	for _, c := range b[i+1:] {
		if c < '0' || c > '9' || n > 6553 {
			return b, 0
		}
		n = n*10 + int(c-'0')
	}
	if n == 0 || n > 0xffff {
		return b, 0
	}
	return b[:i], uint16(n)
}
