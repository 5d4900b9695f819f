package live

import (
	"errors"
	"strings"
	"testing"
)

func TestFilterTokens(t *testing.T) {
	for _, tt := range []struct{ expr, want string }{
		{"", ""},
		{"tcp port 80", "tcp|port|80"},
		{"tcp[0:2]&0xf!=1", "tcp|[|0|:|2|]|&|0xf|!=|1"},
		{"tcp[tcpflags] & (tcp-syn|tcp-ack) != 0", "tcp|[|tcpflags|]|&|(|tcp-syn|||tcp-ack|)|!=|0"},
		{"host fe80::1 and net 10.0.0.0/8", "host|fe80::1|and|net|10.0.0.0/8"},
		{"not(udp)&&!icmp", "not|(|udp|)|&&|!|icmp"},
		{`ip proto \tcp`, `ip|proto|\tcp`},
		{"portrange 1-2", "portrange|1-2"},
	} {
		var got []string
		for _, token := range filterTokens(tt.expr) {
			got = append(got, token.text(tt.expr))
		}
		if strings.Join(got, "|") != tt.want {
			t.Errorf("%q: got %s, want %s", tt.expr, strings.Join(got, "|"), tt.want)
		}
	}
}

// TestWrongToken plays libpcap with a language of its own: "a" any number of times, in brackets or not.
func TestWrongToken(t *testing.T) {
	compile := func(expr string) error {
		for _, word := range strings.Fields(strings.NewReplacer("(", " ", ")", " ").Replace(expr)) {
			if word != "a" {
				return errors.New("no")
			}
		}
		if strings.Count(expr, "(") != strings.Count(expr, ")") {
			return errors.New("no")
		}
		return nil
	}
	for _, tt := range []struct {
		expr, words string
		want        int
	}{
		{"a b a", "syntax error", 2},
		{"a (a b", "syntax error", 5},
		{"a a )", "syntax error", 4},
		{"a example.com", "unknown host 'example.com'", 2},
		{"", "syntax error", -1},
		{strings.Repeat("a ", 300) + "b", "syntax error", -1},
	} {
		if got := wrongToken(tt.expr, tt.words, compile); got != tt.want {
			t.Errorf("%q: got %d, want %d", tt.expr, got, tt.want)
		}
	}
}

func TestFilterErrorCaret(t *testing.T) {
	e := &FilterError{Expr: "höst\tx", Words: "syntax error", Column: 6}
	if got, want := e.Caret(), "höst x\n     ^"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := e.Error(), `filter "höst\tx": syntax error at column 6`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	e.Column = 0
	if got, want := e.Caret()+e.Error(), "höst x\n"+`filter "höst\tx": syntax error`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
