package session

import (
	"strings"

	"apptap/capture"
	"apptap/flows"
	"apptap/pidmap"
)

// labels say whose the packets are that are being written, as far as that is known by then. They are for other programs that
// read the file: a replay asks the events. So where several answers are possible there is none, and a packet that comes before
// its socket was heard of stays without.
type labels struct {
	local     flows.Local
	processes map[uint32]*capture.Process // by their numbers in the file
	young     map[flows.Key]label
	old       map[flows.Key]label
	owner     capture.Owner // of the packet being written
	answers   []answer      // see recall
	changes   uint32        // of what is known of sockets
}

// label is who has a socket.
type label struct {
	process   *capture.Process
	cookie    uint64
	closed    int64 // when the socket was gone, 0 = it is there
	dualStack bool
	shared    bool // several sockets have this key
}

const (
	// maxLabels bounds each half of the sockets kept: when the young ones are so many they become the old ones, and what was old
	// and not asked for meanwhile is forgotten. 13 MiB in all.
	maxLabels = 32768
	// closing is how long a TCP socket's last segments come after its end: twice the lifetime of a segment in Linux.
	closing = 60_000_000_000
)

func newLabels() labels {
	return labels{processes: map[uint32]*capture.Process{}, young: map[flows.Key]label{}, changes: 1}
}

// describe notes a process, nil if it is none that packets can be of.
func (l *labels) describe(number uint32, p *pidmap.Process) *capture.Process {
	if p.Key.PID <= 0 {
		return nil
	}
	if len(l.processes) >= maxNumbered {
		clear(l.processes)
	}
	described := &capture.Process{
		PID: p.Key.PID, Name: p.Name, Path: p.Path, StartTime: p.StartTime, PPID: p.PPID, UID: p.UID, User: p.User,
		Cmdline: strings.Join(p.Cmdline, "\x00"),
	}
	l.processes[number] = described
	return described
}

// learn takes in an event that was written as r.
func (l *labels) learn(e *pidmap.Event, r *eventRecord) {
	number := r.Process
	switch e.Kind {
	case pidmap.SocketClosed:
		l.close(e)
		return
	case pidmap.SocketSeen:
		if number = 0; len(r.Holders) == 1 {
			number = r.Holders[0]
		}
	case pidmap.SocketMade, pidmap.SocketUsed, pidmap.SocketPeer:
	default:
		return
	}
	key := e.Socket.Key
	process := l.processes[number]
	if process == nil || key.Proto == flows.TCP && key.Remote.Port == 0 || e.Socket.Listening {
		return
	}
	l.changes++
	known := l.at(key)
	next := label{process: process, cookie: e.Socket.Cookie, dualStack: e.Socket.DualStack}
	next.shared = known.process != nil && known.closed == 0 && known.cookie != next.cookie && (known.shared || known.process != process)
	l.keep(key, next)
}

// close notes the end of a socket. What it was called last has to do where the event does not say.
func (l *labels) close(e *pidmap.Event) {
	if known := l.at(e.Socket.Key); known.process != nil && known.cookie == e.Socket.Cookie {
		l.changes++
		known.closed = max(e.Time, 1)
		l.keep(e.Socket.Key, known)
	}
}

func (l *labels) keep(key flows.Key, with label) {
	if len(l.young) >= maxLabels {
		l.old, l.young = l.young, map[flows.Key]label{}
	}
	l.young[key] = with
}

func (l *labels) at(key flows.Key) label {
	if known, ok := l.young[key]; ok {
		return known
	}
	known, ok := l.old[key]
	if ok {
		l.keep(key, known)
	}
	return known
}

// of is the owner of a packet, nil if it is not known. A packet within the host is its sender's. The Owner is valid until the next call.
func (l *labels) of(o *flows.Observation) *capture.Owner {
	if len(l.young) == 0 || !o.Kind.Decoded() || o.FragLater {
		return nil
	}
	known := l.recall(o)
	if !known.is(o) || known.changes != l.changes {
		*known = l.ask(o)
	}
	if known.process == nil {
		return nil
	}
	l.owner = capture.Owner{Process: known.process, Outgoing: known.outgoing}
	return &l.owner
}

// answer is whose the packets of one direction of a flow are, as long as nothing changes.
type answer struct {
	src, dst flows.Endpoint
	proto    flows.Protocol
	ipv6     bool
	outgoing bool
	changes  uint32
	process  *capture.Process // nil = nobody's
}

// maxAnswers is how many directions of flows are remembered: those of a busy host's packets within a moment. 384 KiB.
const maxAnswers = 1 << 12

// recall is where the answer for a packet is kept: it may be another's.
func (l *labels) recall(o *flows.Observation) *answer {
	if l.answers == nil {
		l.answers = make([]answer, maxAnswers)
	}
	return &l.answers[(o.Hash()^uint32(o.Src.Port))%maxAnswers]
}

func (a *answer) is(o *flows.Observation) bool {
	return a.src == o.Src && a.dst == o.Dst && a.proto == o.Proto && a.ipv6 == o.IPv6
}

// ask looks for the sockets at both ends.
func (l *labels) ask(o *flows.Observation) answer {
	a := answer{src: o.Src, dst: o.Dst, proto: o.Proto, ipv6: o.IPv6, changes: l.changes}
	key := flows.Key{Local: o.Src, Remote: o.Dst, Proto: o.Proto, IPv6: o.IPv6}
	begins := o.Flags&(flows.SYN|flows.ACK) == flows.SYN
	for _, outgoing := range [...]bool{true, false} {
		socket := l.serving(key)
		if socket.closed != 0 {
			a.changes-- // the next packet may come too late, or begin another flow
		}
		if a.process = socket.during(key.Proto, o.Time, begins); a.process != nil {
			a.outgoing = outgoing
			return a
		}
		key = key.Reverse()
	}
	return a
}

// serving is who has the socket at key's local end: the one of the very 5-tuple, else one bound to the port.
func (l *labels) serving(key flows.Key) label {
	if known := l.at(key); known.process != nil {
		return known
	}
	if key.Proto != flows.UDP || !l.local.Contains(key.LocalAddr().Addr()) {
		return label{}
	}
	key.Remote = flows.Endpoint{}
	if known := l.at(key); known.process != nil {
		return known
	}
	port, v4 := key.Local.Port, !key.IPv6
	if v4 {
		key.Local = flows.Endpoint{Addr: [16]byte{10: 0xff, 11: 0xff}, Port: port}
		if known := l.at(key); known.process != nil {
			return known
		}
	}
	key.Local, key.IPv6 = flows.Endpoint{Port: port}, true
	if known := l.at(key); known.dualStack || !v4 {
		return known
	}
	return label{}
}

// during is the process of a packet of that time, nil if it is not certain.
func (l label) during(proto flows.Protocol, time int64, begins bool) *capture.Process {
	switch {
	case l.process == nil || l.shared:
		return nil
	case l.closed == 0 || time <= l.closed:
		return l.process
	case proto == flows.TCP && !begins && time <= l.closed+closing:
		return l.process
	}
	return nil
}
