package ntstat

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"apptap/flows"
)

// layout is where a descriptor has what is read of it, in bytes. From macOS 11 on what was added stands behind the name.
type layout struct {
	least                                             int // length since macOS 11; earlier ones are laid out otherwise
	local, remote, iface, state, pid, effective, name int
}

// tcpLayout is nstat_tcp_descriptor: 336 bytes on macOS 11 to 13, 344 on 14 and 15, 360 on 27, and 304 on 10.15, which is not
// read: its fields are 16 bytes further to the front. Flows of QUIC are described by it too.
func tcpLayout() layout {
	return layout{least: 336, iface: 72, state: 76, pid: 116, effective: 120, local: 124, remote: 152, name: 196}
}

// udpLayout is nstat_udp_descriptor: 272 bytes on macOS 11 to 13, 280 on 14 and 15, and 256 on 10.15, which is not read.
func udpLayout() layout {
	return layout{least: 272, local: 56, remote: 84, iface: 112, state: -1, pid: 128, name: 132, effective: 196}
}

const (
	effectiveIDAt   = 8      // eupid
	beganAt, toldAt = 16, 24 // start_timestamp and timestamp, mach_continuous_time of both

	nameSize     = 64
	sockaddrSize = 28     // union of sockaddr_in and sockaddr_in6
	maxPID       = 99999  // PID_MAX of bsd/sys/proc_internal.h
	maxState     = 10     // TCPS_TIME_WAIT of bsd/netinet/tcp_fsm.h
	maxInterface = 0xffff // ifnet_index is 16 bits wide
	afInet       = 2
	afInet6      = 30
)

// describe reads a descriptor, and refuses it unless every field that the kernel filled in is one that can be: numbers from the wrong
// bytes would look like any others. What a process wrote of its own flow, and cannot be, is left out: no process may end what is told of
// the others.
func (f *Flow) describe(b []byte) error {
	l, proto := tcpLayout(), flows.TCP
	if f.Provider.datagrams() {
		l, proto = udpLayout(), flows.UDP
	} else if f.Provider == QUICUser {
		proto = flows.UDP
	}
	if len(b) < l.least {
		return drift("a descriptor of provider %d has %d bytes, macOS 11 has %d", f.Provider, len(b), l.least)
	}
	f.UniqueID = binary.LittleEndian.Uint64(b)
	if !f.Provider.userSpace() {
		f.EffectiveID = binary.LittleEndian.Uint64(b[effectiveIDAt:])
	}
	if began, told := binary.LittleEndian.Uint64(b[beganAt:]), binary.LittleEndian.Uint64(b[toldAt:]); began > 0 && told > began {
		f.Age = told - began
	}
	f.PID = int32(binary.LittleEndian.Uint32(b[l.pid:]))
	f.Effective = int32(binary.LittleEndian.Uint32(b[l.effective:]))
	f.Interface = binary.LittleEndian.Uint32(b[l.iface:])
	if l.state >= 0 {
		f.State = binary.LittleEndian.Uint32(b[l.state:])
	}
	if err := f.plausible(); err != nil {
		return err
	}
	local, okLocal := sockaddr(b[l.local : l.local+sockaddrSize])
	remote, okRemote := sockaddr(b[l.remote : l.remote+sockaddrSize])
	name, _, okName := bytes.Cut(b[l.name:l.name+nameSize], []byte{0})
	if !okName || !f.Provider.userSpace() && (!okLocal || !okRemote) {
		return drift("provider %d: no addresses and name where they belong", f.Provider)
	}
	f.Name = string(name)
	if okLocal && okRemote {
		f.Key = key(proto, local, remote)
	}
	return nil
}

func (f *Flow) plausible() error {
	if f.Provider.userSpace() && (f.Effective < 0 || f.Effective > maxPID) {
		f.Effective = 0
	}
	if f.Provider == QUICUser || f.Provider == TCPUser && f.State > maxState {
		f.State = 0 // QUIC has states of its own, which no header declares
	}
	if f.PID < 0 || f.PID > maxPID || f.Effective < -1 || f.Effective > maxPID {
		return drift("provider %d: PID %d acts for PID %d", f.Provider, f.PID, f.Effective)
	}
	if f.State > maxState || f.Interface > maxInterface {
		return drift("provider %d: state %d on interface %d", f.Provider, f.State, f.Interface)
	}
	f.Effective = max(f.Effective, 0)
	return nil
}

// sockaddr reads a sockaddr_in or sockaddr_in6; all zero is an address that is not known yet. A family without a length
// occurs where the kernel has filled in no more.
func sockaddr(b []byte) (addr netip.AddrPort, ok bool) {
	length, family := b[0], b[1]
	port := binary.BigEndian.Uint16(b[2:])
	switch {
	case length == 0 && family == 0:
		return addr, bytes.Count(b, []byte{0}) == len(b)
	case family == afInet && (length == 16 || length == 0):
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port), true
	case family == afInet6 && (length == 28 || length == 0):
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])).Unmap(), port), true
	}
	return addr, false
}

// key packs what is known of a 5-tuple; without a remote side it is that of a bound socket, the zero Key if not even a port
// is known.
func key(proto flows.Protocol, local, remote netip.AddrPort) flows.Key {
	if local.Port() == 0 {
		return flows.Key{}
	}
	if remote.Port() != 0 && remote.Addr().IsValid() {
		return flows.MakeKey(proto, local, remote)
	}
	k := flows.MakeKey(proto, local, local)
	k.Remote = flows.Endpoint{}
	return k
}
