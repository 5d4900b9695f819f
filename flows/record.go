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
	key   pair
	iface uint16 // of the first packet
	end   End
	// initiatorIsLow is the sender of the SYN if one was seen (or answered), for UDP of the first packet.
	initiatorKnown, initiatorIsLow bool
	firstIsLow                     bool
	snapped                        bool
	watch                          watch
	resets                         sides // who sent a reset, and behind unreachableShift whose packets did not arrive
	speaker                        sides // who last sent payload over TCP
	first, last                    int64
	low, high                      half // by sender
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
func (r *record) ended() bool { return r.end == EndFIN || r.end == EndRST }

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
		Interface: int(r.iface),
		Locality:  locality, End: r.end, First: r.first, Last: r.last,
		Counts: Counts{
			from.packets, from.frame, from.payload,
			to.packets, to.frame, to.payload,
		},
		TxIPBytes: from.ip, RxIPBytes: to.ip,
		TxStream: from.stream.unique, RxStream: to.stream.unique,
		TxRetransmits: uint64(rareFrom.retransmits), RxRetransmits: uint64(rareTo.retransmits),
		TxSawSYN: from.stream.is(sawSYN), RxSawSYN: to.stream.is(sawSYN),
		TxSawFIN: from.stream.is(sawFIN), RxSawFIN: to.stream.is(sawFIN),
		TxSawRST: r.resets&sideOf(localIsLow) != 0, RxSawRST: r.resets&sideOf(!localIsLow) != 0,
		TxUnreachable: r.resets>>unreachableShift&sideOf(localIsLow) != 0, RxUnreachable: r.resets>>unreachableShift&sideOf(!localIsLow) != 0,
		TxGap: holes.missing(&from.stream), RxGap: holes.missing(&to.stream),
		Snapped: r.snapped,
	}
	f.SYNRTT, f.ACKRTT = rest.rtt.halves()
	if f.Connect = NoRTT; f.SYNRTT != NoRTT {
		f.Connect = max(rest.rtt.synAck-r.first, f.SYNRTT)
	}
	if !localIsLow {
		f.Key.Local, f.Key.Remote = r.key.high, r.key.low
	}
	switch {
	case !r.initiatorKnown:
	case r.initiatorIsLow == localIsLow:
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
	if r.initiatorKnown {
		return r.initiatorIsLow, locality
	}
	return r.firstIsLow, locality
}

func (h handshake) halves() (syn, ack int64) { return lapse(h.syn, h.synAck), lapse(h.synAck, h.ack) }

// lapse is the time from one packet to a later one, NoRTT if either was not seen or the capture's clock ran backwards.
func lapse(from, to int64) int64 {
	if from == 0 || to == 0 || to < from {
		return NoRTT
	}
	return to - from
}
