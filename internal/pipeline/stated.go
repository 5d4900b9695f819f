package pipeline

import (
	"net/netip"
	"slices"
	"strings"

	"apptap/capture"
	"apptap/flows"
	"apptap/pidmap"
)

const (
	// maxStatedAddrs bounds the addresses taken from packets that say whose they are.
	maxStatedAddrs = 4096
	// maxStatedProcesses bounds the processes translated at a time.
	maxStatedProcesses = 65536
)

// statedOwner is what a packet of a batch says of its owner.
type statedOwner struct {
	packet int // index into the batch's packets
	owner  capture.Owner
}

// state keeps what p, the packet added last, says of its owner.
func (b *batch) state(p *capture.Packet, headers *capture.HeaderOwners) {
	if said := headers.Of(p); said != nil {
		b.stated = append(b.stated, statedOwner{len(b.packets) - 1, *said})
	}
}

// stated are the owners that a capture's own packets state, and what follows from them.
type stated struct {
	owners    *pidmap.InFile
	processes map[*capture.Process]*pidmap.Process
	addrs     addresses // of this host: the ends at which processes are
}

// addresses are those of this host, as far as owners tell.
type addresses map[netip.Addr]bool

func newStated() stated {
	return stated{pidmap.NewInFile(), map[*capture.Process]*pidmap.Process{}, addresses{}}
}

// add takes in a batch's statements.
func (s *stated) add(b *batch) {
	for i := range b.stated {
		said := &b.stated[i]
		o := &b.packets[said.packet]
		if !o.Kind.Decoded() || o.FragLater {
			continue
		}
		sideless := said.owner.Sideless
		key := flows.Key{Local: o.Src, Remote: o.Dst, Proto: o.Proto, IPv6: o.IPv6}
		if !said.owner.Outgoing && !sideless {
			key = key.Reverse()
		}
		s.owners.Add(&pidmap.Sighting{
			Key: key, Time: o.Time, Process: s.process(said.owner.For()), Method: methodOf(&said.owner),
			Outgoing: said.owner.Outgoing || sideless, Sideless: sideless, Bytes: o.Frame,
		})
		if !sideless {
			s.addrs.learn(key.LocalAddr().Addr())
		}
	}
}

// methodOf is the report's word for how a capture told of an owner.
func methodOf(o *capture.Owner) pidmap.Method {
	if o.Header {
		return pidmap.MethodPKTAP
	}
	return [...]pidmap.Method{
		capture.DialectApple: pidmap.MethodProcessBlock, capture.DialectWireshark: pidmap.MethodWireshark,
		capture.DialectPID: pidmap.MethodPacketPID, capture.DialectPtcpdump: pidmap.MethodPtcpdump,
		capture.DialectRustnet: pidmap.MethodRustnet, capture.DialectMatrixNet: pidmap.MethodMatrixNet,
	}[o.Dialect]
}

func (s *stated) process(p *capture.Process) *pidmap.Process {
	known := s.processes[p]
	if known == nil {
		if len(s.processes) >= maxStatedProcesses {
			clear(s.processes)
		}
		known = processOf(p)
		s.processes[p] = known
	}
	return known
}

func processOf(p *capture.Process) *pidmap.Process {
	q := &pidmap.Process{
		Key:       pidmap.ProcessKey{PID: p.PID, Start: uint64(max(p.StartTime, 0))},
		StartTime: p.StartTime, PPID: p.PPID, UID: p.UID, User: p.User, Name: p.Name, Path: p.Path,
	}
	if p.Cmdline != "" {
		q.Cmdline = strings.Split(strings.TrimSuffix(p.Cmdline, "\x00"), "\x00")
	}
	return q
}

// learn notes an address of this host. A group that the host listens to is none, nor is a broadcast.
func (a addresses) learn(addr netip.Addr) {
	if len(a) < maxStatedAddrs && !addr.IsMulticast() && !addr.IsUnspecified() && addr != netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		a[addr] = true
	}
}

// list is in order.
func (a addresses) list() []netip.Prefix {
	list := make([]netip.Prefix, 0, len(a))
	for addr := range a {
		list = append(list, netip.PrefixFrom(addr, addr.BitLen()))
	}
	slices.SortFunc(list, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return list
}

// learnSockets notes the addresses of sockets that a file tells of: one that says what sockets this host had, and not which
// addresses.
func (a addresses) learnSockets(events []pidmap.Event) {
	for i := range events {
		if e := &events[i]; e.Kind == pidmap.SocketSeen && !e.Socket.Foreign {
			a.learn(e.Socket.Key.LocalAddr().Addr())
		}
	}
}

// forget drops what was stated of a flow that has been summed up.
func (s *stated) forget(f *flows.Flow) {
	s.owners.Forget(f.Key, f.Last)
	s.owners.Forget(f.Key.Reverse(), f.Last)
}

// ownerOf asks the packets themselves first, then the history of sockets; nil where there is neither.
func (o *owner) ownerOf() func(flows.Key, flows.Initiator, int64, int64) pidmap.Attribution {
	sockets := o.config.Owners != nil || o.heard
	switch {
	case o.stated.owners.Len() == 0 && !sockets:
		return nil
	case o.stated.owners.Len() == 0:
		return o.history.Owner
	case !sockets:
		return o.stated.owners.Owner
	}
	return func(key flows.Key, initiator flows.Initiator, first, last int64) pidmap.Attribution {
		if a := o.stated.owners.Owner(key, initiator, first, last); a.Known() {
			return a
		}
		return o.history.Owner(key, initiator, first, last)
	}
}
