package names

// dtlsNames collects a ClientHello of DTLS from its fragments (RFC 6347 §4.2.3).
type dtlsNames struct {
	message  assembly
	length   int
	sequence int // message_seq of the hello that is collected
	hello    bool
}

func (d *dtlsNames) reset() {
	message := d.message
	if cap(message.data) > keptBuffer {
		message.data = nil
	}
	message.reset()
	*d = dtlsNames{message: message}
}

// isDTLS says whether a datagram begins with a record of DTLS 1.0 to 1.3 in the clear.
func isDTLS(b []byte) bool {
	return len(b) >= 13 && b[0] >= 20 && b[0] <= 25 && b[1] == 0xfe && b[2] >= 0xfc
}

// datagramTLS reads the records of a datagram.
func (s *Sniffer) datagramTLS(side Side, at int64, b []byte) {
	for isDTLS(b) {
		c := cursor{b: b}
		kind := c.uint(1)
		c.take(2)
		epoch := c.uint(2)
		c.take(6)
		body := c.vector(2)
		switch {
		case kind == recordHandshake && epoch == 0:
			s.fragments(side, at, body)
		case kind == recordApplication && side == s.seen.Client && s.seen.ClientData == 0:
			s.seen.ClientData = at
		case kind == recordApplication && side != s.seen.Client && s.seen.Client != NoSide && s.seen.ServerData == 0:
			s.seen.ServerData = at
		}
		b = c.b
	}
}

// fragments reads the handshake fragments of a record.
func (s *Sniffer) fragments(side Side, at int64, b []byte) {
	c := cursor{b: b}
	for len(c.b) >= 12 {
		kind, length, sequence, offset := c.uint(1), c.uint(3), c.uint(2), c.uint(3)
		body := c.vector(3)
		switch {
		case kind == typeServerHello && len(body) == length:
			if h, ok := parseServerHello(body); ok {
				s.seen.answered(&h, side, at)
			}
		case kind == typeClientHello && length <= followed:
			if message := s.dtls.fragment(length, sequence, offset, body); message != nil {
				s.helloDTLS(side, at, message)
			}
		}
	}
}

// fragment puts one in its place and returns the message that it completes. After a HelloVerifyRequest the client
// says hello again with a cookie, as its next message.
func (d *dtlsNames) fragment(length, sequence, offset int, body []byte) []byte {
	if sequence != d.sequence || length != d.length {
		if sequence < d.sequence {
			return nil
		}
		d.sequence, d.length, d.hello = sequence, length, false
		d.message.reset()
	}
	if d.hello {
		return nil
	}
	d.message.put(offset, body)
	if message := d.message.prefix(); len(message) >= length {
		d.hello = true
		return message[:length]
	}
	return nil
}

func (s *Sniffer) helloDTLS(side Side, at int64, message []byte) {
	h, ok := parseClientHello(message)
	if !ok {
		return
	}
	s.seen.take(&h, DTLSServerName, side, at)
}
