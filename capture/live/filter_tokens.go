package live

import "strings"

// token is a word or an operator of a filter expression, by byte offsets.
type token struct{ start, end int }

func (t token) text(expr string) string { return expr[t.start:t.end] }

// filterTokens splits an expression roughly as libpcap's scanner does: what matters is that no valid
// expression has a token boundary here that libpcap has not.
func filterTokens(expr string) []token {
	var tokens []token
	inBrackets := false
	for at := 0; at < len(expr); {
		if strings.IndexByte(" \t\r\n", expr[at]) >= 0 {
			at++
			continue
		}
		end := at + tokenLength(expr[at:], inBrackets)
		switch expr[at] {
		case '[':
			inBrackets = true
		case ']':
			inBrackets = false
		}
		tokens = append(tokens, token{at, end})
		at = end
	}
	return tokens
}

// tokenLength returns the bytes of the token that s begins with. A colon separates inside brackets
// (tcp[0:2]) and belongs to an address outside.
func tokenLength(s string, inBrackets bool) int {
	const operators = "()[]!&|=<>+*/^%"
	if strings.IndexByte(operators, s[0]) >= 0 || s[0] == ':' && inBrackets || s[0] == '-' {
		for _, double := range [...]string{"&&", "||", "!=", "<=", ">=", "==", "<<", ">>"} {
			if strings.HasPrefix(s, double) {
				return 2
			}
		}
		return 1
	}
	n := 1
	for n < len(s) && strings.IndexByte(" \t\r\n()[]!&|=<>+*^%", s[n]) < 0 && (s[n] != ':' || !inBrackets) {
		n++
	}
	return n
}
