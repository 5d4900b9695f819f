package names

// maxRecord is the longest payload of a TLS record: 2^14 and 2048 of expansion (RFC 5246 §6.2.3).
const maxRecord = 1<<14 + 2048

// record follows one TLS record. Those that say nothing are stepped over by their length, unread.
func (s *Sniffer) record(side Side, at int64) bool {
	d := &s.sides[side]
	p := d.pieces.prefix()
	if len(p) < 5 {
		return false
	}
	length := int(p[3])<<8 | int(p[4])
	if p[0] < 20 || p[0] > 24 || p[1] != 3 || length > maxRecord {
		s.partial(&s.seen, side)
		d.close() // lost, or never TLS
		return false
	}
	switch {
	case p[0] == recordApplication && s.applicationData(side, at):
		d.close()
	case p[0] != recordHandshake || d.hello:
		d.advance(5 + length)
	case len(p) < 5+length:
		return false
	default:
		d.message = append(d.message, p[5:5+length]...)
		d.advance(5 + length)
		s.messages(side, at)
	}
	return true
}

// applicationData notes the first of a side's; false for early data (RFC 8446 §2.3), which precedes the handshake.
func (s *Sniffer) applicationData(side Side, at int64) bool {
	if side != s.seen.Client {
		s.seen.ServerData = at
		return true
	}
	if s.seen.ServerHello == 0 {
		return false
	}
	s.seen.ClientData = at
	return true
}

// messages reads the handshake messages that have come, up to the hello.
func (s *Sniffer) messages(side Side, at int64) {
	d := &s.sides[side]
	for !d.hello && len(d.message) >= 4 {
		length := int(d.message[1])<<16 | int(d.message[2])<<8 | int(d.message[3])
		if length > followed {
			s.partial(&s.seen, side)
			d.close()
			return
		}
		if len(d.message) < 4+length {
			return
		}
		s.handshake(side, at, d.message[0], d.message[4:4+length])
		if d.mode == over {
			return
		}
		d.message = d.message[:copy(d.message, d.message[4+length:])]
	}
}

func (s *Sniffer) handshake(side Side, at int64, kind byte, body []byte) {
	d := &s.sides[side]
	switch kind {
	case typeClientHello:
		h, ok := parseClientHello(body)
		if !ok || s.seen.Client == 1-side {
			d.close()
			return
		}
		d.hello = true
		s.seen.take(&h, TLSServerName, side, at)
	case typeServerHello:
		h, ok := parseServerHello(body)
		if !ok {
			d.close()
			return
		}
		s.seen.answered(&h, side, at)
		d.hello = !h.retry
	}
}

// partialHello reads a ClientHello that is not whole.
func (d *direction) partialHello(seen *Seen, side Side) {
	if d.hello || seen.Client == 1-side {
		return
	}
	message := d.message
	if p := d.pieces.prefix(); len(p) > 5 && p[0] == recordHandshake {
		message = append(message[:len(message):len(message)], p[5:]...)
	}
	if len(message) < 4 || message[0] != typeClientHello {
		return
	}
	seen.lacks(HelloCut)
	if h, ok := parseClientHello(message[4:]); ok && len(h.name) > 0 {
		seen.take(&h, TLSServerName, side, seen.Hello)
	}
}
