package live

import (
	"net"
	"net/netip"
	"strings"
)

// Flags of a route of macOS (bsd/net/route.h).
const (
	rtfUp      = 0x1
	rtfGateway = 0x2
	rtfReject  = 0x8
	rtfScoped  = 0x1000000 // RTF_IFSCOPE: for traffic that is bound to its interface
)

// darwinRoute is a line of macOS's routing table.
type darwinRoute struct {
	flags    int
	to       netip.Prefix
	iface    string
	loopback bool // iface is
}

// route says what the line means, false if no packet of others takes it. Beside the primary default route there is one scoped to each
// other interface that could be one, which is how the physical interface below a VPN is found.
func (d darwinRoute) route() (route, bool) {
	if d.flags&rtfUp == 0 || d.flags&rtfReject != 0 || d.loopback || d.iface == "" || !d.to.IsValid() {
		return route{}, false
	}
	r := route{Interface: d.iface, To: d.to, Gateway: d.flags&rtfGateway != 0}
	if d.flags&rtfScoped != 0 {
		r.Metric = 1 // behind the primary one
	}
	return r, true
}

// maskBits is the length of the prefix that a netmask tells. One with a hole tells none and counts as a host's: it must not pass for that of
// a default route, which net.IPMask says of it.
func maskBits(mask []byte) int {
	ones, bits := net.IPMask(mask).Size()
	if bits == 0 {
		return 8 * len(mask)
	}
	return ones
}

// describeDarwin says by its name what an interface of macOS is: there is no other mark that an
// unprivileged process can read. utun, ipsec and ppp carry VPNs, gif and stf IPv6 in IPv4.
func describeDarwin(row *InterfaceRow) {
	for _, prefix := range [...]string{"utun", "ipsec", "ppp", "gif", "stf"} {
		if strings.HasPrefix(row.Name, prefix) {
			row.Tunnel = true
		}
	}
}
