package flows_test

import (
	"strings"
	"testing"

	"apptap/fixtures"
	"apptap/flows"
)

// TestNamesBehindPreambles: a Follower passes on what names a flow behind the words of other protocols, in whatever segments.
func TestNamesBehindPreambles(t *testing.T) {
	hello := string(clientHello(t, "a.example"))
	var records strings.Builder // of 100 bytes
	for body := hello[5:]; len(body) > 0; body = body[min(100, len(body)):] {
		part := body[:min(100, len(body))]
		records.WriteString("\x16\x03\x01\x00" + string(rune(len(part))) + part)
	}
	second := records.String()
	tests := []struct {
		name     string
		segments []string // of the client
	}{
		{"SMTP", []string{"EHLO me\r\n", "STARTTLS\r\n", hello}},
		{"IMAP, in three", []string{"a2 STARTTLS\r\n", hello[:60], hello[60:200], hello[200:]}},
		{"FTP, in records of 100 bytes", []string{"AUTH TLS\r\n", second}},
		{"FTP, in records of 100 bytes and two segments", []string{"AUTH TLS\r\n", second[:150], second[150:]}},
		{"PostgreSQL", []string{"\x00\x00\x00\x08\x04\xd2\x16\x2f", hello}},
		{"PostgreSQL in one segment", []string{"\x00\x00\x00\x08\x04\xd2\x16\x2f" + hello}},
		{"MySQL in one segment", []string{"\x20\x00\x00\x01\x85\xae\x0f\x00\x00\x00\x00\x01\x21" + string(make([]byte, 23)) + hello}},
		{"MySQL in two segments", []string{"\x20\x00\x00\x01\x85\xae\x0f\x00\x00\x00\x00\x01\x21" + string(make([]byte, 23)), hello}},
		{"PROXY protocol", []string{"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + hello}},
		{"PROXY protocol, hello cut", []string{"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + hello[:100], hello[100:]}},
		{"PROXY protocol 2", []string{"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + string(make([]byte, 12)) + hello}},
		{"SQL Server", []string{"\x12\x01\x00\x0e\x00\x00\x00\x00\xff\x01\x00\x00\x00\x00", "\x12\x01\x01\x00\x00\x00\x01\x00" + hello}},
		{"SOCKS 5", []string{"\x05\x01\x00", "\x05\x01\x00\x03\x09a.example\x01\xbb", hello}},
		{"CONNECT", []string{"CONNECT proxied.example:443 HTTP/1.1\r\nHost: proxied.example:443\r\n\r\n", hello}},
		{"RDP", []string{"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00", hello}},
		{"LDAP", []string{"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", hello}},
		{"byte by byte at first", []string{hello[:1], hello[1:2], hello[2:5], hello[5:]}},
	}
	for _, tt := range tests {
		for _, syn := range []bool{true, false} {
			if !syn && strings.HasPrefix(tt.name, "byte") {
				continue // nothing marks its first byte as one
			}
			table := flows.NewTable()
			follower := table.Follower()
			var frames [][]byte
			if syn {
				frames = append(frames, fixtures.TCP(host4, peer4, "S", 999, 0, nil), fixtures.TCP(peer4, host4, "SA", 99, 1000, nil))
			}
			seq, ack := uint32(1000), uint32(100)
			for _, s := range tt.segments {
				frames = append(frames, fixtures.TCP(host4, peer4, "PA", seq, ack, []byte(s)), fixtures.TCP(peer4, host4, "PA", ack, seq+uint32(len(s)), []byte("220 go on\r\n")))
				seq, ack = seq+uint32(len(s)), ack+11
			}
			run(table, follower, frames...)
			for f := range table.All(local4()) {
				if f.Names.TLS != "a.example" {
					t.Errorf("%s, SYN captured %v: got %q", tt.name, syn, f.Names.TLS)
				}
			}
			table.Close()
		}
	}
}
