package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible is text as it may reach a terminal or a page. Names come from the wire and from strangers'
// executables, so everything that is no letter, mark, number, punctuation, symbol or ASCII space is spelled
// out: control characters (with them every terminal escape) and stray bytes as \xNN, format characters such as
// the bidi overrides U+202A-202E and U+2066-2069 and zero-width spaces as \uNNNN. A backslash stays one:
// systemd's units are full of \x2d, and the JSON report has the exact bytes.
func visible(text string) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

// plain says whether text is printable ASCII throughout, as most is.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
