package session_test

import (
	"io"
	"net/netip"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"
)

// BenchmarkRecordPacket is what recording costs a packet before the system is called, on a host with open sockets.
func BenchmarkRecordPacket(b *testing.B) {
	local, remote := netip.MustParseAddrPort("192.0.2.2:50000"), netip.MustParseAddrPort("198.51.100.1:443")
	for _, bb := range []struct {
		name    string
		headers bool
		payload int
	}{{"whole", false, 1460}, {"whole small", false, 146}, {"headers", true, 1460}, {"headers small", true, 146}} {
		b.Run(bb.name, func(b *testing.B) {
			w, err := session.NewWriter(io.Discard, capture.WriterOptions{Interfaces: []capture.Interface{{Name: "eth0", LinkType: 1}}})
			if err != nil {
				b.Fatal(err)
			}
			if bb.headers {
				w.KeepHeaders()
			}
			in := summarize.Input{}
			in.Source.Local = []netip.Prefix{netip.PrefixFrom(local.Addr(), 32)}
			key := flows.Key{Local: flows.Endpoint{Addr: local.Addr().As16(), Port: 50000}, Remote: flows.Endpoint{Addr: remote.Addr().As16(), Port: 443}, Proto: flows.TCP}
			process := pidmap.Process{Key: pidmap.ProcessKey{PID: 7, Start: 8}, Name: "curl", Path: "/usr/bin/curl"}
			if err := w.WriteState(&in, false); err != nil {
				b.Fatal(err)
			}
			if err := w.WriteEvents([]pidmap.Event{{Kind: pidmap.SocketSeen, Time: 1, Socket: pidmap.Socket{Key: key, Cookie: 1}, Holders: []pidmap.Process{process}}}); err != nil {
				b.Fatal(err)
			}
			frame := fixtures.TCP(remote, local, "A", 1, 1, make([]byte, bb.payload))
			p := capture.Packet{Data: frame, Length: len(frame), LinkType: 1, Time: 1e18}
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				p.Time++
				if err := w.WritePacket(&p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
