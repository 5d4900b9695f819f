package names

// Side tells the two directions of a flow apart; which of them is 0 is the caller's choice.
type Side uint8

// NoSide is the client of a flow whose client is not known.
const NoSide Side = 2

// maxOthers bounds how many further names of one flow are kept: a proxy connection can carry any number.
const maxOthers = 63

// Seen is what the first bytes of a flow say. It holds no reference to the sniffer that made it; it is a value but
// for Others, which must not be changed. Times are nanoseconds since 1970 UTC of the packet that completed the
// thing, 0 where it was not seen.
type Seen struct {
	Name   Name    // the best by Origin, the first of those
	Others []Name  // other names of the same flow (coalescing, proxies), in order of appearance
	More   bool    // there were more than Others holds
	Why    Absence // Named, or why Name is empty

	ALPN   string // protocols offered, comma-separated, in the client's order
	Chosen string // protocol chosen; TLS 1.3 and QUIC encrypt it
	ECH    bool   // extension 0xfe0d was offered. GREASE looks the same: it does not prove that Name is an outer name.

	Offered uint16 // highest TLS version offered (0x0301..0x0304; DTLS 0xfeff, 0xfefd, 0xfefc), 0 unknown
	Version uint16 // TLS version the server chose, 0 unknown
	QUIC    uint32 // version field of the client's Initial, 0 for no QUIC

	Client      Side
	Hello       int64 // the last byte of the ClientHello that named, or of an HTTP request's host
	ServerHello int64 // ServerHello, or the server's first QUIC Initial or Handshake packet
	// ClientData and ServerData are the first record of type application data (TLS), or the first 1-RTT packet (QUIC).
	// In TLS 1.3 the server's encrypted handshake has that type too, and the client's first is its Finished: ClientData
	// is when the handshake was over for the client, in every version. Early data is not counted.
	ClientData, ServerData int64
}

func nothing() Seen { return Seen{Why: NothingSeen, Client: NoSide} }

// add records a name unless it is known; the best origin comes first.
func (s *Seen) add(n Name) {
	if n.Host == "" || n == s.Name {
		return
	}
	s.Why = Named
	if s.Name.Origin == NoOrigin {
		s.Name = n
		return
	}
	for _, o := range s.Others {
		if o == n {
			return
		}
	}
	if len(s.Others) >= maxOthers {
		s.More = true
		return
	}
	if n.Origin < s.Name.Origin {
		n, s.Name = s.Name, n
	}
	s.Others = append(s.Others, n)
}

// lacks sets the reason for no name, unless there is one.
func (s *Seen) lacks(why Absence) {
	if s.Name.Origin == NoOrigin {
		s.Why = why
	}
}

// take records a ClientHello. It copies what it needs of h.
func (s *Seen) take(h *clientHello, origin Origin, side Side, at int64) {
	s.Client, s.Hello = side, at
	s.ALPN, s.ECH, s.Offered = joinALPN(h.alpn), s.ECH || h.ech, h.offered
	if len(h.name) == 0 {
		s.lacks(NoServerName)
		return
	}
	s.add(Name{Host: Clean(h.name), Origin: origin})
}

// answered records a ServerHello.
func (s *Seen) answered(h *serverHello, side Side, at int64) {
	s.Version = h.version
	if s.Client == NoSide {
		s.Client = 1 - side
	}
	if len(h.alpn) > 0 {
		s.Chosen = joinALPN(h.alpn)
	}
	if !h.retry {
		s.ServerHello = at
	}
}
