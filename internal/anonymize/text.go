package anonymize

import (
	"encoding/hex"
	"net"
	"net/netip"
	"regexp"
)

var (
	ipLike  = regexp.MustCompile(`[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,7}(?:\d{1,3}(?:\.\d{1,3}){3})?|\d{1,3}(?:\.\d{1,3}){3}`)
	macLike = regexp.MustCompile(`\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b`)
	// namedByMAC are interfaces that systemd names by their address (systemd.net-naming-scheme(7)).
	namedByMAC = regexp.MustCompile(`\b(en|wl|ww|sl|ib)x([0-9a-f]{12})\b`)
	home       = regexp.MustCompile(`((?:^|[^\w])/(?:home|Users|var/home)/)[^/\s]+`)
)

// Text replaces what looks like an address in a text, and the names of people in paths below /home and /Users.
func (m *Mapper) Text(s string) string {
	s = macLike.ReplaceAllStringFunc(s, func(text string) string {
		mac, err := net.ParseMAC(text)
		if err != nil {
			return text
		}
		m.MAC(mac)
		return mac.String()
	})
	s = ipLike.ReplaceAllStringFunc(s, func(text string) string {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return text
		}
		return m.Addr(a).String()
	})
	s = namedByMAC.ReplaceAllStringFunc(s, func(text string) string {
		mac, err := hex.DecodeString(text[3:])
		if err != nil {
			return text
		}
		m.MAC(mac)
		return text[:3] + hex.EncodeToString(mac)
	})
	return home.ReplaceAllString(s, "${1}user")
}

func (m *Mapper) texts(list []string) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = m.Text(s)
	}
	return out
}
