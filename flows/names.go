package flows

import (
	"cmp"

	"apptap/flows/names"
)

// Names are what a flow is called, by where the name stood; "" where there is none. All of them come from strangers:
// they are bounded and free of control characters (names.Clean), and may lie.
type Names struct {
	TLS  string // server name of a TLS or DTLS ClientHello
	QUIC string // the same of a QUIC Initial
	HTTP string // Host, :authority, or the authority of a request's target
	DNS  string // what the opener had last asked DNS for when it was told the other side's address
	ALPN string // protocols that the ClientHello offered, comma-separated
	// Authorities are the hosts that requests on one connection of HTTP/2 without TLS named, comma-separated, in the order of
	// their first; "" unless there were several.
	Authorities string
	ECH         bool // an encrypted ClientHello was offered; GREASE looks the same
	// Outer says that TLS or QUIC is the name that an ECH configuration, seen in DNS, has for the outside: the name that is meant was
	// encrypted.
	Outer bool

	// Number stands for Best's name among the flows of one Table: it is the same where the name is. 0 = none was given.
	Number uint32
}

// Best is the name that says most about who was meant, and the report's word for where it stood: "tls_sni",
// "quic_sni", "http_host", "dns", "ech_outer", or "none".
func (n *Names) Best() (host, source string) {
	switch {
	case n.Outer && n.DNS != "":
		return n.DNS, "dns"
	case n.Outer:
		return cmp.Or(n.TLS, n.QUIC), "ech_outer"
	case n.TLS != "":
		return n.TLS, "tls_sni"
	case n.QUIC != "":
		return n.QUIC, "quic_sni"
	case n.HTTP != "":
		return n.HTTP, "http_host"
	case n.DNS != "":
		return n.DNS, "dns"
	}
	return "", "none"
}

// Domain is the registrable domain of a name, false if it has none: an address, a single label, a public suffix.
func Domain(name string) (string, bool) { return names.Domain(name) }

// IsAddress says whether a name is an IP address in text.
func IsAddress(name string) bool { return names.IsAddress(name) }

// Reading is how an internationalised name reads, "" for others and for one whose reading could pass for another name.
func Reading(name string) string { return names.Reading(name) }

// DisplayName is a name for people: as it is on the wire, and if it is an internationalised one behind it how it reads.
func DisplayName(name string) string { return names.Display(name) }

// WireName is a name that a person typed as it is on the wire.
func WireName(typed string) string { return names.Wire(typed) }

// CleanName makes a name from elsewhere fit to be shown, as those of flows are.
func CleanName(name string) string { return names.Clean([]byte(name)) }
