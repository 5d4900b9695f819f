// Package pidmap answers who owned a socket at a time, by which method it is known, or why nobody is
// known. Its History is fed by per-system sources (on Linux: INET_DIAG, /proc and the proc connector)
// that the pipeline runs, and asked by summarize. It never counts packets.
package pidmap

import (
	"cmp"
	"slices"

	"apptap/flows"
)

// ProcessKey identifies one life of a process: a PID alone is no identity, it is used again.
type ProcessKey struct {
	PID int32
	// Start is the process's start in the kernel's own unit: on Linux clock ticks since boot
	// (/proc/PID/stat, field 22), on macOS microseconds since 1970. 0 = unknown.
	Start uint64
}

// Compare orders keys by PID, then start.
func (k ProcessKey) Compare(o ProcessKey) int {
	return cmp.Or(cmp.Compare(k.PID, o.PID), cmp.Compare(k.Start, o.Start))
}

// Process is what was known of a process when it was last looked at. It is a value: sources make it, nobody changes it.
type Process struct {
	Key       ProcessKey
	StartTime int64  // nanoseconds since 1970 UTC, to the precision of the kernel's unit; 0 = unknown
	PPID      int32  // parent when first seen
	UID       uint32 // real user id; meaningful if User is not empty
	User      string // user name, or the number where it has none, "" if unknown
	Name      string // the kernel's short name (comm), 15 characters on Linux
	Path      string // executable, "" if it may not be read or there is none (kernel threads)
	Cmdline   []string
	// Bundle is the app that a source on macOS found while the processes that it works for were there, or that an anonymized
	// session has in place of what named it; nil elsewhere.
	Bundle *App
	Cgroup string // path below the root of cgroup v2, "/" = the root itself, "" if unknown; of a host without
	// version 2 the path in a hierarchy of version 1

	// Beside says that the cgroup is the one that apptap runs in: it tells nothing apart, as everything that is started from
	// the same terminal, container or job is in it.
	Beside bool
	// Ancestors are the processes above, nearest first, as far as they may be of the same program.
	Ancestors []Ancestor
	AppImage  string       // $APPIMAGE, of a program that runs from the mount of one
	Flatpak   string       // the application that /.flatpak-info of its root names
	Container string       // what the runtime calls the container, "" if it is not known
	Desktop   DesktopEntry // the .desktop file that starts the program, zero for none
}

// same says that p and o say the same of one process.
func (p *Process) same(o *Process) bool {
	return p.Key == o.Key && p.StartTime == o.StartTime && p.PPID == o.PPID && p.UID == o.UID && p.User == o.User &&
		p.Name == o.Name && p.Path == o.Path && slices.Equal(p.Cmdline, o.Cmdline) && p.Bundle == o.Bundle &&
		p.Cgroup == o.Cgroup && p.Beside == o.Beside && p.AppImage == o.AppImage && p.Flatpak == o.Flatpak &&
		p.Container == o.Container && p.Desktop == o.Desktop && slices.EqualFunc(p.Ancestors, o.Ancestors, sameAncestor)
}

func sameAncestor(a, b Ancestor) bool {
	return a.Key == b.Key && a.Path == b.Path && a.Desktop == b.Desktop && slices.Equal(a.Cmdline, b.Cmdline)
}

// App is what a person would name: the unit that reports sum by. Two processes with the same ID are
// the same app.
type App struct {
	ID   string // stable across runs: the executable's path, a bundle identifier, ...
	Name string // for people
	Kind string // bundle, desktop, flatpak, snap, appimage, unit, container, script, executable or kernel
	Path string
	Why  []string // the rules that named it, in the order in which they fired
}

// Method says how an owner became known. It is a key of the report.
type Method string

// The methods of this package's sources.
const (
	// MethodSockDiag: a scan found the connected socket of the flow, held by the process.
	MethodSockDiag Method = "sock_diag"
	// MethodSockDiagBound: a scan found an unconnected UDP socket bound to the local port, held by the process.
	MethodSockDiagBound Method = "sock_diag_bound"
	// MethodSockDiagListener: the flow was accepted on a port where the process listens; the accepted
	// socket itself was not seen.
	MethodSockDiagListener Method = "sock_diag_listener"
)

// Reason says why bytes have no owner. It is a key of the report.
type Reason string

// The reasons of this package.
const (
	ReasonNoSocketSeen  Reason = "no_socket_seen"   // no source saw a socket for the flow
	ReasonNoProcess     Reason = "no_process"       // the socket was seen, no process that holds it: gone, or not ours to see
	ReasonAmbiguous     Reason = "ambiguous"        // several apps held the socket, or one and perhaps another that was not seen: the candidates are listed
	ReasonForwarded     Reason = "forwarded"        // neither side is this host, or it translates the addresses for a socket that was not seen
	ReasonNoOwnerInFile Reason = "no_owner_in_file" // the capture file does not say
)

// Attribution is the answer of a History: App, Process and Method where an owner is known, else
// Reason.
type Attribution struct {
	App        App
	Process    Process
	Method     Method
	Reason     Reason
	Candidates []Process // for ReasonAmbiguous, sorted by key; one alone, or a program that nobody saw
	// Shares says what each process moved where several did, the one that moved most first: App and Process are its. Nil
	// for a single owner.
	Shares []Share
	// Turns are the sockets of several apps that had the flow one after another, for ReasonAmbiguous: who knows what each of them moved of it can
	// tell. Nil where that is not so.
	Turns []Turn
	// Translated is the 5-tuple of the flow's socket where this machine translates its addresses (NAT), as that socket has it; zero
	// for a flow whose socket has the addresses that are on the wire.
	Translated flows.Key
	// Foreign says that the flow's socket is in another network namespace of this machine.
	Foreign bool
}

// Share is one of several owners of a flow, and how much of it is his: bytes of payload by the return values of
// system calls, which weigh the flow's bytes and are not these.
type Share struct {
	App     App
	Process Process
	Moved
}

// Turn is one of several sockets that had a flow one after another.
type Turn struct {
	Share
	Cookie uint64 // of the socket
	// Counted is what the kernel counted of a UDP socket's packets, nil if that is not known.
	Counted *Datagrams
	Sole    bool // the socket had no other flow
	Open    bool // what is known of it may change
}

// Known says whether an owner is known.
func (a Attribution) Known() bool { return a.Reason == "" }
