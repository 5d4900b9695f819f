package flows

// pair is the Table's key: a 5-tuple with its endpoints in canonical order, so that both directions find
// the same record. The interface is no part of it: a flow whose two directions take different interfaces is
// still one socket's.
type pair struct {
	low, high Endpoint
	proto     Protocol
	ipv6      bool
}

// pair is the key of the packet's flow.
func (o *Observation) pair() pair {
	low, high := o.ends()
	return pair{low: *low, high: *high, proto: o.Proto, ipv6: o.IPv6}
}

// key is the 5-tuple as the packet's sender sees it.
func (o *Observation) key() Key {
	return Key{Local: o.Src, Remote: o.Dst, Proto: o.Proto, IPv6: o.IPv6}
}

// ends are the packet's endpoints in the order of its flow's pair.
func (o *Observation) ends() (low, high *Endpoint) {
	if o.fromLow {
		return &o.Src, &o.Dst
	}
	return &o.Dst, &o.Src
}

// of says whether o is a packet between these two.
func (p *pair) of(o *Observation) bool {
	low, high := o.ends()
	return p.low.is(low) && p.high.is(high) && p.proto == o.Proto && p.ipv6 == o.IPv6
}

// locate notes what finds the packet's flow in the Table. It has to be called again when its ports change.
func (o *Observation) locate() {
	o.fromLow = !o.Dst.before(&o.Src)
	low, high := o.ends()
	o.hash = hashOf(low, high, o.Proto)
}

// Hash is a number that both directions of a flow share and few others do. Another process has another one.
func (o *Observation) Hash() uint32 { return o.hash }

// record is one flow in the Table: what every packet touches in the first cache line of 64 bytes, and a line for
// each sender. It holds no pointers, so the garbage collector never walks the table. A million flows are a million of
// these and of the rare: TestRecordSize bounds both.
type record struct {
	key         pair
	watch       watch
	state       state
	acked       [2]uint32 // TCP: what each side last acknowledged, by acks; 0 = nothing yet
	first, last int64
	low, high   half // by sender
}

// state is the End of a flow and what its sides are to each other: in a byte, so that acked fits into the cache line that
// every packet touches.
type state uint8

const (
	stateEnd     state = 3         // the bits of the End
	initiatorLow state = 2 << iota // who sent the SYN if one was seen (or answered), of UDP the first packet; neither is not known
	initiatorHigh
	firstIsLow // who sent the first packet
	snapped
	spokeLow // who last sent payload over TCP
	spokeHigh
)

func (r *record) end() End { return End(r.state & stateEnd) }

func (r *record) finish(e End) { r.state = r.state&^stateEnd | state(e) }

func (r *record) initiatorKnown() bool { return r.state&(initiatorLow|initiatorHigh) != 0 }

func (r *record) initiatorIsLow() bool { return r.state&initiatorLow != 0 }

// opened notes who opened the flow.
func (r *record) opened(isLow bool) {
	if isLow {
		r.state |= initiatorLow
	} else {
		r.state |= initiatorHigh
	}
}

// spoke is the state of the side that sent o having spoken last.
func spoke(o *Observation) state {
	if o.fromLow {
		return spokeLow
	}
	return spokeHigh
}

// acks is what a side last acknowledged of the other's stream.
func (r *record) acks(isLow bool) *uint32 {
	if isLow {
		return &r.acked[0]
	}
	return &r.acked[1]
}

// delivered says whether the receiver of o had acknowledged all bytes up to end before o was captured: then o is a copy of
// what arrived, or its acknowledgement overtook it on the way into the capture. Wireshark calls both a spurious
// retransmission (tcp.analysis.spurious_retransmission).
func (r *record) delivered(end uint32, o *Observation) bool {
	acked := *r.acks(!o.fromLow)
	return acked != 0 && int32(acked-end) >= 0
}

// sides are a set of a flow's endpoints.
type sides uint8

func sideOf(isLow bool) sides {
	if isLow {
		return 1
	}
	return 2
}

// half is what one side of a flow sent.
type half struct {
	packets, frame, ip, payload uint64
	stream                      stream
}

// rare is the rest of a record, which few packets touch.
type rare struct {
	rtt       handshake
	low, high rareHalf
	timing    uint32 // index+1 into the Table's timings, 0 = none
	iface     uint16 // of the first packet
	resets    sides  // who sent a reset, and behind unreachableShift whose packets did not arrive
}

type rareHalf struct {
	isn         uint32 // valid if the stream's SYN was seen
	retransmits uint32
}

// handshake holds the times of a TCP handshake, 0 = not seen.
type handshake struct{ syn, synAck, ack int64 }

// free says that the record is nobody's: it was folded, and waits for another flow.
func (r *record) free() bool { return r.key.proto == 0 }

// emptied says that all packets of the flow turned out to be another's: see Table.Reduce.
func (r *record) emptied() bool { return r.low.packets == 0 && r.high.packets == 0 }

func (r *record) sender(isLow bool) (from, to *half) {
	if isLow {
		return &r.low, &r.high
	}
	return &r.high, &r.low
}

func (r *rare) sender(isLow bool) *rareHalf {
	if isLow {
		return &r.low
	}
	return &r.high
}

// ended says that no more data can follow: a SYN now opens another flow.
func (r *record) ended() bool { return r.end() == EndFIN || r.end() == EndRST }

// idle is how long nothing may come before what comes begins another flow, nanoseconds.
func (r *record) idle() int64 {
	switch {
	case r.key.proto != TCP:
		return udpIdle
	case r.ended():
		return closedIdle
	}
	return tcpIdle
}

// flow is the record as a Flow seen from this host.
func (r *record) flow(rest *rare, local Local, holes *holeList) Flow {
	localIsLow, locality := r.orient(local)
	from, to := r.sender(localIsLow)
	rareFrom, rareTo := rest.sender(localIsLow), rest.sender(!localIsLow)
	f := Flow{
		Key:       Key{Proto: r.key.proto, IPv6: r.key.ipv6, Local: r.key.low, Remote: r.key.high},
		Interface: int(rest.iface),
		Locality:  locality, End: r.end(), First: r.first, Last: r.last,
		Counts: Counts{
			from.packets, from.frame, from.payload,
			to.packets, to.frame, to.payload,
		},
		TxIPBytes: from.ip, RxIPBytes: to.ip,
		TxStream: from.stream.unique, RxStream: to.stream.unique,
		TxRetransmits: uint64(rareFrom.retransmits), RxRetransmits: uint64(rareTo.retransmits),
		TxSawSYN: from.stream.sawSYN, RxSawSYN: to.stream.sawSYN,
		TxSawFIN: from.stream.sawFIN, RxSawFIN: to.stream.sawFIN,
		TxSawRST: rest.resets&sideOf(localIsLow) != 0, RxSawRST: rest.resets&sideOf(!localIsLow) != 0,
		TxUnreachable: rest.resets>>unreachableShift&sideOf(localIsLow) != 0, RxUnreachable: rest.resets>>unreachableShift&sideOf(!localIsLow) != 0,
		TxGap: holes.missing(&from.stream), RxGap: holes.missing(&to.stream),
		Snapped: r.state&snapped != 0,
	}
	f.SYNRTT, f.ACKRTT = rest.rtt.halves()
	if f.Connect = NoRTT; f.SYNRTT != NoRTT {
		f.Connect = max(rest.rtt.synAck-r.first, f.SYNRTT)
	}
	if !localIsLow {
		f.Key.Local, f.Key.Remote = r.key.high, r.key.low
	}
	switch {
	case !r.initiatorKnown():
	case r.initiatorIsLow() == localIsLow:
		f.Initiator = InitiatorLocal
	default:
		f.Initiator = InitiatorRemote
	}
	return f
}

// orient finds this host's side. Where both sides or neither are this host's it is the side that opened
// the flow, or if that was not seen the one that spoke first.
func (r *record) orient(local Local) (localIsLow bool, locality Locality) {
	k := Key{Local: r.key.low, Remote: r.key.high, IPv6: r.key.ipv6}
	low, high := local.Contains(k.LocalAddr().Addr()), local.Contains(k.RemoteAddr().Addr())
	switch {
	case low && !high:
		return true, LocalOne
	case high && !low:
		return false, LocalOne
	case low && high:
		locality = LocalBoth
	}
	if r.initiatorKnown() {
		return r.initiatorIsLow(), locality
	}
	return r.state&firstIsLow != 0, locality
}

func (h handshake) halves() (syn, ack int64) { return lapse(h.syn, h.synAck), lapse(h.synAck, h.ack) }

// lapse is the time from one packet to a later one, NoRTT if either was not seen or the capture's clock ran backwards.
func lapse(from, to int64) int64 {
	if from == 0 || to == 0 || to < from {
		return NoRTT
	}
	return to - from
}
