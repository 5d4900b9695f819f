package flows

// InterfaceCounts is what was captured on one interface, of whatever kind; bytes are frame bytes.
type InterfaceCounts struct {
	Packets, Bytes uint64
	Tagged         uint64 // packets with a VLAN tag
	Super          SuperFrames
}

// SuperFrames are frames of TCP too long for an Ethernet: segments that are cut, or were put together, on the far side of the
// capture (TSO, GSO, GRO; or an MTU beyond 1500).
type SuperFrames struct {
	Packets, Payload        uint64
	LeastHeader, MostHeader uint32 // bytes of all headers of one of them, the link layer's included
}

func (t *Table) countInterface(o *Observation) {
	for int(o.Interface) >= len(t.ifaces) {
		t.ifaces = append(t.ifaces, InterfaceCounts{})
	}
	c := &t.ifaces[o.Interface]
	c.Packets++
	c.Bytes += uint64(o.Frame)
	if o.marks&markTagged != 0 {
		c.Tagged++
	}
	if o.Frame > longestFrame && o.Proto == TCP && o.Payload > 0 {
		c.Super.add(o)
	}
}

// longestFrame is of an Ethernet: 1500 bytes, its header and two VLAN tags.
const longestFrame = 1500 + 14 + 8

func (s *SuperFrames) add(o *Observation) {
	header := o.Frame - o.Payload
	if s.Packets == 0 {
		s.LeastHeader, s.MostHeader = header, header
	}
	s.Packets++
	s.Payload += uint64(o.Payload)
	s.LeastHeader, s.MostHeader = min(s.LeastHeader, header), max(s.MostHeader, header)
}
