//go:build cgo

package live

import (
	"errors"
	"strings"
	"testing"

	"apptap/capture"
)

func TestFilterColumn(t *testing.T) {
	for _, tt := range []struct {
		expr, token string // the token that is wrong, "" where none can be named
	}{
		{"tcp prt 80", "prt"},
		{"tcp and and udp", "and udp"},
		{"tcp port", "port"},
		{"port 99999", "99999"},
		{"tcp and (udp or", "or"},
		{"tcp )", ")"},
		{"tcp[0:3] = 1", "3"},
		{"tcp[tcpflags] & tcp-syn != 0 banana split", "banana"},
		{"host 1.2.3.4.5", "1.2.3.4.5"},
		{"net 10.0.0.0/33", "10.0.0.0/33"},
		{"src and dst", "and"},
		{"ether host 1:2:3", "1:2:3"},
		{"vlan 5 and tcp port 80 or or", "or"},
		{"tcp port http and udp prot 53", "prot"},
		{"ip6 and host 1.2.3.4", "1.2.3.4"},
		{"greater x", "x"},
		{"tcp and udp", "udp"},
		{"tcp and (udp or port 80", "80"},
	} {
		t.Run(tt.expr, func(t *testing.T) {
			_, err := CompileFilter(capture.LinkTypeEthernet, 0, tt.expr)
			var wrong *FilterError
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v, want a FilterError", err)
			}
			want := strings.LastIndex(tt.expr, tt.token) + 1
			if wrong.Column != want {
				t.Errorf("got column %d, want %d; libpcap says %q\n%s", wrong.Column, want, wrong.Words, wrong.Caret())
			}
			if wrong.Words == "" || !strings.Contains(err.Error(), "filter ") {
				t.Errorf("got %v without libpcap's words", err)
			}
		})
	}
}

// udpTo53 is an Ethernet frame that holds IPv4 and UDP.
func udpTo53() []byte {
	b := make([]byte, 42)
	b[12], b[14], b[17], b[23] = 8, 0x45, 28, 17
	b[37] = 53
	return b
}

func TestFilterMatch(t *testing.T) {
	ethernet := udpTo53()
	raw := ethernet[14:]
	sll2 := append([]byte{8, 0, 19: 0}, raw...)
	for _, tt := range []struct {
		name, expr string
		packet     capture.Packet
		want       bool
	}{
		{"match", "udp dst port 53", capture.Packet{Data: ethernet, LinkType: capture.LinkTypeEthernet}, true},
		{"no match", "udp dst port 54", capture.Packet{Data: ethernet, LinkType: capture.LinkTypeEthernet}, false},
		{"no filter", "", capture.Packet{Data: ethernet, LinkType: capture.LinkTypeEthernet}, true},
		{"raw", "udp dst port 53", capture.Packet{Data: raw, LinkType: capture.LinkTypeRaw}, true},
		{"SLL2", "udp dst port 53", capture.Packet{Data: sll2, LinkType: capture.LinkTypeLinuxSLL2}, true},
		{"no bytes", "udp", capture.Packet{LinkType: capture.LinkTypeEthernet}, false},
		{"length on the wire, not captured", "greater 1000", capture.Packet{Data: ethernet, Length: 1500, LinkType: capture.LinkTypeEthernet}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := CompileFilter(tt.packet.LinkType, 0, tt.expr)
			if err != nil {
				t.Fatal(err)
			}
			tt.packet.Length = max(tt.packet.Length, len(tt.packet.Data))
			if got := f.Match(&tt.packet); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			tt.packet.LinkType++
			if f.Match(&tt.packet) {
				t.Error("a packet of another link type matched")
			}
		})
	}
}

// FuzzCompileFilter wants an answer to any expression: a filter that takes any packet, or a place.
// Letters are left out, so that libpcap has no host names to look up.
func FuzzCompileFilter(f *testing.F) {
	f.Add("(1 = 1) & !")
	f.Fuzz(func(t *testing.T, expr string) {
		if len(expr) > 100 || strings.IndexFunc(expr, func(r rune) bool { return r > '@' && r != '[' && r != ']' }) >= 0 {
			t.Skip()
		}
		filter, err := CompileFilter(capture.LinkTypeEthernet, 0, expr)
		var wrong *FilterError
		switch {
		case err == nil:
			filter.Match(&capture.Packet{Data: udpTo53(), Length: 42, LinkType: capture.LinkTypeEthernet})
		case !errors.As(err, &wrong):
			t.Errorf("got %v, want a FilterError", err)
		case wrong.Column < 0 || wrong.Column > len(expr):
			t.Errorf("column %d of %d", wrong.Column, len(expr))
		}
	})
}
