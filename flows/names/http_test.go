package names

import (
	"testing"

	"golang.org/x/net/http2/hpack"
)

func TestHTTP(t *testing.T) {
	tests := []struct {
		name     string
		segments []string
		want     []string
	}{
		{"host", []string{"GET / HTTP/1.1\r\nUser-Agent: x\r\nHost: Example.com\r\n\r\n"}, []string{"example.com"}},
		{"port", []string{"GET / HTTP/1.1\r\nhost:example.com:8080\r\n\r\n"}, []string{"example.com:8080"}},
		{"bare line ends", []string{"GET / HTTP/1.0\nHost: example.com\n\n"}, []string{"example.com"}},
		{"split anywhere", []string{"G", "ET / HT", "TP/1.1\r\nHo", "st: exam", "ple.com\r\n\r", "\n"}, []string{"example.com"}},
		{"absolute form", []string{"GET http://u:p@b.example:81/x HTTP/1.1\r\nHost: a.example\r\n\r\n"}, []string{"a.example", "b.example:81"}},
		{"CONNECT", []string{"CONNECT a.example:443 HTTP/1.1\r\n\r\n"}, []string{"a.example:443"}},
		{"pipelined", []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n"}, []string{"a", "b"}},
		{"kept alive", []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: b\r\n\r\n"}, []string{"a", "b"}},
		{"after a body", []string{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b\r\n\r\n"}, []string{"a", "b"}},
		{"request in a body", []string{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\n", "GET / HTTP/1.1\r\nHost: never.meant\r\n\r\nx"}, []string{"a"}},
		{"after a chunked body", []string{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "GET / HTTP/1.1\r\nHost: b\r\n\r\n"}, []string{"a", "b"}},
		{"no version", []string{"GET /a?b=c\r\nHost: a\r\n\r\n"}, []string{"a"}},
		{"no version, split", []string{"TRACE /HTTP/1.1\r\nHo", "st: a\r\n\r\n"}, []string{"a"}},
		{"no version, no host", []string{"STAT /a\r\nFrom: x\r\nHost: a\r\n\r\n"}, nil},
		{"cut after the host", []string{"GET / HTTP/1.1\r\nHost: a\r\nCoo"}, []string{"a"}},
		{"cut within the end of the host's line", []string{"GET / HTTP/1.1\r\nHost: a\r"}, []string{"a"}},
		{"cut within the host", []string{"GET / HTTP/1.1\r\nHost: a"}, nil},
		{"no HTTP", []string{"MAIL FROM:<a@b.example>\r\nHost: c\r\n\r\n"}, nil},
		{"control characters", []string{"GET / HTTP/1.1\r\nHost: a\x1b[2J\r\n\r\n"}, []string{`a\027[2j`}},
	}
	for _, tt := range tests {
		var s Sniffer
		s.Start(0, 7)
		seq := uint32(7)
		for i, segment := range tt.segments {
			s.Stream(0, int64(i+1), seq, []byte(segment))
			seq += uint32(len(segment))
		}
		seen := s.Seen()
		var got []string
		if seen.Name.Origin != NoOrigin {
			got = append(got, seen.Name.String())
		}
		for _, n := range seen.Others {
			got = append(got, n.String())
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		}
	}
}

// http2Request is a HEADERS frame, cut into CONTINUATION frames if that is asked.
func http2Request(e *hpack.Encoder, block *[]byte, authority string, pieces int) (out []byte) {
	*block = (*block)[:0]
	for _, f := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":authority", Value: authority}, {Name: ":path", Value: "/"}} {
		if err := e.WriteField(f); err != nil {
			panic(err)
		}
	}
	rest, size := *block, len(*block)/pieces
	for i := range pieces {
		n, kind, flags := size, byte(frameContinuation), byte(0)
		if i == 0 {
			kind = frameHeaders
		}
		if i == pieces-1 {
			n, flags = len(rest), flagEndHeaders
		}
		out = append(out, 0, byte(n>>8), byte(n), kind, flags, 0, 0, 0, 1)
		out = append(out, rest[:n]...)
		rest = rest[n:]
	}
	return out
}

type sliceWriter struct{ b *[]byte }

func (w sliceWriter) Write(b []byte) (int, error) { *w.b = append(*w.b, b...); return len(b), nil }

func TestHTTP2(t *testing.T) {
	var block []byte
	e := hpack.NewEncoder(sliceWriter{&block})
	stream := []byte(preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	stream = append(stream, http2Request(e, &block, "a.example:8080", 1)...)
	stream = append(stream, http2Request(e, &block, "b.example", 3)...)
	stream = append(stream, http2Request(e, &block, "b.example", 1)...)
	for _, size := range []int{1, 10, 1460} {
		var s Sniffer
		s.Start(0, 1)
		deliver(&s, 0, 1, stream, size, "in order")
		got := s.Seen()
		if got.Name != (Name{"a.example", 8080, HTTP2Authority}) || len(got.Others) != 1 || got.Others[0].Host != "b.example" {
			t.Errorf("segments of %d: got %+v", size, got)
		}
	}
}
