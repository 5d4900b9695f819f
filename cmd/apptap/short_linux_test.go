package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"apptap/fixtures/netns"
)

// short runs programs that live milliseconds, a few at a time: three in four move bytes over TCP, the others over UDP.
func short(t *testing.T, here *netns.Namespace, server netip.Addr, dir string, programs int) {
	t.Helper()
	program := build(t, "client")
	slots := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i := range programs {
		name := filepath.Join(dir, fmt.Sprintf("p%02d", i%20))
		if err := os.Link(program, name); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		mode, port := "tcp", serverTCP
		if i%4 == 3 {
			mode, port = []string{"udp", "udpc"}[i/4%2], serverUDP
		}
		c := here.Command(t, name, mode, server.String(), port, fmt.Sprint(100+i), fmt.Sprint(1000+i))
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", c.Args, err, out)
			}
		})
	}
	all.Wait()
}

// serveShort answers those programs until the test ends.
func serveShort(t *testing.T, there *netns.Namespace) {
	t.Helper()
	var listener net.Listener
	var packets net.PacketConn
	var err, udpErr error
	there.Do(t, func() {
		listener, err = net.Listen("tcp", ":"+serverTCP)
		packets, udpErr = net.ListenPacket("udp", ":"+serverUDP)
	})
	if err != nil || udpErr != nil {
		t.Fatal(err, udpErr)
	}
	t.Cleanup(func() { listener.Close(); packets.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go answerShort(c)
		}
	}()
	go func() {
		b := make([]byte, 2000)
		for {
			n, from, err := packets.ReadFrom(b)
			if err != nil {
				return
			}
			if n >= 4 {
				packets.WriteTo(make([]byte, binary.BigEndian.Uint32(b)%2000), from)
			}
		}
	}()
}

// answerShort reads how much comes and how much is wanted, then does that.
func answerShort(c net.Conn) {
	defer c.Close()
	head := make([]byte, 8)
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head))-8)
	c.Write(make([]byte, binary.BigEndian.Uint32(head[4:])))
	io.Copy(io.Discard, c)
}
