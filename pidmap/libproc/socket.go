package libproc

import (
	"encoding/binary"
	"fmt"

	"apptap/flows"
)

// Offsets into a socket_fdinfo: struct proc_fileinfo (24), then struct socket_info with soi_proto, a union, at 240.
const (
	socketProtocolAt = 180
	socketFamilyAt   = 184
	socketKindAt     = 256
	socketInAt       = 264 // struct in_sockinfo, for TCP the beginning of tcp_sockinfo
	socketStateAt    = 344 // tcpsi_state
	kindIn, kindTCP  = 1, 2
)

// DecodeSocket reads a socket_fdinfo. ok is false for what is neither TCP nor UDP, and for a socket that has no port yet.
func DecodeSocket(b []byte) (s Socket, ok bool, err error) {
	if len(b) < SocketSize {
		return s, false, short("socket_fdinfo", len(b), SocketSize)
	}
	u32 := binary.LittleEndian.Uint32
	proto, family, kind := flows.Protocol(min(u32(b[socketProtocolAt:]), 255)), u32(b[socketFamilyAt:]), u32(b[socketKindAt:])
	switch {
	case family != afInet && family != afInet6:
		return s, false, nil
	case kind == kindTCP && proto == flows.TCP, kind == kindIn && proto == flows.UDP:
	default:
		return s, false, nil
	}
	in := b[socketInAt:]
	if vflag := in[24]; vflag&^knownFlags != 0 {
		return s, false, fmt.Errorf("read socket_fdinfo: address family flags %#x: %w", vflag, ErrLayout)
	}
	// A port is an int that holds 16 bits in network order.
	i := inet{
		proto: proto, vflag: in[24], remote: in[32:48], local: in[48:64],
		rport: binary.BigEndian.Uint16(in), lport: binary.BigEndian.Uint16(in[4:]),
	}
	if i.vflag&^isMapped == 0 || i.lport == 0 {
		return s, false, nil
	}
	s = i.socket()
	s.Incarnation = binary.LittleEndian.Uint64(in[8:])
	if proto == flows.TCP {
		s.State = int32(u32(b[socketStateAt:]))
		if s.State < 0 || s.State > maxState {
			return s, false, fmt.Errorf("read socket_fdinfo: TCP state %d: %w", s.State, ErrLayout)
		}
	}
	return s, true, nil
}
