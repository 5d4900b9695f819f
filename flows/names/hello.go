package names

import "bytes"

// Handshake message types, extension numbers and record types of TLS (RFC 8446 §4, §4.2, §5.1).
const (
	typeClientHello = 1
	typeServerHello = 2
	typeHelloVerify = 3 // DTLS 1.0-1.2

	extServerName        = 0
	extALPN              = 16
	extSupportedVersions = 43
	extECH               = 0xfe0d // encrypted_client_hello, RFC 9849

	recordHandshake   = 22
	recordApplication = 23
)

// clientHello is what is kept of a ClientHello; its slices point into the message.
type clientHello struct {
	name    []byte // host_name of the server_name extension
	alpn    []byte // the protocol list as it is encoded
	ech     bool
	offered uint16
	whole   bool // no byte was missing
}

// parseClientHello reads the body of a ClientHello (RFC 8446 §4.1.2, RFC 6347 §4.2.1), or the first bytes of one:
// what was cut off is missing from the result. False says that b is no ClientHello.
func parseClientHello(b []byte) (h clientHello, ok bool) {
	c := cursor{b: b}
	h.offered = uint16(c.uint(2))
	datagram := h.offered>>8 == 0xfe
	if c.cut || !datagram && h.offered>>8 != 3 {
		return h, false
	}
	c.take(32)
	if len(c.vector(1)) > 32 { // session id
		return h, false
	}
	if datagram {
		c.vector(1) // cookie
	}
	if suites := c.vector(2); !c.cut && (len(suites) < 2 || len(suites)%2 == 1) {
		return h, false
	}
	c.vector(1) // compression methods
	if c.cut {
		return h, true
	}
	if len(c.b) == 0 {
		h.whole = true // SSL 3.0 and TLS 1.0 without extensions
		return h, true
	}
	extensions := cursor{b: c.vector(2)}
	h.extensions(&extensions)
	h.whole = !c.cut && !extensions.cut
	return h, true
}

func (h *clientHello) extensions(c *cursor) {
	for len(c.b) > 0 {
		number := c.uint(2)
		body := c.vector(2)
		if c.cut {
			return
		}
		switch number {
		case extServerName:
			h.serverName(body)
		case extALPN:
			list := cursor{b: body}
			h.alpn = list.vector(2)
		case extSupportedVersions:
			list := cursor{b: body}
			h.offered = newest(h.offered, list.vector(1))
		case extECH:
			h.ech = true
		}
	}
}

func (h *clientHello) serverName(body []byte) {
	outer := cursor{b: body}
	list := cursor{b: outer.vector(2)}
	for len(list.b) > 0 && len(h.name) == 0 {
		kind := list.uint(1)
		name := list.vector(2)
		if kind == 0 && !list.cut {
			h.name = name
		}
	}
}

// newest is the highest of the versions in an encoded list, GREASE (RFC 8701) aside. Those of DTLS count down.
// Drafts of TLS 1.3 (0x7fxx) stand for it.
func newest(legacy uint16, list []byte) uint16 {
	best := uint16(0)
	for ; len(list) >= 2; list = list[2:] {
		v := uint16(list[0])<<8 | uint16(list[1])
		if v>>8 == 0x7f {
			v = 0x0304
		}
		switch {
		case v>>8 == 3 && v > best, v>>8 == 0xfe && (best == 0 || v < best):
			best = v
		}
	}
	if best == 0 {
		return legacy
	}
	return best
}

// serverHello is what is kept of a ServerHello.
type serverHello struct {
	version uint16
	alpn    []byte
	retry   bool // a HelloRetryRequest: the client says hello again
}

// retryRandom marks a HelloRetryRequest (RFC 8446 §4.1.3).
const retryRandom = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

// parseServerHello reads the body of a ServerHello (RFC 8446 §4.1.3); false says that b is none, or is cut.
func parseServerHello(b []byte) (h serverHello, ok bool) {
	c := cursor{b: b}
	h.version = uint16(c.uint(2))
	h.retry = bytes.Equal(c.take(32), []byte(retryRandom))
	draft := h.version>>8 == 0x7f // drafts 18 to 21 of TLS 1.3 have no session id here
	if !draft {
		c.vector(1)
	}
	c.take(2) // cipher suite
	if !draft {
		c.take(1) // compression method
	}
	if c.cut || !draft && h.version>>8 != 3 && h.version>>8 != 0xfe {
		return h, false
	}
	h.version = newest(h.version, []byte{byte(h.version >> 8), byte(h.version)})
	extensions := cursor{b: c.vector(2)}
	for len(extensions.b) > 0 {
		number := extensions.uint(2)
		body := cursor{b: extensions.vector(2)}
		switch number {
		case extALPN:
			h.alpn = body.vector(2)
		case extSupportedVersions:
			h.version = newest(h.version, body.take(2))
		}
	}
	return h, true
}

// joinALPN lists protocols with commas, each escaped as Clean does but in its own case (RFC 7301 §3.1 compares bytes).
func joinALPN(list []byte) string {
	c := cursor{b: list}
	var out []byte
	for len(c.b) > 0 && len(out) < maxName {
		protocol := c.vector(1)
		if c.cut || len(protocol) == 0 {
			break
		}
		if len(out) > 0 {
			out = append(out, ',')
		}
		for _, x := range protocol {
			out = appendEscaped(out, x, x == ',')
		}
	}
	return string(out)
}
