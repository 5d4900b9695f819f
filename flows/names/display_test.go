package names

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/idna"
)

func TestDisplay(t *testing.T) {
	tests := []struct{ in, want string }{
		{"www.example.com", "www.example.com"},
		{"xn--mnchen-3ya.example", "xn--mnchen-3ya.example (münchen.example)"},
		{"www.xn--mnchen-3ya.example", "www.xn--mnchen-3ya.example (www.münchen.example)"},
		{"xn--a-0hc.example", "xn--a-0hc.example"}, // no valid label
		{"xn--", "xn--"},
		{`xn--\027`, `xn--\027`},
	}
	for _, tt := range tests {
		if got := Display(tt.in); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// TestReading: names of many languages read, and those that could pass for others do not.
func TestReading(t *testing.T) {
	tests := []struct {
		name, typed string
		reads       bool
	}{
		{"German", "bücher.example", true},
		{"Polish", "żółw.pl", true},
		{"Vietnamese", "việtnam.vn", true},
		{"Turkish", "ışık.com.tr", true},
		{"Russian below Russian", "пример.рф", true},
		{"Russian that looks Latin, below Russian", "хор.рф", true},
		{"Russian below Latin", "яндекс.com", true},
		{"Greek", "παράδειγμα.gr", true},
		{"Chinese", "例子.测试", true},
		{"Japanese of three scripts", "東京スーパーのabc.jp", true},
		{"Korean", "한국어.kr", true},
		{"Hindi, with its marks", "उदाहरण.भारत", true},
		{"Thai", "ตัวอย่าง.ไทย", true},
		{"digits of all", "ü2-3.example", true},
		{"Cyrillic that looks Latin", "аррӏе.com", false},
		{"Latin with one Cyrillic letter", "pаypal.com", false},
		{"Greek in Latin", "gοogle.com", false},
		{"Greek that looks Latin", "οικ.com", false},
		{"Latin with a stroke", "google一com.jp", false},
		{"Hebrew runs from right to left", "ישראל.example", false},
		{"Arabic does too", "مثال.example", false},
		{"symbols", "♥.example", false},
		{"a letter that looks like punctuation", "aǃb.example", false},
		{"a phonetic letter", "ɡoogle.com", false},
		{"Bengali digits", "৪৪.com", false},
	}
	for _, tt := range tests {
		wire, err := idna.Punycode.ToASCII(tt.typed)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if tt.reads {
			want = tt.typed
		}
		if got := Reading(wire); got != want {
			t.Errorf("%s: %s reads %q, want %q", tt.name, wire, got, want)
		}
	}
}

func TestWire(t *testing.T) {
	for typed, want := range map[string]string{
		"Bücher.Example.": "xn--bcher-kva.example", "www.example.com": "www.example.com", "FIREFOX": "firefox", "a\x1b": "a\x1b",
	} {
		if got := Wire(typed); got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
}

// FuzzReading: what a name reads as is letters, marks, digits, hyphens and dots, and comes from that name alone.
func FuzzReading(f *testing.F) {
	for _, s := range []string{"xn--mnchen-3ya.de", "xn--80ak6aa92e.com", "xn--4dbrk0ce.example", "xn--", "a.xn--p1ai"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name := Clean(b)
		read := Reading(name)
		if shown := Display(name); !strings.HasPrefix(shown, name) {
			t.Fatalf("%q shown as %q", name, shown)
		}
		for _, r := range read {
			if !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune("0123456789-_.・", r) {
				t.Fatalf("%q reads %q, with %U", name, read, r)
			}
		}
		if read != "" && Wire(read) != name {
			t.Fatalf("%q reads %q, which is %q", name, read, Wire(read))
		}
	})
}
