package names

import (
	"crypto/tls"
	"testing"
)

// BenchmarkFlow is a flow from its first byte to its name, with a pool.
func BenchmarkFlow(b *testing.B) {
	h := hello(b, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2", "http/1.1"}})
	server := record(22, append(serverHello12("h2"), append([]byte{11, 0, 0x0c, 0}, make([]byte, 0xc00)...)...))
	initial := initialPacket(quicV1, "server-1", "server-1", 0, cryptoFrame(0, message(h)))
	request := []byte("GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n")
	flows := []struct {
		name string
		feed func(*Sniffer)
	}{
		{"TLS", func(s *Sniffer) {
			s.Start(0, 0)
			s.Start(1, 0)
			deliver(s, 0, 0, h, 1448, "in order")
			deliver(s, 1, 0, server, 1448, "in order")
			s.Stream(0, 9, uint32(len(h)), []byte{23, 3, 3, 0, 9})
			s.Stream(1, 9, uint32(len(server)), []byte{23, 3, 3, 0, 9})
		}},
		{"QUIC", func(s *Sniffer) { s.Datagram(0, 1, initial) }},
		{"HTTP", func(s *Sniffer) { s.Start(0, 0); s.Stream(0, 1, 0, request) }},
	}
	for _, f := range flows {
		b.Run(f.name, func(b *testing.B) {
			b.ReportAllocs()
			var p Pool
			for b.Loop() {
				s := p.Get()
				f.feed(s)
				if s.Seen().Why != Named {
					b.Fatal("no name")
				}
				p.Put(s)
			}
		})
	}
}

// BenchmarkStart is what a payload costs that begins nothing.
func BenchmarkStart(b *testing.B) {
	data := record(23, make([]byte, 1443))
	text := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>")
	short := append([]byte{0x41}, make([]byte, 1200)...)
	for name, payload := range map[string][]byte{"application data": data, "text": text} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if StreamStart(payload) {
					b.Fatal("a start")
				}
			}
		})
	}
	b.Run("1-RTT", func(b *testing.B) {
		for b.Loop() {
			if DatagramStart(short) {
				b.Fatal("a start")
			}
		}
	})
}

// BenchmarkDNS is a message read and remembered, and a look-up.
func BenchmarkDNS(b *testing.B) {
	var m Message
	var c Cache
	b.Run("Add", func(b *testing.B) {
		b.ReportAllocs()
		at := int64(0)
		for b.Loop() {
			if err := m.Parse([]byte(recorded)); err != nil {
				b.Fatal(err)
			}
			at++
			c.Add(addr(53), addr(1), &m, at)
		}
	})
	b.Run("Name", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := c.Name(addr(1), m.Records[1].Addr, 1<<60); !ok {
				b.Fatal("no name")
			}
		}
	})
}
