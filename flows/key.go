// Package flows answers which flow a packet belongs to and what that flow carried: it decodes frames
// to a 5-tuple, keeps a Table of bidirectional flows, and does the TCP accounting. The pipeline calls
// it. It never opens a device and never looks up a process.
package flows

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Protocol is an IP protocol number (IANA). Flows are made of TCP and UDP only.
type Protocol uint8

// The protocols that make flows.
const (
	TCP Protocol = 6
	UDP Protocol = 17
)

// String is the protocol's name in reports, "tcp" or "udp".
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	}
	return "ip"
}

// Endpoint is one side of a flow, packed so that a Key is small and comparable: a struct of
// netip.AddrPort costs 1.65 times as much as a map key. IPv4 addresses are held in their
// IPv4-mapped form (RFC 4291 §2.5.5.2); the Key says which family was on the wire.
type Endpoint struct {
	Addr [16]byte
	Port uint16
}

// Key is a 5-tuple. In a Flow it is oriented local -> remote; how the sides were told apart is the
// Flow's Locality. A Key is a value: comparable, and safe to copy.
type Key struct {
	Local, Remote Endpoint
	Proto         Protocol
	IPv6          bool // the addresses were IPv6 on the wire
}

// MakeKey packs a 5-tuple. IPv4-mapped IPv6 addresses become IPv4: sockets that serve both families
// report their peers so.
func MakeKey(proto Protocol, local, remote netip.AddrPort) Key {
	la, ra := local.Addr().Unmap(), remote.Addr().Unmap()
	return Key{
		Local:  Endpoint{la.As16(), local.Port()},
		Remote: Endpoint{ra.As16(), remote.Port()},
		Proto:  proto,
		IPv6:   la.Is6() || ra.Is6(),
	}
}

// Reverse is the key seen from the other side.
func (k Key) Reverse() Key {
	k.Local, k.Remote = k.Remote, k.Local
	return k
}

// LocalAddr is the local endpoint.
func (k Key) LocalAddr() netip.AddrPort { return k.addrPort(k.Local) }

// RemoteAddr is the remote endpoint.
func (k Key) RemoteAddr() netip.AddrPort { return k.addrPort(k.Remote) }

func (k Key) addrPort(e Endpoint) netip.AddrPort {
	addr := netip.AddrFrom16(e.Addr)
	if !k.IPv6 {
		addr = addr.Unmap()
	}
	return netip.AddrPortFrom(addr, e.Port)
}

// Compare orders keys by protocol, family, then local and remote endpoint, for outputs that must not depend on
// the order of a map.
func (k Key) Compare(o Key) int {
	if k.Proto != o.Proto {
		return int(k.Proto) - int(o.Proto)
	}
	if k.IPv6 != o.IPv6 {
		if o.IPv6 {
			return -1
		}
		return 1
	}
	if c := k.Local.compare(o.Local); c != 0 {
		return c
	}
	return k.Remote.compare(o.Remote)
}

func (e Endpoint) compare(o Endpoint) int {
	if c := bytes.Compare(e.Addr[:], o.Addr[:]); c != 0 {
		return c
	}
	return int(e.Port) - int(o.Port)
}

// words is the address as two numbers that tell it from others; loads of eight bytes are what makes a packet's
// way into the Table short.
func (e *Endpoint) words() (a, b uint64) {
	return binary.LittleEndian.Uint64(e.Addr[:8]), binary.LittleEndian.Uint64(e.Addr[8:])
}

// is says whether two endpoints are the same.
func (e *Endpoint) is(o *Endpoint) bool {
	a, b := e.words()
	c, d := o.words()
	return a == c && b == d && e.Port == o.Port
}

// group says whether the address is one of several hosts: multicast or everybody's broadcast.
func (e *Endpoint) group() bool {
	addr := netip.AddrFrom16(e.Addr).Unmap()
	return addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// before is compare < 0.
func (e *Endpoint) before(o *Endpoint) bool {
	a, b := e.words()
	c, d := o.words()
	switch {
	case a != c:
		return bits.ReverseBytes64(a) < bits.ReverseBytes64(c)
	case b != d:
		return bits.ReverseBytes64(b) < bits.ReverseBytes64(d)
	}
	return e.Port < o.Port
}

// mapV4 sets the address to the IPv4-mapped form of v4. One store of eight bytes can be loaded again at once, where
// several would have to reach the cache first.
func (e *Endpoint) mapV4(v4 []byte) {
	binary.LittleEndian.PutUint64(e.Addr[:8], 0)
	binary.LittleEndian.PutUint64(e.Addr[8:], 0xffff<<16|uint64(binary.LittleEndian.Uint32(v4))<<32)
}

// String is "proto local -> remote".
func (k Key) String() string {
	return k.Proto.String() + " " + k.LocalAddr().String() + " -> " + k.RemoteAddr().String()
}
