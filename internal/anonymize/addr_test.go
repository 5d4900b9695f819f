package anonymize

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"apptap/pidmap"
)

// referenceKey and the pairs are the sample of the authors' own program, Crypto-PAn 1.0.
var referenceKey = []byte{
	21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16,
	216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2,
}

func mapper(t testing.TB, key []byte) *Mapper {
	t.Helper()
	m, err := New(key)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReference(t *testing.T) {
	m := mapper(t, referenceKey)
	for _, tt := range [][2]string{
		{"128.11.68.132", "135.242.180.132"}, {"129.118.74.4", "134.136.186.123"}, {"130.132.252.244", "133.68.164.234"},
		{"141.223.7.43", "141.167.8.160"}, {"141.233.145.108", "141.129.237.235"}, {"152.163.225.39", "151.140.114.167"},
		{"156.29.3.236", "147.225.12.42"}, {"165.247.96.84", "162.9.99.234"}, {"166.107.77.190", "160.132.178.185"},
		{"192.102.249.13", "252.138.62.131"},
	} {
		address := netip.MustParseAddr(tt[0]).As4()
		m.permute(address[:], 0)
		if got := netip.AddrFrom4(address).String(); got != tt[1] {
			t.Errorf("%s: got %s, want %s", tt[0], got, tt[1])
		}
	}
}

// TestAddrKept: what an address is for stays, and no other address gets such a meaning.
func TestAddrKept(t *testing.T) {
	m := mapper(t, referenceKey)
	for _, same := range []string{"0.0.0.0", "127.0.0.1", "127.9.9.9", "224.0.0.251", "239.1.2.3", "255.255.255.255", "::", "::1", "ff02::fb", "::ffff:127.0.0.1"} {
		if a := netip.MustParseAddr(same); m.Addr(a) != a || !IsKept(a) {
			t.Errorf("%s became %s, want it to stay", a, m.Addr(a))
		}
	}
	for _, other := range []string{"8.8.8.8", "10.0.0.1", "192.168.1.20", "169.254.3.4", "203.0.113.9", "fe80::1", "fd00::1", "2001:db8::1", "ff02::1:ff12:3456", "ff3e:30:2001:db8::1", "::ffff:8.8.8.8"} {
		a := netip.MustParseAddr(other)
		b := m.Addr(a)
		if a == b || IsKept(a) || a.Is4() != b.Is4() || a.Is4In6() != b.Is4In6() || a.IsPrivate() != b.IsPrivate() || a.IsLinkLocalUnicast() != b.IsLinkLocalUnicast() || a.IsMulticast() != b.IsMulticast() {
			t.Errorf("%s became %s, want another address of the same kind", a, b)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var bytes [4]byte
		binary.BigEndian.PutUint32(bytes[:], random.Uint32())
		a := netip.AddrFrom4(bytes)
		if b := m.Addr(a); a.IsLoopback() != b.IsLoopback() || a.IsMulticast() != b.IsMulticast() || a.IsPrivate() != b.IsPrivate() || a.IsUnspecified() != b.IsUnspecified() {
			t.Fatalf("%s became %s", a, b)
		}
	}
}

// FuzzAddr: two addresses have as many first bits in common as their replacements.
func FuzzAddr(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("0123456789abcdez"), false)
	f.Add([]byte{10, 0, 0, 1}, []byte{10, 0, 0, 2}, true)
	f.Add([]byte{127, 0, 0, 1}, []byte{126, 0, 0, 2}, true)
	m := mapper(f, referenceKey)
	f.Fuzz(func(t *testing.T, first, second []byte, v4 bool) {
		a, b := netip.IPv6Unspecified(), netip.IPv6Unspecified()
		switch {
		case v4 && len(first) >= 4 && len(second) >= 4:
			a, b = netip.AddrFrom4([4]byte(first)), netip.AddrFrom4([4]byte(second))
		case !v4 && len(first) >= 16 && len(second) >= 16:
			a, b = netip.AddrFrom16([16]byte(first)), netip.AddrFrom16([16]byte(second))
		}
		if a.Is4In6() || b.Is4In6() {
			return
		}
		if got, want := common(m.Addr(a), m.Addr(b)), common(a, b); got != want {
			t.Errorf("%s and %s became %s and %s: %d bits in common, want %d", a, b, m.Addr(a), m.Addr(b), got, want)
		}
	})
}

func TestMAC(t *testing.T) {
	m := mapper(t, referenceKey)
	for _, tt := range []struct {
		name string
		mac  [6]byte
		same bool
	}{
		{"none", [6]byte{}, true},
		{"broadcast", [6]byte{255, 255, 255, 255, 255, 255}, true},
		{"group of IPv4", [6]byte{1, 0, 0x5e, 0, 0, 0xfb}, true},
		{"group of IPv6", [6]byte{0x33, 0x33, 0, 0, 0, 1}, true},
		{"solicited node", [6]byte{0x33, 0x33, 0xff, 1, 2, 3}, false},
		{"station", [6]byte{0x00, 0x1b, 0x21, 1, 2, 3}, false},
		{"another group", [6]byte{0x01, 0x1b, 0x21, 1, 2, 3}, false},
	} {
		got, again := tt.mac, tt.mac
		m.MAC(got[:])
		m.MAC(again[:])
		if got != again || (got == tt.mac) != tt.same || got[0]&1 != tt.mac[0]&1 {
			t.Errorf("%s: %x became %x, then %x", tt.name, tt.mac, got, again)
		}
	}
}

func BenchmarkAddr(b *testing.B) {
	m := mapper(b, referenceKey)
	a := netip.MustParseAddr("2001:db8::1").As16()
	for b.Loop() {
		a[15]++
		a[14] += a[15] >> 7
		m.Addr(netip.AddrFrom16(a))
	}
}

// TestPeople: who has a home below a domain's is not told by a path, even where the domain cannot be known as one.
func TestPeople(t *testing.T) {
	m := mapper(t, referenceKey)
	for _, tt := range []struct {
		user, path, want string
		uid              uint32
	}{
		{"alice", "/home/corp.example/Alice/bin/x", "/home/user/user/bin/x", 1000},
		{`CORP\bob`, "/home/corp/bob", "/home/user/user", 70001},
		{"eve@corp.example", "/home/corp/eve/bob.d/bobs", "/home/user/user/bob.d/bobs", 70002},
		{"bin", "/home/mallory/bin/x", "/home/user/bin/x", 2},
	} {
		got := m.process(&pidmap.Process{Key: pidmap.ProcessKey{PID: 1}, User: tt.user, UID: tt.uid, Path: tt.path, Bundle: &pidmap.App{}})
		if got.Path != tt.want {
			t.Errorf("%s of %s: got %s, want %s", tt.path, tt.user, got.Path, tt.want)
		}
	}
}

func TestText(t *testing.T) {
	m := mapper(t, referenceKey)
	for _, tt := range []struct{ in, want string }{
		{"host 192.0.2.1 and 10:20:30", "host " + m.Addr(netip.MustParseAddr("192.0.2.1")).String() + " and 10:20:30"},
		{"[2001:db8::1]:443 via fe80::1%eth0", "[" + m.Addr(netip.MustParseAddr("2001:db8::1")).String() + "]:443 via " + m.Addr(netip.MustParseAddr("fe80::1")).String() + "%eth0"},
		{"/home/alice/bin/x, /Users/bob/y /srv/home/z", "/home/user/bin/x, /Users/user/y /srv/home/user"},
		{"/home/alice: permission denied", "/home/user permission denied"},
		{"/System/Volumes/Data/Users/bob/x", "/System/Volumes/Data/Users/user/x"},
		{"/Users/Conan O'Brien/App x", "/Users/user/App x"},
		{`C:\Users\Bob Jones\AppData\x.exe`, `C:\Users\user\AppData\x.exe`},
		{"/home//alice/x", "/home//user/x"},
		{"/home/CORP/alice/bin/x", "/home/user/user/bin/x"},
		{`C:\Users\CORP\alice\x.exe`, `C:\Users\user\user\x.exe`},
		{"/home/BOB/x", "/home/user/x"},
		{"/media/alice/DISK/x, /run/media/alice/DISK/x, /usr/media/x", "/media/user/DISK/x, /run/media/user/DISK/x, /usr/media/x"},
		{"addr:2001:db8:1:2:3:4:5:6", "addr:" + m.Addr(netip.MustParseAddr("2001:db8:1:2:3:4:5:6")).String()},
		{"to:192.0.2.1, ::ffff:192.0.2.1", "to:" + m.Addr(netip.MustParseAddr("192.0.2.1")).String() + ", " + m.Addr(netip.MustParseAddr("::ffff:192.0.2.1")).String()},
		{"lo, eth0, 120.0.6099.109", "lo, eth0, 120.0.6099.109"},
	} {
		if got := m.Text(tt.in); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
	for _, leak := range []string{"enx001b21010203 gone", "00:1b:21:01:02:03", "00-1B-21-01-02-03"} {
		if got := m.Text(leak); got == leak {
			t.Errorf("%q stays", leak)
		}
	}
}

func TestKey(t *testing.T) {
	if _, err := New(make([]byte, 31)); err == nil {
		t.Error("a key of 31 bytes was taken")
	}
}
