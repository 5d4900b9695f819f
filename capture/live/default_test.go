package live

import (
	"net/netip"
	"testing"
	"testing/fstest"

	"apptap/capture"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var prefixes = cmpopts.EquateComparable(netip.Prefix{})

// Recorded from Linux 6.1, with a WireGuard-like tunnel and its server's route added.
const procRoute = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	0102000A	0003	0	0	600	00000000	0	0	0
eth0	00000000	0101A8C0	0003	0	0	100	00000000	0	0	0
eth0	0001A8C0	00000000	0001	0	0	100	00FFFFFF	0	0	0
bad0	00000000	00000000	0201	0	0	0	00000000	0	0	0
short	line
`

const procRoute6 = `00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`

func TestLinuxRoutes(t *testing.T) {
	root := fstest.MapFS{"proc/net/route": {Data: []byte(procRoute)}, "proc/net/ipv6_route": {Data: []byte(procRoute6)}}
	got, err := linuxRoutes(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []route{
		{"wlan0", netip.MustParsePrefix("0.0.0.0/0"), true, 600},
		{"eth0", netip.MustParsePrefix("0.0.0.0/0"), true, 100},
		{"eth0", netip.MustParsePrefix("192.168.1.0/24"), false, 100},
		{"eth0", netip.MustParsePrefix("::/0"), true, 1024},
		{"eth0", netip.MustParsePrefix("fe80::/64"), false, 256},
	}
	if diff := cmp.Diff(want, got, prefixes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := linuxRoutes(fstest.MapFS{}); err == nil {
		t.Error("no error without /proc")
	}
	delete(root, "proc/net/ipv6_route")
	if got, err := linuxRoutes(root); err != nil || len(got) != 3 {
		t.Errorf("without IPv6: got %d routes and %v, want 3", len(got), err)
	}
}

func FuzzParseRoutes(f *testing.F) {
	f.Add(procRoute)
	f.Add(procRoute6)
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range append(parseRoutes(text, parseRoute4), parseRoutes(text, parseRoute6)...) {
			if r.Interface == "" || !r.To.IsValid() {
				t.Errorf("got route %+v", r)
			}
		}
	})
}

func TestDefaultOf(t *testing.T) {
	all4, all6, net10 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"), netip.MustParsePrefix("10.0.0.0/8")
	server := netip.MustParsePrefix("198.51.100.7/32")
	rows := []InterfaceRow{{Name: "lo", Loopback: true}, {Name: "eth0"}, {Name: "wlan0"}, {Name: "tun0", Tunnel: true}}
	for _, tt := range []struct {
		name   string
		routes []route
		want   string
		noted  bool
	}{
		{"none", nil, "", false},
		{"no default", []route{{"eth0", net10, false, 0}}, "", false},
		{"lowest metric", []route{{"wlan0", all4, true, 600}, {"eth0", all4, true, 100}}, "eth0", false},
		{"IPv4 first", []route{{"wlan0", all6, true, 1}, {"eth0", all4, true, 100}}, "eth0", false},
		{"IPv6 only", []route{{"wlan0", all6, true, 1}, {"eth0", net10, true, 100}}, "wlan0", false},
		{"tunnel over another default", []route{{"tun0", all4, false, 0}, {"eth0", all4, true, 100}}, "eth0", true},
		{"tunnel over a route to its server", []route{{"tun0", all4, false, 0}, {"wlan0", net10, false, 0}, {"eth0", server, true, 0}}, "eth0", true},
		{"tunnel over a neighbour", []route{{"tun0", all4, false, 0}, {"eth0", net10, false, 0}}, "eth0", true},
		{"tunnel over nothing known", []route{{"tun0", all4, false, 0}}, "tun0", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, note := defaultOf(tt.routes, rows)
			if got != tt.want || (note != "") != tt.noted {
				t.Errorf("got %q with note %q, want %q, noted %v", got, note, tt.want, tt.noted)
			}
		})
	}
}

func TestFirstUsable(t *testing.T) {
	addrs := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}
	rows := []InterfaceRow{{Name: "lo", Up: true, Loopback: true, Addrs: addrs}, {Name: "down", Addrs: addrs}, {Name: "bare", Up: true}, {Name: "eth0", Up: true, Addrs: addrs}}
	if got := firstUsable(rows); got != "eth0" {
		t.Errorf("got %q, want eth0", got)
	}
	if got := firstUsable(rows[:3]); got != "" {
		t.Errorf("got %q, want none", got)
	}
	link := []netip.Prefix{netip.MustParsePrefix("fe80::1/64")}
	self := []netip.Prefix{netip.MustParsePrefix("169.254.7.7/16"), link[0]}
	tunnel := InterfaceRow{Name: "utun4", Up: true, Tunnel: true, Addrs: addrs}
	mac := []InterfaceRow{{Name: "awdl0", Up: true, Addrs: link}, tunnel, {Name: "en5", Up: true, Addrs: self}, {Name: "en0", Up: true, Addrs: append(link, addrs...)}}
	for want, rows := range map[string][]InterfaceRow{"en0": mac, "utun4": mac[:3], "awdl0": mac[:1]} {
		if got := firstUsable(rows); got != want {
			t.Errorf("of a Mac's %d got %q, want %s", len(rows), got, want)
		}
	}
}

func TestDescribeLinux(t *testing.T) {
	root := fstest.MapFS{
		"sys/class/net/eth0/type":            {Data: []byte("1\n")},
		"sys/class/net/eth0/device/vendor":   {},
		"sys/class/net/veth0/type":           {Data: []byte("1\n")},
		"sys/class/net/wlan0/type":           {Data: []byte("1\n")},
		"sys/class/net/wlan0/device/vendor":  {},
		"sys/class/net/wlan0/phy80211/index": {},
		"sys/class/net/wg0/type":             {Data: []byte("65534\n")},
		"sys/class/net/tap0/type":            {Data: []byte("1\n")},
		"sys/class/net/tap0/tun_flags":       {},
		"sys/class/net/wwan0/type":           {Data: []byte("65534\n")},
		"sys/class/net/wwan0/device/vendor":  {},
		"sys/class/net/odd0/type":            {Data: []byte("nonsense")},
		"sys/class/net/ib0/type":             {Data: []byte("32\n")},
	}
	for _, want := range []InterfaceRow{
		{Name: "eth0", LinkType: capture.LinkTypeEthernet, LinkTypeKnown: true},
		{Name: "veth0", LinkType: capture.LinkTypeEthernet, LinkTypeKnown: true},
		{Name: "wlan0", LinkType: capture.LinkTypeEthernet, LinkTypeKnown: true, Wireless: true},
		{Name: "wg0", LinkType: capture.LinkTypeRaw, LinkTypeKnown: true, Tunnel: true},
		{Name: "tap0", LinkType: capture.LinkTypeEthernet, LinkTypeKnown: true, Tunnel: true},
		{Name: "wwan0", LinkType: capture.LinkTypeRaw, LinkTypeKnown: true},
		{Name: "odd0"}, {Name: "ib0"}, {Name: "gone0"},
	} {
		got := InterfaceRow{Name: want.Name}
		describeLinux(root, &got)
		if diff := cmp.Diff(want, got, prefixes); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestDescribeDarwin(t *testing.T) {
	for name, want := range map[string]bool{"en0": false, "lo0": false, "utun3": true, "ipsec0": true, "bridge0": false} {
		row := InterfaceRow{Name: name}
		if describeDarwin(&row); row.Tunnel != want {
			t.Errorf("%s: got tunnel %v, want %v", name, row.Tunnel, want)
		}
	}
}

func TestWithPcap(t *testing.T) {
	rows := []InterfaceRow{{Name: "en0", Up: true}, {Name: "lo0"}}
	known := []InterfaceRow{{Name: "any", Description: "all"}, {Name: "en0", Description: "Wi-Fi", Wireless: true}}
	want := []InterfaceRow{{Name: "en0", Up: true, Description: "Wi-Fi", Wireless: true}, {Name: "lo0"}, {Name: "any", Description: "all"}}
	if diff := cmp.Diff(want, withPcap(rows, known), prefixes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestInterfaces asks this machine.
func TestInterfaces(t *testing.T) {
	rows, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Loopback && r.Up && len(r.Addrs) > 0 {
			return
		}
	}
	t.Errorf("no loopback interface with an address among %+v", rows)
}
