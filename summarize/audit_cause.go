package summarize

import "apptap/flows"

// circumstances are what a whole run offers as causes.
type circumstances struct {
	dropped bool  // packets were lost, on whatever interface: which flows they belonged to is not known
	split   bool  // a filter may pass some packets of a flow and not others
	end     int64 // when the capture ended, nanoseconds since 1970 UTC, 0 = not known

	captured   interfaceNames
	interfaces []InterfaceInput
}

// header is the length of the link-layer header on an interface of the run.
func (c *circumstances) header(index int) uint64 {
	if index < 0 || index >= len(c.interfaces) {
		return 0
	}
	return c.interfaces[index].LinkHeader
}

func circumstancesOf(in *Input) circumstances {
	c := circumstances{
		dropped: in.DroppedUserspace > 0 || in.Gap,
		split:   splitsFlows(in.Filter) || splitsFlows(in.Source.Filter),
		end:     in.Window.End,

		captured: namesOf(in.Interfaces), interfaces: in.Interfaces,
	}
	for _, i := range in.Interfaces {
		c.dropped = c.dropped || i.DroppedKernel > 0 || i.DroppedInterface > 0
		c.split = c.split || splitsFlows(i.Filter)
	}
	return c
}

// evidence is what may explain a difference of one flow.
type evidence struct {
	circumstances
	flow *flows.Flow
	life *socketLife
	wire wire

	unsent, elsewhereTx, elsewhereRx uint64 // of payload, what no relation has been explained by yet
}

// explain names the causes of what is left of a relation. A gap in the captured stream explains as many
// bytes as it is long; of the rest the first class that applies takes all.
func (e *evidence) explain(r relation) (causes []Cause, unexplained int64) {
	left := r.difference
	take := func(name string, pool *uint64) {
		if bytes := min(uint64(max(left, 0)), *pool); bytes > 0 {
			causes = append(causes, Cause{name, int64(bytes)})
			left, *pool = left-int64(bytes), *pool-bytes
		}
	}
	if r.rx {
		take(CauseOtherInterface, &e.elsewhereRx)
	} else {
		take(CauseOtherInterface, &e.elsewhereTx)
		take(CauseSendError, &e.unsent)
	}
	if left > 0 && r.gap > 0 && !e.counterLost() {
		missed := int64(min(uint64(left), r.gap))
		causes = append(causes, Cause{CauseCaptureDrop, missed})
		left -= missed
	}
	if left == 0 {
		return causes, 0
	}
	name := e.class(r, left)
	if name == "" {
		return causes, left
	}
	if n := len(causes); n > 0 && causes[n-1].Name == name {
		causes[n-1].Bytes += left
		return causes, 0
	}
	return append(causes, Cause{name, left}), 0
}

// class is the first class that a difference may belong to, "" if it is in none. What is known of this very
// flow comes before what is merely known of the run.
func (e *evidence) class(r relation, left int64) string {
	switch {
	case e.counterLost():
		return CauseCounterLost
	case e.flow.Snapped:
		return CauseSnaplen
	case r.rx && left < 0 && e.closedEarly():
		return CauseArrivedAfterClose
	case r.rx && r.again && left < 0:
		return CauseNotDelivered
	case left > 0 && !e.wire.known && e.elsewhere(r):
		return CauseOtherInterface
	case e.startedBefore(r, left):
		return CauseStartedBefore
	case left > 0 && e.dropped:
		return CauseCaptureDrop
	case left > 0 && e.split:
		return CauseFilteredOut
	case e.stillOpen():
		return CauseStillOpen
	}
	return ""
}

// counterLost says that the last reading has nothing left to compare: tcp_disconnect, which a close with SO_LINGER
// 0 runs, zeroes the counters before the kernel reports the socket's end, and sends a RST. Zeroes alone are no
// proof: a socket that never sent may have been closed before anything arrived.
func (e *evidence) counterLost() bool {
	last := &e.life.last
	if last.Moment != AtClose || last.FINKnown {
		return false
	}
	zero := last.BytesSent == 0 && last.BytesReceived == 0
	return e.life.backwards() || zero && (wiped(last.Key) || e.flow.TxSawRST && e.flow.TxPayload > 0)
}

// startedBefore says that a difference may be from before the capture. With a reading of that time, bytes that were under
// way when it was taken may fall on either side. Without one the kernel can only have counted more, and a SYN that is
// missing tells of an older socket only if nothing else can have kept it from the capture.
func (e *evidence) startedBefore(r relation, left int64) bool {
	if r.wholeLife {
		return false
	}
	older := e.life.hasStart || !e.dropped && !e.split
	return e.life.baseline(e.flow) || left > 0 && older
}

// elsewhere says that a direction passed where nobody looked: not one packet of it was captured, not even a SYN or an
// acknowledgement, while the other direction was from its SYN on, and neither drops nor a filter can have done that. Where
// both ends are this host's, both directions take the same interface.
func (e *evidence) elsewhere(r relation) bool {
	f := e.flow
	if e.dropped || e.split || e.life.hasStart || f.Locality == flows.LocalBoth {
		return false
	}
	if r.rx {
		return f.RxPackets == 0 && f.TxSawSYN
	}
	return f.TxPackets == 0 && f.RxSawSYN
}

// closedEarly says that the wire may have gone on after the socket was closed: this host answered with a RST, packets
// came after the socket was gone, or the packets that closed it are among those that were dropped.
func (e *evidence) closedEarly() bool {
	f := e.flow
	unseen := f.End == flows.EndOpen && e.dropped
	return e.life.last.Moment == AtClose && (f.TxSawRST || f.Last > e.life.last.Time || unseen)
}

// stillOpen says that packets may have passed between the last packet captured and the last reading: that was taken at the end
// or, of a socket whose peer's FIN came then, behind it.
func (e *evidence) stillOpen() bool {
	last := &e.life.last
	after := last.Moment == AtEnd || last.Moment == AtClose && e.end != 0 && last.Time >= e.end
	return after && e.flow.End == flows.EndOpen
}
