package live

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// FilterError says that a filter expression is not one.
type FilterError struct {
	Expr   string
	Words  string // libpcap's
	Column int    // where it goes wrong, in characters from 1; 0 if no place could be found
}

func (e *FilterError) Error() string {
	if e.Column == 0 {
		return fmt.Sprintf("filter %q: %s", e.Expr, e.Words)
	}
	return fmt.Sprintf("filter %q: %s at column %d", e.Expr, e.Words, e.Column)
}

// Caret is the expression with a caret under the place, two lines for a fixed-width font.
func (e *FilterError) Caret() string {
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f { // one column each, and nothing that moves a terminal's cursor
			return ' '
		}
		return r
	}, e.Expr)
	if e.Column == 0 {
		return line + "\n"
	}
	return line + "\n" + strings.Repeat(" ", e.Column-1) + "^"
}

// newFilterError finds the place that libpcap does not name. compile says whether libpcap accepts an
// expression.
func newFilterError(expr, words string, compile func(string) error) *FilterError {
	e := &FilterError{Expr: expr, Words: words}
	if at := wrongToken(expr, words, compile); at >= 0 {
		e.Column = utf8.RuneCountInString(expr[:at]) + 1
	}
	return e
}

// maxTriedTokens bounds the work on a long expression: each token costs some dozens of compilations
// of about 20 us.
const maxTriedTokens = 256

// rejectsAll is in libpcap's words for an expression that no packet can match (gencode.c).
const rejectsAll = "rejects all packets"

// wrongToken returns the byte offset of the first token with which the expression can no longer
// become valid, or -1. A prefix can become valid if libpcap accepts it with one of a few endings.
func wrongToken(expr, words string, compile func(string) error) int {
	tokens := filterTokens(expr)
	if len(tokens) == 0 || len(tokens) > maxTriedTokens {
		return -1
	}
	for _, t := range tokens { // "unknown host 'example'": libpcap names the culprit itself
		if text := t.text(expr); len(text) > 1 && strings.Contains(words, "'"+text+"'") {
			return t.start
		}
	}
	parses := func(try string) bool {
		err := compile(try)
		// "tcp and udp" matches nothing, and libpcap refuses it, but it is no mistake of grammar.
		return err == nil || strings.Contains(err.Error(), rejectsAll) && !strings.Contains(words, rejectsAll)
	}
	for _, t := range tokens {
		if !viable(expr[:t.end], parses) {
			return t.start
		}
	}
	return tokens[len(tokens)-1].start // every part is fine: it ends too early
}

// viable reports whether some ending makes prefix an expression.
func viable(prefix string, parses func(string) bool) bool {
	closing := closers(prefix)
	for _, ending := range filterEndings() {
		for _, comparison := range [3]string{"", " = 1", " 1 = 1"} {
			if parses(prefix + ending + closing + comparison) {
				return true
			}
		}
	}
	return false
}

// filterEndings is what may be missing behind some token of pcap-filter(7).
func filterEndings() []string {
	return []string{
		"", " tcp", " 1", " port 1", " host 1.1.1.1", " 1.1.1.1", " ::1", " 1-2", " net 10", "/8", " 255.0.0.0",
		" 00:00:00:00:00:00", " host 00:00:00:00:00:00", `\tcp`, ` \tcp`, ` \ip`, " proto 6", " type mgt", " mgt", " beacon", " in",
		"[0]", "[0] = 1", "0", "0] = 1", " 1 = 1", "= 1", "=1",
	}
}

// closers are the brackets that prefix leaves open, innermost first.
func closers(prefix string) string {
	var open []byte
	for i := range len(prefix) {
		switch prefix[i] {
		case '(':
			open = append(open, ')')
		case '[':
			open = append(open, ']')
		case ')', ']':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		}
	}
	for i, j := 0, len(open)-1; i < j; i, j = i+1, j-1 {
		open[i], open[j] = open[j], open[i]
	}
	return string(open)
}
