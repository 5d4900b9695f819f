//go:build amd64 || arm64

package bpf

import (
	"io"
	"net"
	"testing"
)

// TestIntegrationDatagrams sends datagrams to a socket that reads some, one of them into a short buffer, and has no room for
// others, and finds what each socket sent, was sent, took and dropped.
func TestIntegrationDatagrams(t *testing.T) {
	tracer := open(t)
	var from, to *net.UDPAddr
	events := record(t, tracer, func() {
		reader, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		reader.SetReadBuffer(8000) // doubled by the kernel: room for some of what comes
		writer, err := net.DialUDP("udp4", nil, reader.LocalAddr().(*net.UDPAddr))
		if err != nil {
			t.Fatal(err)
		}
		from, to = writer.LocalAddr().(*net.UDPAddr), reader.LocalAddr().(*net.UDPAddr)
		writer.Write(make([]byte, 900))
		reader.Read(make([]byte, 100))
		writer.Write(make([]byte, 50))
		reader.Read(make([]byte, 100))
		for range 100 {
			writer.Write(make([]byte, 1000))
		}
		checkOpen(t, tracer, writer.LocalAddr())
		writer.Close()
		reader.Close()
	})
	of := map[int]*Datagrams{}
	for _, e := range events {
		if e.Kind == SocketClosed && e.Socket.Proto == 17 && e.Socket.Local.Addr().IsLoopback() {
			of[int(e.Socket.Local.Port())] = e.Datagrams
		}
	}
	w, r := of[from.Port], of[to.Port]
	if w == nil || r == nil {
		t.Fatalf("got no counters of %v or %v: %+v", from, to, events)
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	const all = 900 + 50 + 100_000
	want := Datagrams{Each: [Interfaces]InterfaceBytes{{Index: uint32(lo.Index), Tx: all, TxPackets: 102, TxIP: all + 102*28}}, Sent: all}
	if *w != want {
		t.Errorf("the writer has %+v, want %+v", *w, want)
	}
	want = Datagrams{Each: [Interfaces]InterfaceBytes{{Index: uint32(lo.Index), Rx: all, RxPackets: 102, RxIP: all + 102*28}}, Arrived: 102, Taken: 2, Received: 150,
		Dropped: r.Dropped, DroppedBytes: 1000 * r.Dropped}
	if *r != want {
		t.Errorf("the reader has %+v, want %+v", *r, want)
	}
	if r.Dropped == 0 || r.Dropped >= 100 {
		t.Errorf("the reader dropped %d datagrams, want some (Linux 6.10)", r.Dropped)
	}
}

// checkOpen demands that the socket bound to addr is listed, with what it sent.
func checkOpen(t *testing.T, tracer *Tracer, addr net.Addr) {
	t.Helper()
	open, err := tracer.OpenSockets()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range open {
		if e.Socket.Local.String() == addr.String() {
			if e.Kind != SocketCounted || e.Datagrams.Sent != 100_950 || e.Socket.Cookie == 0 || e.Socket.NetNS == 0 || e.Socket.Created == 0 {
				t.Errorf("the open socket has %+v, %+v, want 100950 bytes sent", e, *e.Datagrams)
			}
			return
		}
	}
	t.Errorf("%v is not among %d open sockets", addr, len(open))
}

// TestIntegrationSegments finds the payload and packets of both ends of a TCP connection, the accepted one's handshake included,
// also where the listener takes both families.
func TestIntegrationSegments(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp"} {
		t.Run(network, func(t *testing.T) { testSegments(t, open(t), network) })
	}
}

func testSegments(t *testing.T, tracer *Tracer, network string) {
	var here, there int
	var counted *Datagrams
	events := record(t, tracer, func() {
		l, err := net.Listen(network, ":0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		there = l.Addr().(*net.TCPAddr).Port
		client, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: there})
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		here = client.LocalAddr().(*net.TCPAddr).Port
		client.Write(make([]byte, 10_000))
		io.ReadFull(server, make([]byte, 10_000))
		server.Write(make([]byte, 3000))
		io.ReadFull(client, make([]byte, 3000))
		counted = openSocket(t, tracer, here)
		client.Close()
		io.ReadAll(server)
		server.Close()
	})
	of := map[int]*Datagrams{}
	for _, e := range events {
		if e.Kind == SocketClosed && e.Socket.Proto == 6 && e.Socket.Remote.Port() != 0 {
			of[int(e.Socket.Local.Port())] = e.Datagrams
		}
	}
	c, s := of[here], of[there]
	if c == nil || s == nil || counted == nil {
		t.Fatalf("got no counters of %d or %d, or %d while it was open: %+v", here, there, here, events)
	}
	a, b := c.Each[0], s.Each[0]
	if a.Tx != 10_000 || a.Rx != 3000 || b.Tx != 3000 || b.Rx != 10_000 {
		t.Errorf("client %+v, server %+v, want payload of 10000 and 3000 bytes", a, b)
	}
	if counted.Each[0].Tx != 10_000 || counted.Each[0].Rx != 3000 {
		t.Errorf("open client %+v, want payload of 10000 and 3000 bytes", *counted)
	}
	// The client closes first: what is left of it has no socket when the server's FIN comes.
	last := b.TxPackets - a.RxPackets
	if a.TxPackets != b.RxPackets || a.TxIP != b.RxIP || last > 1 || b.TxIP-a.RxIP != 52*last {
		t.Errorf("client %+v, server %+v, want the packets of the one to be those of the other, but for its last", a, b)
	}
}

// openSocket is what the open TCP socket of a local port has counted, nil if it is not listed.
func openSocket(t *testing.T, tracer *Tracer, port int) *Datagrams {
	t.Helper()
	open, err := tracer.OpenSockets()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range open {
		if e.Socket.Proto == 6 && int(e.Socket.Local.Port()) == port {
			return e.Datagrams
		}
	}
	return nil
}
