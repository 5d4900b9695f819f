package live

import (
	"net/netip"
	"strings"
	"testing"
)

// macTable is a routing table as netstat -rn prints it on macOS: destination, flags in letters, interface.
func macTable(t *testing.T, text string) (routes []route) {
	t.Helper()
	bits := map[rune]int{'U': rtfUp, 'G': rtfGateway, 'R': rtfReject, 'I': rtfScoped}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		if fields[0] == "default" {
			fields[0] = "0.0.0.0/0"
		} else if fields[0] == "default6" {
			fields[0] = "::/0"
		}
		to, err := netip.ParsePrefix(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		d := darwinRoute{to: to, iface: fields[2], loopback: fields[2] == "lo0"}
		for _, letter := range fields[1] {
			d.flags |= bits[letter]
		}
		if r, ok := d.route(); ok {
			routes = append(routes, r)
		}
	}
	return routes
}

// TestDarwinDefault: the interface under the primary service, by tables of Macs with and without VPNs.
func TestDarwinDefault(t *testing.T) {
	var rows []InterfaceRow
	for _, name := range []string{"lo0", "gif0", "stf0", "anpi0", "en0", "en1", "ap1", "awdl0", "llw0", "bridge0", "utun0", "utun4", "ipsec0", "en7"} {
		row := InterfaceRow{Name: name, Up: true, Loopback: name == "lo0"}
		describeDarwin(&row)
		rows = append(rows, row)
	}
	for _, tt := range []struct {
		name, table, want, note string
	}{
		{"Wi-Fi", `
			default          UGScg   en0
			127.0.0.0/8      UCS     lo0
			169.254.0.0/16   UCS     en0
			192.168.1.0/24   UCS     en0
			224.0.0.0/4      UmCS    en0
			default6         UGcIg   utun0
		`, "en0", ""},
		{"Wi-Fi and Ethernet, the latter primary", `
			default          UGScg   en7
			default          UGScIg  en0
		`, "en7", ""},
		{"VPN with the default route, Wi-Fi below", `
			default          UCSg    utun4
			default          UGScIg  en0
			198.51.100.7/32  UGHS    en0
			192.168.1.0/24   UCS     en0
		`, "en0", "utun4"},
		{"VPN over one of two, by the route to its server", `
			default          UCSg    utun4
			default          UGScIg  en7
			default          UGScIg  en0
			198.51.100.7/32  UGHS    en0
		`, "en0", "utun4"},
		{"VPN with both halves", `
			0.0.0.0/1        UGSc    utun4
			default          UGScg   en0
			128.0.0.0/1      UGSc    utun4
			198.51.100.7/32  UGHS    en0
		`, "en0", "utun4"},
		{"half of it is no default route", `
			0.0.0.0/1        UGSc    utun4
			default          UGScg   en0
		`, "en0", ""},
		{"IKEv2", `
			default          UCSg    ipsec0
			default          UGScIg  en0
		`, "en0", "ipsec0"},
		{"IPv6 alone", `
			default6         UGcg    en0
			default6         UGcIg   utun0
		`, "en0", ""},
		{"refused and down", `
			default          UGR     en7
			default          GS      en1
			default          UGScg   en0
		`, "en0", ""},
		{"offline", `
			127.0.0.0/8      UCS     lo0
		`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, note := defaultOf(macTable(t, tt.table), rows)
			if got != tt.want || (note != "") != (tt.note != "") || !strings.Contains(note, tt.note) {
				t.Errorf("got %q with note %q; want %q, and %q named", got, note, tt.want, tt.note)
			}
			if tt.note != "" && !strings.Contains(note, "-i "+tt.note) {
				t.Errorf("note %q does not say what to do", note)
			}
		})
	}
}

// TestMaskBits: only an empty mask is that of a default route.
func TestMaskBits(t *testing.T) {
	for _, tt := range []struct {
		mask []byte
		want int
	}{
		{[]byte{0, 0, 0, 0}, 0}, {[]byte{128, 0, 0, 0}, 1}, {[]byte{255, 255, 255, 0}, 24}, {[]byte{0, 255, 255, 255}, 32},
		{make([]byte, 16), 0}, {append([]byte{255, 0, 255}, make([]byte, 13)...), 128},
	} {
		if got := maskBits(tt.mask); got != tt.want {
			t.Errorf("mask %v: got %d, want %d", tt.mask, got, tt.want)
		}
	}
}
