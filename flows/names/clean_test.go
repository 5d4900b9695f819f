package names

import (
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "www.example.com", "www.example.com"},
		{"case and final dot", "WWW.Example.COM.", "www.example.com"},
		{"root", ".", "."},
		{"escape sequence", "a\x1b]0;x\a.example", `a\027]0;x\007.example`},
		{"line ends and spaces", "a\r\nb c", `a\013\010b\032c`},
		{"high bytes", "caf\xc3\xa9", `caf\195\169`},
		{"quotes and markup", `"<b>'&` + "`\\", `\034\060b\062\039\038\096\092`},
		{"empty", "", ""},
		{"too long", strings.Repeat("a", 300), strings.Repeat("a", 255) + `\...`},
	}
	for _, tt := range tests {
		if got := Clean([]byte(tt.in)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestDomain(t *testing.T) {
	tests := []struct {
		in, want string
		ok       bool
	}{
		{"www.example.co.uk", "example.co.uk", true},
		{"a.b.example.com", "example.com", true},
		{"example.com", "example.com", true},
		{"me.github.io", "me.github.io", true},
		{"co.uk", "", false},
		{"localhost", "", false},
		{"192.0.2.1", "", false},
		{"[2001:db8::1]", "", false},
		{"2001:db8::1", "", false},
		{`evil\027.example.com`, "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		if got, ok := Domain(tt.in); got != tt.want || ok != tt.ok {
			t.Errorf("%q: got %q %v, want %q %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestHostPort(t *testing.T) {
	tests := []struct {
		in, host string
		port     uint16
	}{
		{"example.com", "example.com", 0},
		{"example.com:8080", "example.com", 8080},
		{"[2001:db8::1]:443", "[2001:db8::1]", 443},
		{"[2001:db8::1]", "[2001:db8::1]", 0},
		{"2001:db8::1", "2001:db8::1", 0},
		{"example.com:", "example.com:", 0},
		{"example.com:99999", "example.com:99999", 0},
		{"example.com:8x", "example.com:8x", 0},
		{":80", ":80", 0},
	}
	for _, tt := range tests {
		if host, port := hostPort([]byte(tt.in)); string(host) != tt.host || port != tt.port {
			t.Errorf("%q: got %q %d, want %q %d", tt.in, host, port, tt.host, tt.port)
		}
	}
}

// FuzzClean holds names to visible ASCII of a bounded length, whatever came from the wire.
func FuzzClean(f *testing.F) {
	for _, s := range []string{"www.example.com.", "xn--mnchen-3ya.de", "\x1b[31m", `a\.b`, "[::1]:80", strings.Repeat("x.", 200)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := Clean(b)
		if len(got) > 4*maxName+len(cutMark) {
			t.Fatalf("%d bytes from %d", len(got), len(b))
		}
		for _, c := range []byte(got) {
			if c <= ' ' || c >= 0x7f || c == '"' || c == '<' || 'A' <= c && c <= 'Z' {
				t.Fatalf("byte %q in %q", c, got)
			}
		}
		if domain, ok := Domain(got); ok && !strings.HasSuffix(got, domain) {
			t.Fatalf("domain %q of %q", domain, got)
		}
		hostPort(b)
	})
}
