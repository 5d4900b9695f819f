package flows

import "net/netip"

// translated is the sighting of a packet that a NAT gave another address or port on its way to o, or that o was before it.
func (r *Repeats) translated(key content, o *Observation, bit uint64, t Trace, own Local) *sighting {
	if o.FragLater {
		return nil
	}
	plain := o.Proto != TCP && t.prefix == 0 // nothing but a length tells it from others
	for _, g := range [...]*generation{&r.old, &r.young} {
		list := g.seen[key]
		for i := range list {
			if s := &list[i]; s.on&bit == 0 && near(s.time, o.Time) && rewritten(o, s, own) && (!plain || s.keepsPorts(o)) {
				return s
			}
		}
	}
	return nil
}

// rewritten says that one endpoint of two sightings is the same and the other is not, and that one of those that differ is this
// host's own address: a program that sends the same from two addresses of its host has sent two packets.
func rewritten(o *Observation, s *sighting, own Local) bool {
	src, dst := s.ends()
	var other *Endpoint
	var mine *Endpoint
	switch {
	case src.is(&o.Src) && !dst.is(&o.Dst):
		other, mine = dst, &o.Dst
	case dst.is(&o.Dst) && !src.is(&o.Src):
		other, mine = src, &o.Src
	default:
		return false
	}
	return own.has(other) != own.has(mine)
}

// keepsPorts says that o has the ports of s, which a NAT leaves as they are where it can: it gives no two flows the same, so that
// with one endpoint in common both are the same flow.
func (s *sighting) keepsPorts(o *Observation) bool {
	src, dst := s.ends()
	return src.Port == o.Src.Port && dst.Port == o.Dst.Port
}

// ends are a sighting's endpoints as its sender sees them.
func (s *sighting) ends() (src, dst *Endpoint) {
	if s.fromLow {
		return &s.flow.low, &s.flow.high
	}
	return &s.flow.high, &s.flow.low
}

// behind says that o is on the program's side of the NAT and flow on the network's.
func behind(o *Observation, flow *pair, own Local) bool {
	return !(own.has(&o.Src) || own.has(&o.Dst)) && (own.has(&flow.low) || own.has(&flow.high))
}

// has is Contains of a packed address.
func (l Local) has(e *Endpoint) bool { return l.Contains(netip.AddrFrom16(e.Addr)) }
