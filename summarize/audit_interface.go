package summarize

import (
	"cmp"
	"slices"
)

// auditInterfaces compares each interface's captured frames with its counters.
func auditInterfaces(in *Input) []InterfaceAudit {
	var list []InterfaceAudit
	for i := range in.Interfaces {
		list = append(list, auditInterface(in, &in.Interfaces[i]))
	}
	slices.SortStableFunc(list, func(a, b InterfaceAudit) int {
		return cmp.Or(
			cmp.Compare(b.CapturedBytes, a.CapturedBytes), cmp.Compare(a.Name, b.Name),
			cmp.Compare(b.CapturedPackets, a.CapturedPackets),
		)
	})
	return list
}

func auditInterface(in *Input, i *InterfaceInput) InterfaceAudit {
	a := InterfaceAudit{
		Name:            i.Name,
		CapturedPackets: i.CapturedPackets, CapturedBytes: i.CapturedBytes,
		DroppedKernel: i.DroppedKernel, DroppedInterface: i.DroppedInterface,
		Unavailable: in.unreadable(i),
	}
	if a.Unavailable != "" {
		return a
	}
	low, high := i.Readings.bounds(i.Loopback)
	if i.Readings.Limited { // only the last reading is known to have counted all that was captured
		a.count(high)
	} else {
		a.compare(low, high)
	}
	if a.KernelPackets != a.CapturedPackets {
		a.atEdge(low, high, i.Readings.edge())
	}
	if !i.Loopback {
		low, high := i.Readings.BeforeClose.Sub(i.Readings.AfterOpen), i.Readings.AfterClose.Sub(i.Readings.BeforeOpen)
		a.tags(i.Tagged)
		a.headers(low, high, i.LinkHeader)
		a.shapes(low, high, i.LinkHeader, &i.Super)
	}
	a.atEdge(low, high, i.Readings.edge())
	if in.CountOnly && a.ResidualBytes > 0 {
		a.Causes, a.ResidualBytes = append(a.Causes, Cause{CauseNoSocket, a.ResidualBytes}), 0
	} else if in.CountOnly && a.ResidualBytes < 0 && i.Readings.queued(a.CapturedPackets-min(a.CapturedPackets, a.KernelPackets)) {
		a.Causes, a.ResidualBytes = append(a.Causes, Cause{CauseEgressQueue, a.ResidualBytes}), 0
	} else if a.ResidualBytes > 0 {
		a.explain(i.DroppedKernel+i.DroppedInterface+in.DroppedUserspace > 0, in.Filter+in.Source.Filter+i.Filter != "")
	}
	return a
}

// unreadable says why an interface cannot be compared, "" if it can.
func (in *Input) unreadable(i *InterfaceInput) string {
	switch r := i.Readings; {
	case r == nil && !in.Live:
		return "a file has no kernel counters"
	case r == nil:
		return "its counters were not read"
	case r.Unavailable != "":
		return r.Unavailable
	case *r == InterfaceReadings{} && i.CapturedPackets > 0: // else it is an interface that never had a packet
		return "its counters were not read"
	case r.AfterClose.uncounted():
		return "its driver counts packets and no bytes"
	case !r.BeforeOpen.upTo(r.AfterOpen) || !r.AfterOpen.upTo(r.BeforeClose) || !r.BeforeClose.upTo(r.AfterClose):
		return "its counters went backwards: they are 32 bits wide, or it was made anew"
	}
	return ""
}

// upTo says whether c may be an earlier reading of o.
func (c InterfaceCounters) upTo(o InterfaceCounters) bool {
	return c.RxPackets <= o.RxPackets && c.RxBytes <= o.RxBytes && c.TxPackets <= o.TxPackets && c.TxBytes <= o.TxBytes
}

// frames is a number of frames and their bytes.
type frames struct{ packets, bytes uint64 }

// bounds are what passed at least and at most while packets were captured: the capture began somewhere between the
// first two readings and ended between the last two.
func (r *InterfaceReadings) bounds(loopback bool) (low, high frames) {
	return r.BeforeClose.Sub(r.AfterOpen).frames(loopback), r.AfterClose.Sub(r.BeforeOpen).frames(loopback)
}

// queued says that so many packets, more than none, may have been dropped by the interface's queue or wait in it. Their bytes nobody counts.
func (r *InterfaceReadings) queued(packets uint64) bool {
	lost := r.AfterClose.Sub(r.BeforeOpen)
	return packets > 0 && packets <= lost.QueueDropped+lost.QueuePackets
}

// edge names what lies between the bounds.
func (r *InterfaceReadings) edge() string {
	if r.Limited {
		return CausePacketLimit
	}
	return CauseWindowEdge
}

// Ahead says that more was captured than the interface has counted: a TUN device counts what leaves when its program reads it
// (drivers/net/tun.c, tun_put_user), and that may be later than the last reading.
func (i *InterfaceInput) Ahead() bool {
	if i.Readings == nil || i.Readings.Unavailable != "" {
		return false
	}
	_, high := i.Readings.bounds(i.Loopback)
	return i.CapturedBytes > high.bytes
}

// frames counts each frame as often as a capture sees it. On a loopback interface every frame is both sent
// and received, and captured once.
func (c InterfaceCounters) frames(loopback bool) frames {
	if loopback {
		return frames{c.RxPackets, c.RxBytes}
	}
	return frames{c.RxPackets + c.TxPackets, c.RxBytes + c.TxBytes}
}

// compare chooses as the kernel's figure the bound with as many frames as were captured, which may have another shape, or else
// the one that is nearer to the capture's bytes. The difference is residual.
func (a *InterfaceAudit) compare(low, high frames) {
	nearest := low
	if low.packets != a.CapturedPackets && (high.packets == a.CapturedPackets ||
		magnitude(difference(high.bytes, a.CapturedBytes)) < magnitude(difference(low.bytes, a.CapturedBytes))) {
		nearest = high
	}
	a.count(nearest)
}

// count takes what the kernel counted, the difference being residual.
func (a *InterfaceAudit) count(kernel frames) {
	a.KernelPackets, a.KernelBytes = kernel.packets, kernel.bytes
	a.ResidualBytes = difference(kernel.bytes, a.CapturedBytes)
}

// atEdge books what is left if the capture lies between the bounds, which is uncertain by nature.
func (a *InterfaceAudit) atEdge(low, high frames, edge string) {
	if a.ResidualBytes != 0 && low.bytes < a.CapturedBytes && a.CapturedBytes < high.bytes {
		a.Causes, a.ResidualBytes = append(a.Causes, Cause{edge, a.ResidualBytes}), 0
	}
}

// explain books bytes that the kernel has and the capture has not. Neither drops nor filters are counted in bytes, so
// the one that there was takes all; where there were both, nothing tells them apart.
func (a *InterfaceAudit) explain(dropped, filtered bool) {
	left := a.ResidualBytes
	switch {
	case dropped && filtered:
		a.Causes = append(a.Causes, Cause{CauseFilteredOrDropped, left})
	case dropped:
		a.Causes = append(a.Causes, Cause{CauseCaptureDrop, left})
	case filtered:
		a.FilteredOut = uint64(left)
	default:
		return
	}
	a.ResidualBytes = 0
}

// closedByFilter says that the difference was booked on a filter, whose bytes nobody counts: that is no check.
func (a *InterfaceAudit) closedByFilter() bool {
	plugged := slices.ContainsFunc(a.Causes, func(c Cause) bool { return c.Name == CauseFilteredOrDropped })
	return a.ResidualBytes == 0 && (a.FilteredOut > 0 || plugged)
}
