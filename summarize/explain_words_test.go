package summarize

import (
	"net/netip"
	"testing"

	"apptap/pidmap"
)

// TestExplainSubjects: an app or a destination is found by what people read of it in the report, with and without what stands around it.
func TestExplainSubjects(t *testing.T) {
	to := func(name, source, peer string) Destination {
		return Destination{Name: name, NameSource: source, PeerApp: peer, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Times: &Times{}}
	}
	s := &Summary{Apps: []AppUse{
		{App: pidmap.App{Name: "chat", ID: "/opt/chat"}, Destinations: []Destination{to("192.0.2.1", "none", "demo-server"), to("192.0.2.1", "none", "")}},
		{App: pidmap.App{Name: "mail", ID: "/opt/mail"}, Destinations: []Destination{to("www.example.com", "tls_sni", "")}},
		{App: pidmap.App{Name: "mail", ID: "/usr/bin/mail"}, Destinations: []Destination{to("www.example.org", "ech_outer", "")}},
	}}
	for _, tt := range []struct {
		subject string
		want    int // destinations
	}{
		{"chat", 2}, {"CHAT", 2}, {"demo-server", 1}, {"(demo-server)", 1}, {"192.0.2.1 (demo-server)", 1}, {"from 192.0.2.1 (Demo-Server)", 1},
		{"192.0.2.1 (other)", 0}, {"192.0.2.1", 4}, {"example.com", 1}, {"www.example.org (outer name)", 1}, {"mail", 2}, {"mail (/opt/mail)", 1},
		{`"chat"`, 2}, {"server", 0}, {"", 0}, {"(", 0}, {"()", 0},
	} {
		if list, _ := s.Explain(tt.subject); len(list) != tt.want {
			t.Errorf("%q: %d destinations, want %d", tt.subject, len(list), tt.want)
		}
	}
}
