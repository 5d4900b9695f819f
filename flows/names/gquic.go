package names

import (
	"bytes"
	"encoding/binary"
)

// Google's QUIC before it took TLS ("QUIC Wire Layout Specification" and "QUIC Crypto", 2016): versions Q009 to Q050.
// The client's first packets are not encrypted up to Q046; the message that names the server is tagged CHLO.

// isGoogleQUIC says whether a datagram states a version of Google's QUIC that is not encrypted.
func isGoogleQUIC(b []byte) bool {
	v := googleVersion(b)
	return len(v) == 4 && v[0] == 'Q' && v[1] == '0' && '0' <= v[2] && v[2] <= '4' && '0' <= v[3] && v[3] <= '9'
}

// googleVersion is the version field of a packet: after flags and connection ID up to Q043, after the flags since.
func googleVersion(b []byte) []byte {
	switch {
	case len(b) < 14:
		return nil
	case b[0]&0x80 != 0:
		return b[1:5]
	case b[0]&0x01 == 0: // no version in this packet
		return nil
	case b[0]&0x08 != 0: // 8 bytes of connection ID
		return b[9:13]
	}
	return b[1:5]
}

func (s *Sniffer) googleQUIC(side Side, at int64, b []byte) {
	version := binary.BigEndian.Uint32(googleVersion(b))
	if s.googleCHLO(side, at, b[5:]) {
		s.seen.QUIC = version
	}
}

// googleCHLO looks for a CHLO, which stands behind the header and that of a STREAM or CRYPTO frame: all of the name
// is in its first packet, padded to fill a datagram.
func (s *Sniffer) googleCHLO(side Side, at int64, b []byte) bool {
	i := bytes.Index(b[:min(len(b), 128)], []byte("CHLO"))
	if i < 0 {
		return false
	}
	s.seen.Client, s.seen.Hello = side, at
	s.quic.hello = true
	name := serverNameTag(b[i+4:])
	if len(name) == 0 {
		s.seen.lacks(NoServerName)
		return true
	}
	s.seen.add(Name{Host: Clean(name), Origin: QUICServerName})
	return true
}

// serverNameTag is the value of the SNI tag: after the number of tags and two bytes of padding comes a table of tags
// and the ends of their values, in little-endian order, then the values.
func serverNameTag(b []byte) []byte {
	if len(b) < 4 {
		return nil
	}
	n := int(binary.LittleEndian.Uint16(b))
	table := b[4:]
	if n == 0 || len(table) < 8*n {
		return nil
	}
	values, from := table[8*n:], 0
	for ; len(table) > len(values); table = table[8:] {
		to := int(binary.LittleEndian.Uint32(table[4:]))
		if to < from || to > len(values) {
			return nil
		}
		if string(table[:4]) == "SNI\x00" {
			return values[from:to]
		}
		from = to
	}
	return nil
}
