package pidmap

import (
	"slices"

	"apptap/flows"
)

// EventKind says what an Event tells.
type EventKind uint8

// The kinds of events.
const (
	// SocketSeen: at Time the Socket existed and Holders had it open. A source that polls tells it when it
	// first sees a socket and again when its key or its holders have changed.
	SocketSeen EventKind = iota
	// SocketClosed: at Time the Socket was gone, known by its Cookie, Inode or Key; LastSeen is the last time
	// that it is certain to have existed.
	SocketClosed
	// SocketsCurrent: at Time everything told of sockets so far still held. Without it a source that died
	// would go on owning every flow that comes later.
	SocketsCurrent
	// ProcessExec: at Time the Process, known as a holder, had become another program.
	ProcessExec
	// ProcessExit: at Time the Process was gone.
	ProcessExit
	// SocketMade: at Time the Socket had its key; Process made or connected it, zero if nobody is known. It did not have
	// the key before NotBefore.
	SocketMade
	// SocketUsed: until Time the User, Process, had sent and received Moved on the Socket.
	SocketUsed
	// SocketPeer: at Time the UDP Socket of Cookie exchanged its first datagram with Key's remote side; Process made or uses it, zero
	// if nobody is known.
	SocketPeer
	// EventsLost: by Time an unknown number of SocketMade, SocketUsed, SocketPeer and SocketClosed had been lost. No
	// socket told of by these is taken to be open any more until something is heard of it again.
	EventsLost
	// SocketCounted: by Time the Socket, still open, had counted Datagrams or Totals.
	SocketCounted
	// SocketsCounted: by Time all sockets that are open had been told of by SocketCounted.
	SocketsCounted
	// FlowTranslated: at Time the kernel translated the addresses of Translation's flow (NAT), and did not before NotBefore.
	FlowTranslated
	// FlowUntranslated: at Time the kernel no longer knew of Translation's flow.
	FlowUntranslated
)

// Event is what a source tells a History. It is a value; the slices in it are never changed.
type Event struct {
	Kind    EventKind
	Time    int64 // nanoseconds since 1970 UTC
	Method  Method
	Socket  Socket
	Holders []Process // SocketSeen: empty = nobody was found
	// NotBefore (SocketSeen) is when the source last looked and did not find the socket with this key; 0 = it never looked.
	// With EventsLost, until when it is certain that nothing was lost; 0 = not known.
	NotBefore int64
	LastSeen  int64   // SocketClosed; 0 = unknown
	Process   Process // ProcessExec, ProcessExit, SocketMade, SocketUsed, SocketPeer
	User      UserKey // SocketUsed: tells users apart, also two programs of one process
	Moved     Moved   // SocketUsed
	// Totals of a TCP socket: SocketClosed at its end, SocketCounted by then, SocketSeen before anything that is told of it.
	Totals Totals
	// Datagrams is nil but for SocketClosed and SocketCounted of a socket that had packets.
	Datagrams *Datagrams
	Accepted  bool // with Datagrams of a TCP socket: the remote side opened the connection
	// Translation is nil but for FlowTranslated and FlowUntranslated.
	Translation *Translation
}

// UserKey names one program in one life of a process; the kernel's own I/O is the zero UserKey.
type UserKey struct {
	PID   int32
	Start uint64 // nanoseconds since boot
	Exec  uint64
}

// Moved is what a process moved on a socket in bytes of payload, as the return values of its system calls say.
type Moved struct{ Tx, Rx uint64 }

// Totals are what the kernel counted of a TCP socket since it was made. On Linux they are the counters of struct tcp_sock, in
// stream bytes (SYN and FIN not counted) but Retrans, which is payload sent again; on macOS those of struct nstat_counts, in bytes of
// payload.
type Totals struct {
	Known                   bool
	Sent, Retrans, Received uint64 // Sent has Retrans in it
	// Payload says that Received is payload, with what arrived again in it, which is Duplicate.
	Payload   bool
	Duplicate uint64
	// Interface is the one that the socket used last, by name; "" = not known.
	Interface string
	// Lost says that the kernel had more to tell and could not: the other fields say nothing.
	Lost bool
}

// Socket is a socket as an Event tells of it.
type Socket struct {
	Key       flows.Key // local -> remote; Remote is zero without a peer
	DualStack bool      // takes IPv4 traffic beside IPv6
	Listening bool
	Cookie    uint64 // the kernel's identity of the socket, 0 = unknown
	Inode     uint64 // 0 = no file refers to it
	UID       uint32
	// Foreign says that the socket is in another network namespace than apptap: its addresses are not this host's.
	Foreign bool
	Kernel  bool // the kernel's own: no descriptor refers to it
	// Multipath says that it is a program's end of Multipath TCP. Its packets go through the sockets whose Over is its Cookie, and
	// belong to whoever uses it.
	Multipath bool
	Over      uint64
}

func (s *Socket) connected() bool { return s.Key.Remote.Port != 0 }

// used is the cookie of the socket that a program has: its own, or that of which it carries packets.
func (s *Socket) used() uint64 {
	if s.Over != 0 {
		return s.Over
	}
	return s.Cookie
}

// identity tells two lives of a key apart. A cookie is never used again until reboot; without one an inode
// (used again sooner or later) has to do, and without that the key.
type identity struct {
	cookie, inode uint64
	key           flows.Key
}

func (s *Socket) identity() identity {
	switch {
	case s.Cookie != 0:
		return identity{cookie: s.Cookie}
	case s.Inode != 0:
		return identity{inode: s.Inode}
	}
	return identity{key: s.Key}
}

// sameHolders says whether two sightings name the same processes in the same images. Both are sorted.
func sameHolders(a, b []Process) bool {
	return slices.EqualFunc(a, b, func(p, q Process) bool {
		return p.Key == q.Key && p.Path == q.Path && p.Name == q.Name && slices.Equal(p.Cmdline, q.Cmdline)
	})
}
