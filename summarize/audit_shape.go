package summarize

import "apptap/flows"

// A frame may not have the same shape where it is captured and where it is counted. How drivers count is written down nowhere,
// so what follows is inferred from the numbers, and only where they leave no byte over.

// fcsBytes is the length of an Ethernet frame check sequence.
const fcsBytes = 4

// leastSegment is the shortest that segments of a super-frame usually are: the default MSS (RFC 9293, section 3.7.1).
const leastSegment = 536

// tags explains why just as many frames are each four bytes longer in the capture: their VLAN tags are put back there, from beside
// the frame (skb->vlan_tci), where a driver that inserts them in hardware does not count them.
func (a *InterfaceAudit) tags(tagged uint64) {
	const tagBytes = 4
	if a.ResidualBytes >= 0 || a.KernelPackets != a.CapturedPackets {
		return
	}
	if beside := uint64(-a.ResidualBytes); beside%tagBytes == 0 && beside/tagBytes <= tagged {
		a.Causes, a.ResidualBytes = append(a.Causes, Cause{CauseVLANTag, a.ResidualBytes}), 0
	}
}

// shapes explains why the interface has counted other bytes: a frame check sequence for each frame of a direction or of both, or
// no link-layer header for each; and a whole header for each frame that it has more, which is then a segment of one that was captured.
// A veth end that puts segments together does both of the latter: it counts them as they come, without that header (veth_xdp_rcv
// in drivers/net/veth.c).
func (a *InterfaceAudit) shapes(low, high InterfaceCounters, header uint64, super *flows.SuperFrames) {
	if a.ResidualBytes == 0 {
		return
	}
	for _, c := range [...]InterfaceCounters{low, high} {
		all := c.frames(false)
		if all.packets < a.CapturedPackets {
			continue
		}
		segments, more := all.packets-a.CapturedPackets, difference(all.bytes, a.CapturedBytes)
		ways := [...]int64{0, int64(c.RxPackets), int64(all.packets), int64(c.TxPackets)}
		for _, of := range [...]Cause{{CauseFCS, fcsBytes}, {CauseLinkHeader, -int64(header)}} {
			for _, frames := range ways {
				each := of.Bytes * frames
				if !headersOf(super, segments, more-each) {
					continue
				}
				a.KernelPackets, a.KernelBytes = all.packets, all.bytes
				a.cause(CauseSuperFrames, more-each)
				a.cause(of.Name, each)
				a.ResidualBytes = 0
				return
			}
		}
	}
}

func (a *InterfaceAudit) cause(name string, bytes int64) {
	if bytes != 0 {
		a.Causes = append(a.Causes, Cause{name, bytes})
	}
}

// headersOf says whether so many more frames with so many more bytes can be the segments of super-frames: each has a header of its own,
// and there is payload enough for all.
func headersOf(s *flows.SuperFrames, segments uint64, bytes int64) bool {
	if segments == 0 || bytes <= 0 {
		return segments == 0 && bytes == 0
	}
	return segments <= s.Payload/leastSegment &&
		segments*uint64(s.LeastHeader) <= uint64(bytes) && uint64(bytes) <= segments*uint64(s.MostHeader)
}
