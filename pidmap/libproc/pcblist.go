package libproc

import (
	"encoding/binary"
	"fmt"

	"apptap/flows"
)

// Kinds of records in a pcblist_n.
const (
	recordSocket = 0x01 // struct xsocket_n
	recordPCB    = 0x10 // struct xinpcb_n
	recordTCP    = 0x20 // struct xtcpcb_n
	headerSize   = 24   // struct xinpgen, at both ends

	// As much of each record as is read here; xsocket_n grew from 76 to 104 bytes with macOS 13.
	pcbNeeds, xsocketNeeds, xtcpNeeds = 80, 76, 40
)

// AppendPCBs appends the sockets that the value of net.inet.tcp.pcblist_n or net.inet.udp.pcblist_n lists, user space flows
// included. Records say their own length and kind: xinpcb_n begins a socket, the others add to it. What was read before an
// error is returned with it.
func AppendPCBs(dst []Socket, b []byte, proto flows.Protocol) ([]Socket, error) {
	if len(b) < headerSize || binary.LittleEndian.Uint32(b) != headerSize {
		return dst, fmt.Errorf("read pcblist_n: no xinpgen in front of %d bytes: %w", len(b), ErrLayout)
	}
	begun := len(dst)
	open := false // the last socket of dst still takes records
	for rest := b[headerSize:]; len(rest) >= 8; {
		length, kind := int64(binary.LittleEndian.Uint32(rest)), binary.LittleEndian.Uint32(rest[4:])
		if length == headerSize && int64(len(rest)) <= headerSize+7 {
			return dst, nil // the trailing xinpgen, whose second word counts sockets
		}
		if length < 8 || length > int64(len(rest)) {
			return dst, fmt.Errorf("read pcblist_n: a record of %d bytes where %d are left: %w", length, len(rest), ErrLayout)
		}
		record := rest[:length]
		if kind == recordPCB {
			var s Socket
			var err error
			if s, open, err = decodePCB(record, proto); err != nil {
				return dst, err
			} else if open {
				dst = append(dst, s)
			}
		} else if open && len(dst) > begun {
			if err := dst[len(dst)-1].extend(kind, record); err != nil {
				return dst[:len(dst)-1], err
			}
		}
		rest = rest[min((length+7)&^7, int64(len(rest))):]
	}
	return dst, nil
}

// RecordSizes is how long the records of each kind in a pcblist_n are: the kernel's structures grow.
func RecordSizes(b []byte) map[uint32]int {
	sizes := map[uint32]int{}
	if len(b) < headerSize {
		return sizes
	}
	for rest := b[headerSize:]; len(rest) >= 8; {
		length, kind := int64(binary.LittleEndian.Uint32(rest)), binary.LittleEndian.Uint32(rest[4:])
		if length < 8 || length > int64(len(rest)) || length == headerSize && int64(len(rest)) <= headerSize+7 {
			break
		}
		sizes[kind] = int(length)
		rest = rest[min((length+7)&^7, int64(len(rest))):]
	}
	return sizes
}

func decodePCB(b []byte, proto flows.Protocol) (s Socket, ok bool, err error) {
	if len(b) < pcbNeeds {
		return s, false, short("xinpcb_n", len(b), pcbNeeds)
	}
	i := inet{
		proto: proto, vflag: b[44], remote: b[48:64], local: b[64:80],
		rport: binary.BigEndian.Uint16(b[16:]), lport: binary.BigEndian.Uint16(b[18:]),
	}
	if i.vflag&^knownFlags != 0 {
		return s, false, fmt.Errorf("read xinpcb_n: address family flags %#x: %w", i.vflag, ErrLayout)
	}
	if i.vflag&^isMapped == 0 || i.lport == 0 {
		return s, false, nil
	}
	s = i.socket()
	s.Incarnation = binary.LittleEndian.Uint64(b[28:])
	return s, true, nil
}

// extend adds what another record says of the socket. State and on whose behalf are, for flows of user space, what processes themselves
// wrote (bsd/net/necp_client.c): what cannot be there is no sign of another layout.
func (s *Socket) extend(kind uint32, b []byte) error {
	u32 := binary.LittleEndian.Uint32
	switch {
	case kind == recordSocket && len(b) >= xsocketNeeds:
		s.UID, s.PID, s.Effective = u32(b[64:]), int32(u32(b[68:])), int32(u32(b[72:]))
		if s.PID < 0 || s.PID > maxPID {
			return fmt.Errorf("read xsocket_n: PID %d for PID %d: %w", s.PID, s.Effective, ErrLayout)
		}
		if s.Effective < 0 || s.Effective > maxPID {
			s.Effective = 0
		}
	case kind == recordTCP && len(b) >= xtcpNeeds:
		if s.State = int32(u32(b[36:])); s.State < 0 || s.State > maxState {
			s.State = 0
		}
	}
	return nil
}

// maxPID is PID_MAX of bsd/sys/proc_internal.h.
const maxPID = 99999
