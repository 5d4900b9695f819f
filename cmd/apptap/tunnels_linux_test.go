package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"

	"apptap/fixtures/netns"
)

// tunnelEnd is a socket of a tunnel's program: what it writes goes to the other end, what it reads comes without IP headers.
type tunnelEnd interface {
	net.Conn
	net.PacketConn
}

// envelope is how a tunnel's program puts packets into what it sends.
type envelope interface {
	room() int                           // bytes before the packet
	seal(buffer []byte, n int) []byte    // buffer holds room() bytes and a packet of n, and has room behind them
	open(message []byte) (packet []byte) // nil for a message that carries none
}

// forwarded lays a tunnel whose two ends are programs, as a VPN's are.
func forwarded(ends func(t *testing.T, n, other *netns.Namespace) tunnelEnd, e envelope) func(t *testing.T, here, there *netns.Namespace) netip.Addr {
	return func(t *testing.T, here, there *netns.Namespace) netip.Addr {
		near, far := here.TUN(t, "tun0", onceClient), there.TUN(t, "tun0", onceServer)
		a, b := ends(t, here, there), ends(t, there, here)
		t.Cleanup(func() { near.Close(); far.Close(); a.Close(); b.Close() })
		go wrap(near, a, e)
		go unwrap(a, near, e)
		go wrap(far, b, e)
		go unwrap(b, far, e)
		return netip.MustParseAddr(onceServer)
	}
}

// udpEnds makes the ends of a tunnel over UDP, of the same port on both sides.
func udpEnds(port uint16) func(t *testing.T, n, other *netns.Namespace) tunnelEnd {
	return func(t *testing.T, n, other *netns.Namespace) (end tunnelEnd) {
		local, remote := netip.AddrPortFrom(n.IPv4, port), netip.AddrPortFrom(other.IPv4, port)
		var err error
		n.Do(t, func() {
			end, err = net.DialUDP("udp4", net.UDPAddrFromAddrPort(local), net.UDPAddrFromAddrPort(remote))
		})
		if err != nil {
			t.Fatal(err)
		}
		return end
	}
}

// ipEnds makes the ends of a tunnel of an IP protocol of its own ("ip4:47"): raw sockets.
func ipEnds(network string) func(t *testing.T, n, other *netns.Namespace) tunnelEnd {
	return func(t *testing.T, n, other *netns.Namespace) (end tunnelEnd) {
		var err error
		n.Do(t, func() {
			end, err = net.DialIP(network, &net.IPAddr{IP: n.IPv4.AsSlice()}, &net.IPAddr{IP: other.IPv4.AsSlice()})
		})
		if err != nil {
			t.Fatal(err)
		}
		return end
	}
}

func wrap(from *os.File, to tunnelEnd, e envelope) {
	buffer := make([]byte, 2000)
	for {
		n, err := from.Read(buffer[e.room():])
		if err != nil {
			return
		}
		to.Write(e.seal(buffer, n))
	}
}

func unwrap(from tunnelEnd, to *os.File, e envelope) {
	buffer := make([]byte, 2000)
	for {
		n, _, err := from.ReadFrom(buffer)
		if err != nil {
			return
		}
		if packet := e.open(buffer[:n]); packet != nil {
			to.Write(packet)
		}
	}
}

// headed is a header before the packet, the same before each.
type headed []byte

func (h headed) room() int { return len(h) }

func (h headed) seal(buffer []byte, n int) []byte {
	copy(buffer, h)
	return buffer[:len(h)+n]
}

func (h headed) open(message []byte) []byte {
	if len(message) < len(h) {
		return nil
	}
	return message[len(h):]
}

// sealed cannot be read, and is 32 bytes longer than the packet and padded to 16, as WireGuard's messages are. Its first byte is
// the padding's length.
type sealed struct{}

func (sealed) room() int { return 32 }

func (s sealed) seal(buffer []byte, n int) []byte {
	scramble(buffer[s.room():][:n])
	padding := (16 - n%16) % 16
	buffer[0] = byte(padding)
	return buffer[:s.room()+n+padding]
}

func (s sealed) open(message []byte) []byte {
	if len(message) < s.room() {
		return nil
	}
	packet := message[s.room() : len(message)-int(message[0])]
	scramble(packet)
	return packet
}

func scramble(packet []byte) {
	for i := range packet {
		packet[i] ^= 0x55
	}
}

// wireGuard lays a tunnel of WireGuard's own implementation in user space: its handshake, keep-alives and padding are real
// whatever the kernel has.
func wireGuard(t *testing.T, here, there *netns.Namespace) netip.Addr {
	const port = 51820
	keys := [2]*ecdh.PrivateKey{}
	for i := range keys {
		var err error
		if keys[i], err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	for i, end := range []struct {
		n, other *netns.Namespace
		addr     string
	}{{here, there, onceClient}, {there, here, onceServer}} {
		file := end.n.TUN(t, "wg0", end.addr)
		var d *device.Device
		var err error
		end.n.Do(t, func() {
			var inside tun.Device
			if inside, err = tun.CreateTUNFromFile(file, 1400); err == nil {
				d = device.NewDevice(inside, bindIn{conn.NewStdNetBind(), t, end.n}, device.NewLogger(device.LogLevelSilent, ""))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		err = d.IpcSet(fmt.Sprintf("private_key=%x\nlisten_port=%d\npublic_key=%s\nendpoint=%v\nallowed_ip=10.99.0.0/24\n",
			keys[i].Bytes(), port, hex.EncodeToString(keys[1-i].PublicKey().Bytes()), netip.AddrPortFrom(end.other.IPv4, port)))
		if err == nil {
			err = d.Up()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return netip.MustParseAddr(onceServer)
}

// bindIn opens its sockets in a namespace, from whatever goroutine.
type bindIn struct {
	conn.Bind
	t testing.TB
	n *netns.Namespace
}

func (b bindIn) Open(port uint16) (receive []conn.ReceiveFunc, actual uint16, err error) {
	b.n.Do(b.t, func() { receive, actual, err = b.Bind.Open(port) })
	return receive, actual, err
}
