//go:build amd64 || arm64

package bpf

import (
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
	want := Datagrams{Each: [Interfaces]InterfaceBytes{{Index: uint32(lo.Index), Tx: all}}, Sent: all}
	if *w != want {
		t.Errorf("the writer has %+v, want %+v", *w, want)
	}
	want = Datagrams{Each: [Interfaces]InterfaceBytes{{Index: uint32(lo.Index), Rx: all}}, Arrived: 102, Taken: 2, Received: 150,
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
