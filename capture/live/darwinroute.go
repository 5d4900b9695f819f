package live

import "strings"

// describeDarwin says by its name what an interface of macOS is: there is no other mark that an
// unprivileged process can read. utun, ipsec and ppp carry VPNs, gif and stf IPv6 in IPv4.
func describeDarwin(row *InterfaceRow) {
	for _, prefix := range [...]string{"utun", "ipsec", "ppp", "gif", "stf"} {
		if strings.HasPrefix(row.Name, prefix) {
			row.Tunnel = true
		}
	}
}
