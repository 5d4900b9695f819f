package names

// Hello is a ClientHello of TLS that came in one piece, as nearly all do. Its slices are parts of the payload.
type Hello struct {
	Name []byte // server name as it stood, for Clean; empty if there is none
	ALPN []byte // the list of protocols as it is encoded, for Protocols
	ECH  bool   // as in Seen
}

// WholeHello reads a TCP payload that begins with a TLS record in which a ClientHello is whole. It allocates nothing;
// what it does not take is a Sniffer's.
func WholeHello(b []byte) (h Hello, ok bool) {
	if len(b) < 9 || b[0] != recordHandshake || startOfTLS(b) != tlsRecords || b[5] != typeClientHello {
		return Hello{}, false
	}
	record := int(b[3])<<8 | int(b[4])
	length := int(b[6])<<16 | int(b[7])<<8 | int(b[8])
	if length+4 > record || len(b) < 5+record {
		return Hello{}, false
	}
	parsed, ok := parseClientHello(b[9 : 9+length])
	return Hello{parsed.name, parsed.alpn, parsed.ech}, ok && parsed.whole
}

// Protocols lists the protocols of Hello.ALPN as Seen.ALPN does.
func Protocols(list []byte) string { return joinALPN(list) }
