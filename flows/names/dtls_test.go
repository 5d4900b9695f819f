package names

import "testing"

// dtlsHello is a ClientHello message body of DTLS 1.2 with a cookie and a name.
func dtlsHello(cookie, name string) []byte {
	body := append([]byte{0xfe, 0xfd}, make([]byte, 32)...)
	body = append(append(body, 0, byte(len(cookie))), cookie...)
	body = append(body, 0, 2, 0xc0, 0x2f, 1, 0)
	n := len(name)
	body = append(body, 0, byte(n+9), 0, 0, 0, byte(n+5), 0, byte(n+3), 0, 0, byte(n))
	return append(body, name...)
}

// dtlsFragment is a record with one fragment of a message.
func dtlsFragment(kind byte, sequence, total, offset int, b []byte) []byte {
	out := []byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, byte((12 + len(b)) >> 8), byte(12 + len(b))}
	out = append(out, kind, 0, byte(total>>8), byte(total), 0, byte(sequence), 0, byte(offset>>8), byte(offset), 0, byte(len(b)>>8), byte(len(b)))
	return append(out, b...)
}

func TestDTLS(t *testing.T) {
	first, again := dtlsHello("", "a.example"), dtlsHello("a cookie", "a.example")
	verify := dtlsFragment(typeHelloVerify, 0, 5, 0, []byte("\xfe\xff\x02ab"))
	tests := []struct {
		name      string
		datagrams []datagram
	}{
		{"whole", []datagram{{0, dtlsFragment(1, 0, len(first), 0, first)}}},
		{"fragments in any order", []datagram{{0, dtlsFragment(1, 0, len(first), 40, first[40:])}, {0, dtlsFragment(1, 0, len(first), 0, first[:40])}}},
		{"cookie", []datagram{
			{0, dtlsFragment(1, 0, len(first), 0, first[:10])}, {1, verify},
			{0, concat(dtlsFragment(1, 1, len(again), 0, again[:50]), dtlsFragment(1, 1, len(again), 50, again[50:]))},
		}},
	}
	for _, tt := range tests {
		var s Sniffer
		for i, d := range tt.datagrams {
			s.Datagram(d.side, int64(i+1), d.b)
		}
		if got := s.Seen(); got.Name != (Name{Host: "a.example", Origin: DTLSServerName}) || got.Offered != 0xfefd || got.Client != 0 {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
}
