// Package sockdiag answers what the Linux kernel says of its TCP and UDP sockets over INET_DIAG
// (NETLINK_SOCK_DIAG, sock_diag(7)): which there are, and the last counters of those it destroys. pidmap asks
// it for owners and summarize/kernel for counters: it is a leaf of its own so that both rooms share one
// parser without importing each other. It never looks up a process.
package sockdiag

import (
	"net/netip"

	"apptap/flows"
)

// Socket is one socket as INET_DIAG describes it.
type Socket struct {
	Proto flows.Protocol // 0 if neither the message nor the caller said
	// IPv6 says that the socket is of family AF_INET6; it may speak IPv4 through mapped addresses all the same.
	IPv6          bool
	State         State
	Local, Remote netip.AddrPort // as the kernel has them: IPv4-mapped where an AF_INET6 socket speaks IPv4
	Device        uint32         // index of the interface that the socket is bound to, 0 = none
	Cookie        uint64         // identity of the socket until reboot; not chronological
	UID, Inode    uint32         // both 0 in messages of destroyed sockets, Inode 0 also for sockets that no file refers to
	// V6Only is IPV6_V6ONLY; the kernel reports it for AF_INET6 sockets that listen or are not connected.
	V6Only bool
	// Counters are valid if HasCounters: TCP only, and only where they were asked for.
	Counters    Counters
	HasCounters bool
}

// Counters are stream counters of struct tcp_info, in bytes.
type Counters struct {
	Acked, Received uint64 // tcpi_bytes_acked, tcpi_bytes_received: since Linux 4.1
	Sent, Retrans   uint64 // tcpi_bytes_sent, tcpi_bytes_retrans: since Linux 4.19
	// Incomplete says that the kernel's struct tcp_info ends before the last of these; those it lacks are 0.
	Incomplete bool
}

// State is a TCP state by the kernel's number (include/net/tcp_states.h); a connected UDP socket is
// Established, any other Close.
type State uint8

// The states that callers tell apart.
const (
	Established State = 1
	SynSent     State = 2
	SynRecv     State = 3
	FinWait1    State = 4
	FinWait2    State = 5
	TimeWait    State = 6
	Close       State = 7
	CloseWait   State = 8
	LastAck     State = 9
	Listen      State = 10
	Closing     State = 11
	NewSynRecv  State = 12
)

// States is a set of states for a request.
type States uint32

// SocketStates are the states of full sockets, which can have an owner: neither half-open requests nor
// TIME_WAIT, of which a busy server has tens of thousands.
const SocketStates = States(1<<Established | 1<<SynSent | 1<<FinWait1 | 1<<FinWait2 | 1<<Close |
	1<<CloseWait | 1<<LastAck | 1<<Listen | 1<<Closing)

// Connected says whether the socket has a peer.
func (s *Socket) Connected() bool { return s.Remote.Port() != 0 }

// Key is the socket's 5-tuple, local -> remote, IPv4-mapped addresses as IPv4. Of a socket without a peer
// Remote is zero.
func (s *Socket) Key() flows.Key {
	if s.Connected() {
		return flows.MakeKey(s.Proto, s.Local, s.Remote)
	}
	key := flows.MakeKey(s.Proto, s.Local, s.Local)
	key.Remote = flows.Endpoint{}
	return key
}

// DualStack says whether the socket takes IPv4 traffic beside IPv6: unconnected, bound to [::] and not V6Only.
func (s *Socket) DualStack() bool {
	return s.IPv6 && !s.Connected() && !s.V6Only && s.Local.Addr() == netip.IPv6Unspecified()
}
