package summarize

import (
	"fmt"
	"slices"

	"apptap/flows"
)

// The classes of difference between the kernel and the capture. Each is a key of the report. What is in none of
// them is unexplained.
const (
	// CauseStartedBefore: the socket is older than the capture. Bytes from before, or around its start.
	CauseStartedBefore = "started_before_capture"
	// CauseStillOpen: the flow was not over when the capture was; bytes were under way while it ended.
	CauseStillOpen = "still_open"
	// CauseArrivedAfterClose: data that the wire still brought after the socket was gone.
	CauseArrivedAfterClose = "arrived_after_close"
	// CauseCaptureDrop: the capture lost packets, or sequence numbers of data, of a FIN or acknowledged by one show a gap.
	CauseCaptureDrop = "capture_drop"
	// CauseSnaplen: frames were cut so short that their payload could not be placed.
	CauseSnaplen = "snaplen"
	// CauseFilteredOut: a filter let only some of a flow's packets pass.
	CauseFilteredOut = "filtered_out"
	// CauseOtherInterface: one direction of the flow took an interface that was not captured.
	CauseOtherInterface = "other_interface"
	// CauseCounterLost: the socket's counters were wiped before they could be read (close with SO_LINGER 0).
	CauseCounterLost = "counter_lost"
	// CauseNotDelivered: segments that repeated others were captured and given to no socket: a firewall or a bad checksum took them.
	CauseNotDelivered = "not_delivered"
	// CauseNoSocket: frames of an interface that no socket sent or received, where only sockets were counted.
	CauseNoSocket = "no_socket"
	// CauseEgressQueue: packets that sockets sent and the interface's queue dropped or still held, where only sockets were counted.
	CauseEgressQueue = "egress_queue"
	// CauseLinkHeader: link-layer headers that an interface's driver left out of its counters (bridges, VLAN, VXLAN).
	CauseLinkHeader = "link_header"
	// CauseVLANTag: VLAN tags that travel beside a frame and not in it: a capture has them, the interface's counters do not.
	CauseVLANTag = "vlan_tag"
	// CauseSuperFrames: headers of the segments of frames that were captured whole and counted one by one (TSO, GSO, GRO).
	CauseSuperFrames = "super_frames"
	// CauseFCS: frame check sequences that an interface counts and no capture has.
	CauseFCS = "fcs"
	// CauseWindowEdge: frames of the moments in which an interface's capture was opened or closed.
	CauseWindowEdge = "window_edge"
	// CausePacketLimit: frames behind the last packet that was asked for (-c), until the counters were read.
	CausePacketLimit = "packet_limit"
	// CauseFilteredOrDropped: an interface had a filter and drops; which took the bytes is not known.
	CauseFilteredOrDropped = "filtered_or_dropped"
)

// auditFlows compares every flow with its socket and writes the outcome into uses. It returns which socket was whose.
func auditFlows(in *Input, uses []FlowUse) *pairing {
	pairs := pairSockets(in.Sockets, uses)
	circumstances := circumstancesOf(in)
	for i := range uses {
		use := &uses[i]
		life, unclear := pairs.own(i), pairs.unclear[i]
		why := in.incomparable(use, life)
		if life == nil && unclear {
			why = notToldApart
		}
		if why != "" {
			use.Verdict, use.Unavailable = VerdictUnavailable, why
			continue
		}
		check(use, life, circumstances)
		if use.Verdict == VerdictUnexplained && unclear { // it may be the difference from a neighbour's socket
			use.Verdict, use.Unavailable, use.Kernel, use.Causes = VerdictUnavailable, notToldApart, nil, nil
		}
	}
	return pairs
}

const noCounters = "the kernel reported no counters of the flow's socket"

// lastLost: NSTAT_MSG_HDR_FLAG_CLOSED_AFTER_DROP, or a flow that is gone without a word.
const lastLost = "the kernel had no room to tell the last counters of its socket (ENOBUFS, closed after drop)"

const notToldApart = "several sockets used this 5-tuple and cannot be told apart"

// incomparable says why a flow has nothing to be compared with, "" if it has.
func (in *Input) incomparable(use *FlowUse, life *socketLife) string {
	f := &use.Flow
	switch {
	case in.CountOnly:
		return OnlyCounted
	case f.Key.Proto == flows.UDP && use.translated():
		return translatedSocket
	case f.Key.Proto == flows.UDP:
		return in.noDatagrams()
	case f.Key.Proto != flows.TCP:
		return "the kernel counts the bytes of TCP sockets only"
	case life != nil && in.Folded != nil && !f.TxSawSYN && !f.RxSawSYN:
		return "it may be the rest of a flow that was folded"
	case life != nil && life.last.Lost:
		return lastLost
	case life != nil && !in.captured(life.last.Interface):
		return fmt.Sprintf("its socket used %s, which was not captured", life.last.Interface)
	case life != nil && life.last.Incomplete && wiped(life.last.Key):
		return "the socket's counters were wiped as it was closed (SO_LINGER 0)"
	case life != nil && life.last.Incomplete:
		return "the kernel does not count all of a socket's bytes (Linux before 4.19)"
	case life != nil:
		return ""
	case in.SocketsUnavailable != "":
		return in.SocketsUnavailable
	case f.Locality == flows.LocalNeither:
		return "the flow ends on no socket of this host"
	case in.CounterOverflows > 0:
		return fmt.Sprintf("the kernel's queue of closed sockets overflowed (%d times)", in.CounterOverflows)
	}
	return noCounters
}

// captured says whether an interface that a socket is known to have used was, or may have been, captured.
func (in *Input) captured(name string) bool {
	may := func(i InterfaceInput) bool { return i.Name == name || i.Name == "" || i.Name == "any" }
	return name == "" || len(in.Interfaces) == 0 || slices.ContainsFunc(in.Interfaces, may)
}

// auditSum collects the outcomes of flows.
type auditSum struct {
	audit     Audit
	causes    groups[string, Cause]
	unchecked groups[uncheckedKey, Unchecked]
}

type uncheckedKey struct {
	proto flows.Protocol
	why   string
}

func (y *auditSum) add(use *FlowUse) {
	y.audit.count(use)
	for _, c := range use.Causes {
		y.cause(c)
	}
	if use.Verdict == VerdictUnavailable {
		y.miss(Unchecked{use.Flow.Key.Proto, use.Unavailable, 1})
	}
}

func (y *auditSum) cause(c Cause) {
	sum := y.causes.at(c.Name)
	sum.Name = c.Name
	sum.Bytes += int64(magnitude(c.Bytes))
}

// miss counts flows that were compared with nothing.
func (y *auditSum) miss(u Unchecked) {
	sum := y.unchecked.at(uncheckedKey{u.Proto, u.Why})
	sum.Proto, sum.Why = u.Proto, u.Why
	sum.Flows += u.Flows
}

// merge adds the outcomes in o.
func (y *auditSum) merge(o *auditSum) {
	a, b := &y.audit, &o.audit
	a.Checked, a.Exact, a.Explained = a.Checked+b.Checked, a.Exact+b.Exact, a.Explained+b.Explained
	a.Unexplained, a.Unavailable = a.Unexplained+b.Unexplained, a.Unavailable+b.Unavailable
	a.UnexplainedBytes += b.UnexplainedBytes
	for _, c := range o.causes.list {
		y.cause(c)
	}
	for _, u := range o.unchecked.list {
		y.miss(u)
	}
}

// finish adds the interfaces and says the verdict.
func (y *auditSum) finish(in *Input) Audit {
	slices.SortFunc(y.causes.list, compareCauses)
	y.audit.Causes = y.causes.list
	slices.SortFunc(y.unchecked.list, compareUnchecked)
	y.audit.Unchecked = y.unchecked.list
	y.audit.Interfaces = auditInterfaces(in)
	y.audit.Verdict = y.audit.verdict()
	return y.audit
}

func (a *Audit) count(use *FlowUse) {
	switch use.Verdict {
	case VerdictExact:
		a.Exact++
	case VerdictExplained:
		a.Explained++
	case VerdictUnexplained:
		a.Unexplained++
	default:
		a.Unavailable++
		return
	}
	a.Checked++
	a.UnexplainedBytes += use.Kernel.UnexplainedBytes
}

// verdict is the worst of all flows and interfaces that could be checked. One whose difference a filter took, however
// large, was not: that figure closes any gap.
func (a *Audit) verdict() Verdict {
	checked, explained, unexplained := a.Checked > 0, a.Explained > 0, a.Unexplained > 0
	for _, i := range a.Interfaces {
		if i.Unavailable != "" || i.closedByFilter() {
			continue
		}
		checked = true
		explained = explained || len(i.Causes) > 0
		unexplained = unexplained || i.ResidualBytes != 0
	}
	switch {
	case unexplained:
		return VerdictUnexplained
	case explained:
		return VerdictExplained
	case checked:
		return VerdictExact
	}
	return VerdictUnavailable
}

// magnitude is the absolute value of d.
func magnitude(d int64) uint64 {
	if d < 0 {
		return -uint64(d)
	}
	return uint64(d)
}
