package flows

import "apptap/capture"

// Header is where in a frame a header stands that has addresses, or must not be cut for the frame to be decoded the same.
type Header struct {
	Kind   HeaderKind
	At     int // bytes into the frame
	Length int // bytes, as far as they were captured
}

// HeaderKind says what a Header is.
type HeaderKind uint8

// The kinds of headers. HeaderPlain has no addresses.
const (
	HeaderPlain    HeaderKind = iota
	HeaderEthernet            // two addresses of 6 bytes and two more bytes
	HeaderSLL
	HeaderSLL2
	HeaderWLAN
	HeaderARP
	HeaderIPv4
	HeaderIPv6
	HeaderIPv6Options // hop-by-hop and destination options, and others that are options but for their first two bytes
	HeaderIPv6Routing
	HeaderTCP
	HeaderUDP
	HeaderICMP // its first 8 bytes; errors quote a packet behind them
	HeaderICMPv6
	HeaderGENEVE // with its options
	HeaderNSH    // with its contexts
	HeaderTeredo // authentication or origin, before the packet inside
)

// Headers are those of one frame, from its start inwards.
type Headers struct {
	List []Header
	// Links are the link types of the frame, and of what it says of itself that it holds.
	Links []capture.LinkType
	// End is behind the last header that was decoded: what stands there is payload, or of no known protocol.
	End  int
	room int // capacity of the frame's bytes, by which the decoder knows where in it it is
}

// Headers decodes p as Decode does and says where its headers are, those of what is inside a tunnel as well. l is used again.
func (t Tunnels) Headers(p *capture.Packet, o *Observation, l *Headers) {
	*o = Observation{Time: p.Time, Frame: clampLength(p.Length), Interface: uint16(p.Interface)}
	*l = Headers{List: l.List[:0], Links: l.Links[:0], room: cap(p.Data)}
	d := decoder{data: p.Data, wire: p.Length, o: o, tunnels: t, headers: l}
	d.run(p.LinkType)
	if !o.Kind.Decoded() {
		l.End = l.room - cap(d.data) // all before it has been read
	}
	for _, h := range l.List {
		l.End = max(l.End, h.At+h.Length)
	}
	l.End = min(l.End, len(p.Data))
}

// note says that a header of this length begins where the decoder is.
func (d *decoder) note(kind HeaderKind, length int) {
	if d.headers != nil {
		d.headers.add(kind, d.data, length)
	}
}

// add notes a header at the start of rest, which is a part of the frame.
func (l *Headers) add(kind HeaderKind, rest []byte, length int) {
	l.List = append(l.List, Header{kind, l.room - cap(rest), min(length, len(rest))})
}

// quoted notes the IP header at the start of h, which an ICMP error quotes, and the ports behind it.
func (d *decoder) quoted(kind HeaderKind, h []byte, length int) {
	if d.headers != nil {
		d.headers.add(kind, h, length)
		d.headers.add(HeaderPlain, h[length:], 4)
	}
}

func (l *Headers) count() int {
	if l == nil {
		return 0
	}
	return len(l.List)
}

// forget drops what was noted since there were n.
func (l *Headers) forget(n int) {
	if l != nil {
		l.List = l.List[:n]
	}
}

func (d *decoder) noteTransport(proto uint8) {
	switch {
	case d.headers == nil:
	case Protocol(proto) == UDP:
		d.note(HeaderUDP, 8)
	case len(d.data) > 12:
		d.note(HeaderTCP, max(int(d.data[12]>>4)*4, 20))
	default:
		d.note(HeaderTCP, 20)
	}
}

func icmpHeader(proto uint8) HeaderKind {
	if proto == protoICMPv6 {
		return HeaderICMPv6
	}
	return HeaderICMP
}

func extensionHeader(number uint8) HeaderKind {
	switch number {
	case extRouting:
		return HeaderIPv6Routing
	case extAH:
		return HeaderPlain
	}
	return HeaderIPv6Options
}
