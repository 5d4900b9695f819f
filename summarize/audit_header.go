package summarize

// headers explains why an interface has captured more bytes than the kernel counted of just as many frames: Linux counts some
// frames of bridges, VLAN sub-interfaces and VXLAN without their link-layer header, because it is taken off (br_pass_frame_up in
// net/bridge/br_input.c, vlan_do_receive in net/8021q/vlan_core.c) or not yet put on (iptunnel_xmit_stats in
// include/net/ip_tunnels.h) when they are counted. Which directions do is not written down anywhere, so it is inferred: that
// many whole headers are missing, one for each frame of a direction or of both, and no frame.
func (a *InterfaceAudit) headers(low, high InterfaceCounters, header uint64) {
	if a.ResidualBytes >= 0 || header == 0 {
		return
	}
	for _, of := range []struct{ rx, tx uint64 }{{1, 0}, {1, 1}, {0, 1}} {
		missing := func(c InterfaceCounters) uint64 { return header * (of.rx*c.RxPackets + of.tx*c.TxPackets) }
		whole := func(c InterfaceCounters) frames {
			f := c.frames(false)
			return frames{f.packets, f.bytes + missing(c)}
		}
		least, most := whole(low), whole(high)
		if a.CapturedPackets < least.packets || most.packets < a.CapturedPackets || a.CapturedBytes < least.bytes || most.bytes < a.CapturedBytes {
			continue
		}
		uncounted := int64(missing(low))
		if a.KernelBytes == high.frames(false).bytes {
			uncounted = int64(missing(high))
		}
		a.Causes = []Cause{{CauseLinkHeader, -uncounted}}
		if left := a.ResidualBytes + uncounted; left != 0 {
			a.Causes = append(a.Causes, Cause{CauseWindowEdge, left})
		}
		a.ResidualBytes = 0
		return
	}
}
