package anonymize

import (
	"encoding/hex"
	"net"
	"net/netip"
	"regexp"
	"strings"
)

var (
	ipLike  = regexp.MustCompile(`[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,15}(?:(?:\.\d{1,3}){3})?|\d{1,3}(?:\.\d{1,3}){3}`)
	macLike = regexp.MustCompile(`\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b`)
	// namedByMAC are interfaces that systemd names by their address (systemd.net-naming-scheme(7)).
	namedByMAC = regexp.MustCompile(`\b(en|wl|ww|sl|ib)x([0-9a-f]{12})\b`)
	// home is a directory of homes wherever it is (/System/Volumes/Data/Users, C:\Users), or of disks that a person put in. A name may
	// have spaces, which a sentence has too: up to the next separator is the name, where there is one.
	// Where accounts are a domain's the home is often /home/DOMAIN/NAME (template homedir of smb.conf(5), sssd): what follows a domain in capitals is a
	// name, if more follows, and what follows any first part is one if a process was seen of a user called that.
	home = regexp.MustCompile(`((?:(?i:[/\\](?:home|users))|(?:^|\W)(?:/run)?/media)[/\\]+)(?:[^/\\:;,"\n]+([/\\])|[^/\\\s]+)`)
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
		return m.addrIn(text)
	})
	s = namedByMAC.ReplaceAllStringFunc(s, func(text string) string {
		mac, err := hex.DecodeString(text[3:])
		if err != nil {
			return text
		}
		m.MAC(mac)
		return text[:3] + hex.EncodeToString(mac)
	})
	s = domainHome.ReplaceAllString(s, "${1}user${2}user${3}")
	s = home.ReplaceAllString(s, "${1}user${2}")
	if len(m.people) == 0 {
		return s
	}
	return behindHome.ReplaceAllStringFunc(s, func(text string) string {
		at := strings.LastIndexAny(text, `/\`) + 1
		if !m.people[strings.ToLower(text[at:])] {
			return text
		}
		return text[:at] + "user"
	})
}

var (
	domainHome = regexp.MustCompile(`((?i:[/\\](?:home|users))[/\\]+)[A-Z][A-Z0-9-]{0,14}([/\\]+)[^/\\:;,"\n]+([/\\])`)
	behindHome = regexp.MustCompile(`(?i:[/\\](?:home|users))[/\\]+user[/\\]+[^/\\:;,"\n]+`)
)

// maxPeople bounds the names of users that are looked for behind homes.
const maxPeople = 4096

// know notes a user as the system calls it: alone, behind a domain or before one. Users of the system itself have names that
// directories have too, such as bin.
func (m *Mapper) know(user string, uid uint32) {
	const people = 500 // 1000 on Linux
	if uid < people {
		return
	}
	if at := strings.LastIndexByte(user, '\\'); at >= 0 {
		user = user[at+1:]
	}
	user, _, _ = strings.Cut(user, "@")
	if user == "" || len(m.people) >= maxPeople {
		return
	}
	if m.people == nil {
		m.people = map[string]bool{}
	}
	m.people[strings.ToLower(user)] = true
}

// addrIn replaces the addresses in a text of hexadecimal digits, colons and dots: more than one may stand there, or a colon before
// one.
func (m *Mapper) addrIn(text string) string {
	for start := range text {
		if start > 0 && text[start-1] != ':' && text[start] != ':' {
			continue
		}
		for end := len(text); end > start; end-- {
			if end < len(text) && text[end] != ':' {
				continue
			}
			if a, err := netip.ParseAddr(text[start:end]); err == nil {
				return text[:start] + m.Addr(a).String() + m.addrIn(text[end:])
			}
		}
	}
	return text
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
