// Package names answers which names the bytes of a flow carry, and which name a client had asked DNS for: TLS, DTLS
// and QUIC server names, HTTP hosts, DNS messages. Whoever reads packets passes it payloads; flows joins the answers
// to its records. It opens nothing, looks nothing up and keeps no byte of a payload that it was given.
//
// Every name comes from the other end of a wire. All of them are bounded in length and free of control characters
// (see Clean), and no input makes a decoder panic, loop, or hold more than a few tens of kilobytes a flow.
package names

import "strconv"

// Origin says where on the wire a name stood. A lower origin says more about who was meant: the report prefers it.
type Origin uint8

// The origins, best first; NoOrigin is the Origin of no name.
const (
	NoOrigin       Origin = iota
	TLSServerName         // RFC 6066 §3, in a ClientHello over TCP
	QUICServerName        // the same in a QUIC Initial, or the SNI tag of gQUIC
	DTLSServerName        // the same in a DTLS ClientHello
	HTTPHost              // RFC 9110 §7.2, over TCP
	HTTP2Authority        // RFC 9113 §8.3.1, prior knowledge only: else it is encrypted
	HTTPTarget            // the authority of an absolute-form or CONNECT request (RFC 9112 §3.2)
	DNSAnswer             // a DNS answer seen by the client before
)

// String is the origin's name in reports.
func (o Origin) String() string {
	switch o {
	case TLSServerName:
		return "tls_sni"
	case QUICServerName:
		return "quic_sni"
	case DTLSServerName:
		return "dtls_sni"
	case HTTPHost:
		return "http_host"
	case HTTP2Authority:
		return "h2_authority"
	case HTTPTarget:
		return "http_target"
	case DNSAnswer:
		return "dns"
	}
	return "none"
}

// Name is one name as it stood on the wire. The zero Name is none. A value.
type Name struct {
	Host   string // clean: see Clean
	Port   uint16 // as stated beside an HTTP host, 0 where none was
	Origin Origin
}

// String is the host, and the port where the wire stated one.
func (n Name) String() string {
	if n.Port == 0 {
		return n.Host
	}
	return n.Host + ":" + strconv.Itoa(int(n.Port))
}

// Absence says why a flow has no name. Unknown is a value with a reason.
type Absence uint8

// The reasons, and Named for a flow that has a name.
const (
	Named          Absence = iota
	NothingSeen            // no byte of the flow was looked at
	NoKnownStart           // the first bytes are of no protocol that states a name
	HelloCut               // a ClientHello began and its rest was not captured, or is longer than is followed
	NoServerName           // a whole ClientHello, without a server name
	Undecipherable         // QUIC Initials of a version whose keys are unknown, or not of the flow's start
	RequestCut             // an HTTP request began and its host was not captured
)

// String is the reason's name in reports.
func (a Absence) String() string {
	switch a {
	case Named:
		return "named"
	case NoKnownStart:
		return "no_known_start"
	case HelloCut:
		return "hello_cut"
	case NoServerName:
		return "no_server_name"
	case Undecipherable:
		return "undecipherable"
	case RequestCut:
		return "request_cut"
	}
	return "nothing_seen"
}
