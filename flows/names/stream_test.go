package names

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"math/rand"
	"net"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// recorder is a connection that nobody answers.
type recorder struct {
	net.Conn
	sent []byte
}

func (r *recorder) Write(b []byte) (int, error) { r.sent = append(r.sent, b...); return len(b), nil }
func (r *recorder) Read([]byte) (int, error)    { return 0, io.EOF }
func (r *recorder) Close() error                { return nil }

// hello is the record with the ClientHello that crypto/tls sends.
func hello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	var r recorder
	config.InsecureSkipVerify = true
	if err := tls.Client(&r, config).Handshake(); err == nil {
		t.Fatal("a handshake without an answer")
	}
	return r.sent
}

// resplit puts the handshake bytes of one record into records of n bytes each.
func resplit(record []byte, n int) (out []byte) {
	body := record[5:]
	for len(body) > 0 {
		m := min(n, len(body))
		out = append(out, 22, 3, 1, byte(m>>8), byte(m))
		out = append(out, body[:m]...)
		body = body[m:]
	}
	return out
}

// record is a TLS record.
func record(kind byte, body []byte) []byte {
	return append([]byte{kind, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
}

// serverHello12 is a ServerHello message that chooses TLS 1.2 and a protocol.
func serverHello12(protocol string) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0, 0xc0, 0x2f, 0)
	alpn := append([]byte{0, byte(len(protocol) + 1), byte(len(protocol))}, protocol...)
	body = binary.BigEndian.AppendUint16(body, uint16(len(alpn)+4))
	body = append(body, 0, 16, 0, byte(len(alpn)))
	body = append(body, alpn...)
	return append([]byte{2, 0, 0, byte(len(body))}, body...)
}

func TestTLSSegments(t *testing.T) {
	plain := hello(t, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2", "http/1.1"}})
	old := hello(t, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2", "http/1.1"}, MaxVersion: tls.VersionTLS12})
	tests := []struct {
		name    string
		stream  []byte
		offered uint16
	}{
		{"one record", plain, 0x0304},
		{"TLS 1.2", old, 0x0303},
		{"records of 100 bytes", resplit(plain, 100), 0x0304},
		{"records of one byte", resplit(plain, 1), 0x0304},
	}
	for _, tt := range tests {
		for _, size := range []int{1, 7, 536, 1460, 65535} {
			for _, order := range []string{"in order", "reversed", "shuffled"} {
				for _, started := range []bool{true, false} {
					if order != "in order" && (len(tt.stream)/size > maxSpans || !started && len(tt.stream)/size > unordered) {
						continue // more holes than are kept; and without a SYN, the first segment must look like a hello
					}
					var s Sniffer
					if started {
						s.Start(1, 0xffffff00) // wraps
					}
					deliver(&s, 1, 0xffffff00, tt.stream, size, order)
					got := s.Seen()
					if got.Name != (Name{Host: "www.example.com", Origin: TLSServerName}) || got.ALPN != "h2,http/1.1" ||
						got.Offered != tt.offered || got.Client != 1 || got.Why != Named || got.Hello == 0 {
						t.Errorf("%s, segments of %d %s, started %v: got %+v", tt.name, size, order, started, got)
					}
				}
			}
		}
	}
}

// deliver passes stream in segments; the time of each is its number.
func deliver(s *Sniffer, side Side, seq uint32, stream []byte, size int, order string) {
	var at []int
	for i := 0; i < len(stream); i += size {
		at = append(at, i)
	}
	switch order {
	case "reversed":
		for i := range len(at) / 2 {
			at[i], at[len(at)-1-i] = at[len(at)-1-i], at[i]
		}
	case "shuffled":
		rand.New(rand.NewSource(1)).Shuffle(len(at), func(i, j int) { at[i], at[j] = at[j], at[i] })
	}
	for n, i := range at {
		s.Stream(side, int64(n+1), seq+uint32(i), stream[i:min(i+size, len(stream))])
	}
}

// TestTLSBothSides follows a TLS 1.2 connection to the first application data.
func TestTLSBothSides(t *testing.T) {
	var s Sniffer
	client := hello(t, &tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12})
	s.Start(0, 100)
	s.Start(1, 900)
	s.Stream(0, 1, 100, client)
	server := record(22, append(serverHello12("h2"), append([]byte{11, 0, 0x20, 0}, make([]byte, 0x2000)...)...))
	deliver(&s, 1, 900, server, 1000, "reversed")
	seq := 100 + uint32(len(client))
	s.Stream(0, 20, seq, append(record(20, []byte{1}), record(22, make([]byte, 40))...))
	s.Stream(0, 30, seq+51, record(23, make([]byte, 90)))
	if done := s.Stream(1, 41, 900+uint32(len(server)), record(23, make([]byte, 50))); !done {
		t.Error("not done after application data both ways")
	}
	got := s.Seen()
	if got.Version != 0x0303 || got.Chosen != "h2" || got.Hello != 1 || got.ServerHello != 9 || got.ClientData != 30 || got.ServerData != 41 {
		t.Errorf("got %+v", got)
	}
}

func TestPreambles(t *testing.T) {
	h := string(hello(t, &tls.Config{ServerName: "a.example"}))
	tests := []struct {
		name     string
		segments []string // of the client
	}{
		{"SMTP", []string{"EHLO me\r\n", "STARTTLS\r\n", h}},
		{"IMAP", []string{"a1 CAPABILITY\r\n", "a2 STARTTLS\r\n", h}},
		{"POP3", []string{"CAPA\r\n", "STLS\r\n", h}},
		{"FTP", []string{"AUTH TLS\r\n", h}},
		{"XMPP", []string{"<stream:stream to='a.example'>", "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", h}},
		{"LDAP", []string{"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", h}},
		{"PostgreSQL", []string{"\x00\x00\x00\x08\x04\xd2\x16\x2f", h}},
		{"PostgreSQL in one segment", []string{"\x00\x00\x00\x08\x04\xd2\x16\x2f" + h}},
		{"MySQL in one segment", []string{"\x20\x00\x00\x01\x85\xae\x0f\x00\x00\x00\x00\x01\x21" + string(make([]byte, 23)) + h}},
		{"PROXY protocol", []string{"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + h}},
		{"PROXY protocol 2", []string{"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + string(make([]byte, 12)) + h}},
		{"SQL Server", []string{"\x12\x01\x00\x0e\x00\x00\x00\x00\xff\x01\x00\x00\x00\x00", "\x12\x01\x01\x00\x00\x00\x01\x00" + h}},
		{"SOCKS 5", []string{"\x05\x01\x00", "\x05\x01\x00\x03\x09a.example\x01\xbb", h}},
		{"CONNECT", []string{"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", h}},
		{"hello in two after a preamble", []string{"AUTH TLS\r\n", h[:60], h[60:]}},
	}
	for _, tt := range tests {
		for _, from := range []int{0, 1} { // with and without the first segment
			if from >= len(tt.segments) {
				continue
			}
			var s Sniffer
			if from == 0 {
				s.Start(0, 0)
			}
			seq := uint32(0)
			for i, segment := range tt.segments {
				if i >= from {
					s.Stream(0, int64(i+1), seq, []byte(segment))
				}
				seq += uint32(len(segment))
			}
			if got := s.Seen().Name; got != (Name{Host: "a.example", Origin: TLSServerName}) {
				t.Errorf("%s from segment %d: got %+v", tt.name, from, got)
			}
		}
	}
}

func TestCutHello(t *testing.T) {
	h := hello(t, &tls.Config{ServerName: "a.example"})
	var s Sniffer
	s.Stream(0, 1, 0, h[:len(h)-100])
	if got := s.Seen(); got.Name.Host != "a.example" {
		t.Errorf("cut after the name: got %+v", got)
	}
	s.Reset()
	s.Stream(0, 1, 0, h[:60])
	if got := s.Seen(); got.Why != HelloCut || got.Name != (Name{}) {
		t.Errorf("cut before the name: got %+v", got)
	}
	s.Reset()
	s.Stream(0, 1, 0, hello(t, &tls.Config{}))
	if got := s.Seen(); got.Why != NoServerName {
		t.Errorf("no name: got %+v", got)
	}
	s.Reset()
	if got := s.Seen(); got.Why != NothingSeen || got.Client != NoSide {
		t.Errorf("after reset: got %+v", got)
	}
	s.Stream(0, 1, 0, []byte("SSH-2.0-OpenSSH_9.9\r\n"))
	if got := s.Seen(); got.Why != NoKnownStart {
		t.Errorf("SSH: got %+v", got)
	}
}

// TestAnswersNameNothing has a server send what a client would.
func TestAnswersNameNothing(t *testing.T) {
	request := []byte("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	tests := []struct {
		name   string
		client []byte
		answer []byte
	}{
		{"request", request, []byte("GET / HTTP/1.1\r\nHost: never.meant\r\n\r\n")},
		{"half a request", request, []byte("GET / HTTP/1.1\r\nHost: never.meant\r\n")},
		{"hello", request, hello(t, &tls.Config{ServerName: "never.meant"})},
		{"hello for hello", hello(t, &tls.Config{ServerName: "a.example"}), hello(t, &tls.Config{ServerName: "never.meant"})},
	}
	for _, tt := range tests {
		var s Sniffer
		s.Stream(0, 1, 0, tt.client)
		s.Stream(1, 2, 0, []byte("HTTP/1.1 200 OK\r\n\r\n"))
		s.Stream(1, 3, 19, tt.answer)
		if got := s.Seen(); got.Name.Host != "a.example" || len(got.Others) > 0 || got.Client != 0 {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
}

// FuzzStream feeds segments of any content at any place. Its invariants: a done sniffer stays done, names are clean
// and bounded, and so is memory.
func FuzzStream(f *testing.F) {
	h := hello(f, &tls.Config{ServerName: "a.example"})
	f.Add(h, uint8(40), uint16(3))
	f.Add(append([]byte("EHLO x\r\n"), h...), uint8(8), uint16(0))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"), uint8(9), uint16(7))
	var block []byte
	e := hpack.NewEncoder(sliceWriter{&block})
	f.Add(append([]byte(preface), http2Request(e, &block, "a.example", 2)...), uint8(30), uint16(0))
	f.Add(record(22, serverHello12("h2")), uint8(100), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, size uint8, twist uint16) {
		var s Sniffer
		done := false
		for i, seq := 0, uint32(0); len(b) > 0; i++ {
			n := min(int(size)+1, len(b))
			now := s.Stream(Side(i*int(twist)>>4&1), int64(i), seq+uint32(i*int(twist)&15), b[:n])
			if done && !now {
				t.Fatal("done, and then no more")
			}
			done = now
			b, seq = b[n:], seq+uint32(n)
		}
		seen := s.Seen()
		checkSeen(t, &seen)
		for _, d := range s.sides {
			if cap(d.pieces.data) > 4*followed || cap(d.message) > 4*followed {
				t.Fatalf("holds %d and %d bytes", cap(d.pieces.data), cap(d.message))
			}
		}
	})
}

func checkSeen(t *testing.T, seen *Seen) {
	t.Helper()
	if (seen.Why == Named) != (seen.Name.Host != "") {
		t.Fatalf("named for reason %v: %+v", seen.Why, seen)
	}
	if len(seen.Others) > maxOthers {
		t.Fatalf("%d other names", len(seen.Others))
	}
	for _, n := range append([]Name{seen.Name}, seen.Others...) {
		if n.Host != "" && n.Host != Clean([]byte(n.Host)) && !containsEscape(n.Host) {
			t.Fatalf("unclean name %q", n.Host)
		}
	}
}

func containsEscape(s string) bool {
	for _, c := range []byte(s) {
		if c == '\\' {
			return true
		}
	}
	return false
}
