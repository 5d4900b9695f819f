// Package bpf answers what the Linux kernel tells, as it happens, of who makes sockets, who moves bytes through
// them and which programs start and end. Its eBPF programs (ownership.bpf.c, committed as objects) see every network
// namespace at once. pidmap calls it. It keeps no history, decides nothing, and reads no packet's payload.
package bpf

import "net/netip"

// Kind says what an Event tells.
type Kind uint8

// The kinds of events; the numbers are record.h's.
const (
	SocketOpened    Kind = 1 + iota // a TCP socket got its 5-tuple, or listens; Process made it, TGID 0 = nobody known yet
	SocketUsed                      // Process did I/O on the socket, or the socket that it uses has a new tuple
	SocketClosed                    // the end of the socket with its totals; I/O of what was buffered may still follow
	SocketPeer                      // a UDP socket exchanged its first datagram with a peer; Process may be unknown
	ProcessExec                     // Process runs Path now
	ProcessFork                     // Process is Parent's new child, in the image of Parent
	ProcessExit                     // the last thread of Process has ended
	socketDatagrams                 // SocketClosed with Datagrams, which it is decoded to
	SocketCounted                   // a socket that is open has Datagrams; Process is not known
)

// Event is one record of the ring. It is a value of its own: nothing in it is used again.
type Event struct {
	Kind    Kind
	Time    uint64 // nanoseconds since boot (CLOCK_BOOTTIME)
	Process Process
	Socket  Socket // of the socket's kinds
	// Datagrams is what a socket had: SocketCounted, and SocketClosed, nil if it never had a packet.
	Datagrams *Datagrams

	Parent      int32    // ProcessFork
	ParentStart uint64   // ProcessFork; nanoseconds since boot
	Path        string   // ProcessExec: the executable; "" = longer than the kernel side copies
	Filename    string   // ProcessExec: as given to execve(2)
	Cmdline     []string // ProcessExec: the first 512 bytes
}

// Process is one program in one life of a process as the kernel has it at the event.
type Process struct {
	User
	PPID   int32
	UID    uint32
	Kernel bool   // a kernel thread
	Cgroup uint64 // id in the cgroup v2 hierarchy, 1 = its root, 0 = unknown
	Name   string // comm
}

// User names one program in one life of a process.
type User struct {
	PID   int32  // in the initial pid namespace; 0 = unknown
	Start uint64 // nanoseconds since boot
	Exec  uint64 // counts the programs that it and its ancestors became by execve(2)
}

// Socket is a socket as an Event tells of it.
type Socket struct {
	Cookie        uint64
	NetNS         uint32 // inode of its network namespace, 0 = unknown
	Created       uint64 // when it was made, or began to connect: nanoseconds since boot, 0 = before the tracing
	Proto         uint8  // 6 or 17
	Local, Remote netip.AddrPort
	Listening     bool
	Accepted      bool
	Kernel        bool // no descriptor refers to it: the kernel's own
	Shared        bool // several processes did I/O: see Tracer.Moved
	DualStack     bool // bound to [::] and takes IPv4 too
	First         bool // Process is the first user
	// Multipath says that it is what a program has of Multipath TCP. Its packets go through sockets of the kernel's making, of which
	// Over is its cookie, 0 for any other socket.
	Multipath bool
	Over      uint64

	// Bytes that its first user moved, by the return values of its system calls; once Shared, those of before.
	Tx, Rx uint64
	// Of struct tcp_sock at the end of a TCP socket, in stream bytes, if Counted.
	Counted                 bool
	Sent, Retrans, Received uint64
	FinTaken                bool // Received counts the peer's FIN as one byte
}

// Moved is what one of several users has moved on a socket, in bytes by return values.
type Moved struct{ Tx, Rx uint64 }

// Report says what is traced here.
type Report struct {
	Tier    string    // "" if nothing is
	Missing []Missing // programs that the kernel did not take
}

// The tiers: which hook tells of I/O.
const (
	TierTracepoint = "tracepoints"    // sock_send_length and sock_recv_length, Linux 6.3
	TierTrampoline = "function exits" // fexit of inet_sendmsg and its kin
)

// Missing is a program that does not run, and what is lost by it.
type Missing struct {
	Program string
	Lost    string
	Err     error
}

// Counters say what was lost on the way, since Open.
type Counters struct {
	Records uint64 // events for which the ring had no room
	States  uint64 // sockets for which the kernel had no memory
	Damaged uint64 // records that do not read as record.h says
}
