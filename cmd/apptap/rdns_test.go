package main

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/summarize"
)

// pointers is a DNS server on loopback that knows the names of a few addresses and no others. Like all servers it is a stranger.
type pointers struct {
	net.PacketConn
	names map[string]string // by the name that is asked for
	asked []string
	done  chan struct{}
}

func servePointers(t *testing.T, names map[string]string) *pointers {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pointers{conn, names, nil, make(chan struct{})}
	go p.serve()
	return p
}

// stop ends the server and returns what it was asked for.
func (p *pointers) stop() []string {
	p.Close()
	<-p.done
	return p.asked
}

func (p *pointers) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", p.LocalAddr().String())
	}}
}

func (p *pointers) serve() {
	defer close(p.done)
	buffer := make([]byte, 1500)
	for {
		n, from, err := p.ReadFrom(buffer)
		if err != nil {
			return
		}
		p.WriteTo(p.answer(buffer[:n]), from)
	}
}

// answer repeats the question (RFC 1035 §4.1), with a PTR record or NXDOMAIN behind it.
func (p *pointers) answer(query []byte) []byte {
	end := 12
	var labels []string
	for query[end] != 0 {
		labels = append(labels, string(query[end+1:end+1+int(query[end])]))
		end += 1 + int(query[end])
	}
	end += 5
	asked := strings.Join(labels, ".")
	p.asked = append(p.asked, asked)
	reply := slices.Clone(query[:end])
	reply[2], reply[3] = 0x84, 0x03
	binary.BigEndian.PutUint64(reply[4:], 1<<48)
	name, known := p.names[asked]
	if !known {
		return reply
	}
	var target []byte
	for label := range strings.SplitSeq(name, ".") {
		target = append(append(target, byte(len(label))), label...)
	}
	target = append(target, 0)
	reply[3], reply[7] = 0, 1
	reply = append(reply, 0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 60, 0, byte(len(target)))
	return append(reply, target...)
}

// TestReverseNames: --rdns names addresses that have no name, asks for each once, and believes no control character.
func TestReverseNames(t *testing.T) {
	server := servePointers(t, map[string]string{
		"1.2.0.192.in-addr.arpa": "Host.Example",
		"3.2.0.192.in-addr.arpa": "evil\x1b]0;x\a.example",
		"4.2.0.192.in-addr.arpa": "xn--bcher-kva.example",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": "six.example",
	})
	destination := func(name, source, addr string) summarize.Destination {
		return summarize.Destination{Name: name, NameSource: source, Addresses: []netip.Addr{netip.MustParseAddr(addr)}}
	}
	plain := func(addr string) summarize.Destination { return destination(addr, "none", addr) }
	s := &summarize.Summary{Apps: []summarize.AppUse{
		{Destinations: []summarize.Destination{plain("192.0.2.1"), plain("192.0.2.2"), plain("2001:db8::1")}},
		{Destinations: []summarize.Destination{plain("192.0.2.1"), destination("known.example", "tls_sni", "192.0.2.9")}},
	}}
	s.Unattributed.Destinations = []summarize.Destination{plain("192.0.2.3"), plain("192.0.2.4")}
	named := withReverseNames(t.Context(), s, server.resolver())
	asked := server.stop()
	slices.Sort(asked)
	var got []string
	for _, list := range [][]summarize.Destination{named.Apps[0].Destinations, named.Apps[1].Destinations, named.Unattributed.Destinations} {
		for _, d := range list {
			got = append(got, d.Name+" "+d.NameSource)
		}
	}
	slices.Sort(got)
	want := []string{
		"192.0.2.2 none", "192.0.2.3 none", "host.example rdns", "host.example rdns", "known.example tls_sni", "six.example rdns", "xn--bcher-kva.example rdns",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if repeated := len(asked) - len(slices.Compact(slices.Clone(asked))); repeated > 0 || len(asked) != 5 {
		t.Errorf("asked %d times, %d of them again, want 5 and 0: %q", len(asked), repeated, asked)
	}
}
