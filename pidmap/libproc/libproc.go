// Package libproc reads the structures in which macOS tells of processes and their sockets: those of proc_info(2) and of the
// sysctls net.inet.{tcp,udp}.pcblist_n. It is bytes in, values out, on any system; pidmap calls it. It makes no system call.
//
// Sources: xnu bsd/sys/proc_info.h, bsd/netinet/in_pcb.h and bsd/sys/socketvar.h. The offsets are those of macOS 10.15 to 15.6, the
// same on arm64 and x86_64. Everything is little-endian, but ports and addresses.
package libproc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"apptap/flows"
)

// ErrLayout says that a structure is not laid out as this package knows it.
var ErrLayout = errors.New("not the structure layout of macOS 10.15 to 15")

// The sizes of what proc_info(2) fills in, in bytes.
const (
	DescriptorSize   = 8   // struct proc_fdinfo
	SocketSize       = 792 // struct socket_fdinfo
	ProcessSize      = 136 // struct proc_bsdinfo
	ShortProcessSize = 64  // struct proc_bsdshortinfo
	UniqueSize       = 56  // struct proc_uniqidentifierinfo of bsd/sys/proc_info_private.h
	PathSize         = 4096
)

// fdSocket is PROX_FDTYPE_SOCKET.
const fdSocket = 2

// Sockets appends the descriptors in b, an array of proc_fdinfo, that are sockets. A channel of user space networking is none:
// nothing here tells what flows through it.
func Sockets(dst []int32, b []byte) []int32 {
	for ; len(b) >= DescriptorSize; b = b[DescriptorSize:] {
		if binary.LittleEndian.Uint32(b[4:]) == fdSocket {
			dst = append(dst, int32(binary.LittleEndian.Uint32(b)))
		}
	}
	return dst
}

// PIDs appends the process numbers in b, an array of int.
func PIDs(dst []int32, b []byte) []int32 {
	for ; len(b) >= 4; b = b[4:] {
		if pid := int32(binary.LittleEndian.Uint32(b)); pid > 0 {
			dst = append(dst, pid)
		}
	}
	return dst
}

// Process is what a proc_bsdinfo or proc_bsdshortinfo tells.
type Process struct {
	PID, PPID int32
	UID       uint32
	Name      string // 31 bytes of it where it is known, else the 15 of comm
	Start     uint64 // microseconds since 1970 UTC, 0 = not told
}

// DecodeProcess reads a proc_bsdinfo, which the kernel gives for processes of the same user, and of all to root.
func DecodeProcess(b []byte) (Process, error) {
	if len(b) < ProcessSize {
		return Process{}, short("proc_bsdinfo", len(b), ProcessSize)
	}
	u32 := binary.LittleEndian.Uint32
	p := Process{PID: int32(u32(b[12:])), PPID: int32(u32(b[16:])), UID: u32(b[20:]), Name: text(b[64:96])}
	if p.Name == "" {
		p.Name = text(b[48:64])
	}
	p.Start = binary.LittleEndian.Uint64(b[120:])*1_000_000 + binary.LittleEndian.Uint64(b[128:])
	return p, nil
}

// DecodeShortProcess reads a proc_bsdshortinfo, which the kernel gives of every process to everybody.
func DecodeShortProcess(b []byte) (Process, error) {
	if len(b) < ShortProcessSize {
		return Process{}, short("proc_bsdshortinfo", len(b), ShortProcessSize)
	}
	u32 := binary.LittleEndian.Uint32
	return Process{PID: int32(u32(b)), PPID: int32(u32(b[4:])), Name: text(b[16:32]), UID: u32(b[36:])}, nil
}

// DecodeUnique reads from a proc_uniqidentifierinfo the kernel's number of the process that no other one has until reboot. The kernel gives
// it of every process to everybody.
func DecodeUnique(b []byte) (uint64, error) {
	if len(b) < UniqueSize {
		return 0, short("proc_uniqidentifierinfo", len(b), UniqueSize)
	}
	return binary.LittleEndian.Uint64(b[16:]), nil
}

// Path is what PROC_PIDPATHINFO filled in.
func Path(b []byte) string { return text(b) }

func text(b []byte) string {
	before, _, _ := bytes.Cut(b, []byte{0})
	return string(before)
}

func short(what string, got, want int) error {
	return fmt.Errorf("read %s: %d bytes, it has %d: %w", what, got, want, ErrLayout)
}

// Socket is a TCP or UDP socket.
type Socket struct {
	Key         flows.Key // local -> remote; without a peer Remote is zero
	State       int32     // TCP: enum of netinet/tcp_fsm.h
	DualStack   bool      // bound to all addresses of both families
	PID         int32     // pcblist_n: the process that used it last, 0 = not told
	Effective   int32     // pcblist_n: on whose behalf, 0 = nobody's but its own
	UID         uint32    // pcblist_n
	Incarnation uint64    // inp_gencnt: changes with every use of the structure, never 0
}

// Listening says whether the socket takes TCP connections.
func (s *Socket) Listening() bool { return s.Key.Proto == flows.TCP && s.State == stateListen }

const (
	stateListen = 1
	maxState    = 10
	hasIPv4     = 1 // inp_vflag, xnu bsd/netinet/in_pcb.h
	hasIPv6     = 2
	isMapped    = 4 // INP_V4MAPPEDV6, since macOS 12: a UDP socket of IPv6 that was bound or connected to a mapped IPv4 address
	knownFlags  = hasIPv4 | hasIPv6 | isMapped
	afInet      = 2
	afInet6     = 30
)

// inet is what in_sockinfo and xinpcb_n have in common.
type inet struct {
	proto         flows.Protocol
	local, remote []byte // 16 bytes each, IPv4 in the last four
	lport, rport  uint16
	vflag         byte
}

// socket decides the family by the addresses in use: an IPv6 socket that talks IPv4 has the flag of IPv4, and one that is bound to
// all addresses of both has both.
func (i inet) socket() Socket {
	families := i.vflag & (hasIPv4 | hasIPv6)
	v4 := families&hasIPv6 == 0
	local, remote := i.addr(i.local, v4), i.addr(i.remote, v4)
	s := Socket{Key: flows.MakeKey(i.proto, netip.AddrPortFrom(local, i.lport), netip.AddrPortFrom(remote, i.rport))}
	if i.rport == 0 {
		s.Key.Remote = flows.Endpoint{}
	}
	s.DualStack = families == hasIPv4|hasIPv6 && local.IsUnspecified()
	return s
}

// addr takes the number of the interface out of addresses that belong to one link: the kernel keeps it in their second 16 bits
// (IN6_IS_SCOPE_EMBED of bsd/netinet6/in6.h), where no packet has anything.
func (i inet) addr(b []byte, v4 bool) netip.Addr {
	if v4 {
		return netip.AddrFrom4([4]byte(b[12:16]))
	}
	as16 := [16]byte(b)
	if a := netip.AddrFrom16(as16); a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsInterfaceLocalMulticast() {
		as16[2], as16[3] = 0, 0
	}
	return netip.AddrFrom16(as16)
}
