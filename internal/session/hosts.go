package session

import (
	"net/netip"
	"slices"

	"apptap/pidmap"
	"apptap/summarize"
)

// Numbers that a kernel gives its sockets and processes are no identity beside those of another host: when sessions of several hosts are
// replayed together, those of all but the first are changed, in the same way wherever they stand.

// salts are by what the numbers of each file are changed: 0 for files of the first host. Two files are one host's if an address says so, or
// if one of them knows of none but the loopback's.
func (r *Replay) salts() []uint64 {
	const odd = 0x9e3779b97f4a7c15 // the golden ratio: multiples of it have no bits in common with small numbers
	salts := make([]uint64, len(r.sources))
	var hosts [][]netip.Addr
	for i, s := range r.sources {
		s.mu.Lock()
		own := s.records.hostAddrs()
		s.mu.Unlock()
		at := slices.IndexFunc(hosts, func(other []netip.Addr) bool {
			return len(own) == 0 || len(other) == 0 || slices.ContainsFunc(own, func(a netip.Addr) bool { return slices.Contains(other, a) })
		})
		if at < 0 {
			at = len(hosts)
			hosts = append(hosts, own)
		}
		salts[i] = uint64(at) * odd
	}
	return salts
}

// hostAddrs are the addresses by which a host is known.
func (r *records) hostAddrs() (list []netip.Addr) {
	if r.state == nil {
		return nil
	}
	for _, p := range r.state.Local {
		if a := p.Addr(); !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			list = append(list, a)
		}
	}
	return list
}

func salted(number, salt uint64) uint64 {
	if number == 0 {
		return 0 // not known
	}
	return number ^ salt
}

func saltEvents(events []pidmap.Event, salt uint64) {
	for i := range events {
		e := &events[i]
		e.Socket.Cookie, e.Socket.Inode = salted(e.Socket.Cookie, salt), salted(e.Socket.Inode, salt)
		e.User.Start = salted(e.User.Start, salt)
		saltProcess(&e.Process, salt)
		for k := range e.Holders {
			saltProcess(&e.Holders[k], salt)
		}
	}
}

func saltProcess(p *pidmap.Process, salt uint64) {
	p.Key.Start = salted(p.Key.Start, salt)
	p.Ancestors = slices.Clone(p.Ancestors) // shared among events
	for i := range p.Ancestors {
		p.Ancestors[i].Key.Start = salted(p.Ancestors[i].Key.Start, salt)
	}
}

func saltCounters(counters []summarize.SocketCounters, salt uint64) {
	for i := range counters {
		counters[i].Cookie = salted(counters[i].Cookie, salt)
	}
}
