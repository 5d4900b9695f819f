package flows

import (
	"cmp"
	"iter"
	"slices"
)

const (
	// udpIdle ends a UDP flow: Linux forgets an assured UDP stream after the same time
	// (net.netfilter.nf_conntrack_udp_timeout_stream).
	udpIdle = 120_000_000_000
	// tcpIdle ends a TCP flow without FIN or RST: past the default keep-alive time of 7200 s and its nine
	// probes of 75 s each (tcp(7)) the other side is gone.
	tcpIdle = 7_875_000_000_000
	// closedIdle ends a TCP flow that was closed or reset: neither side knows of the connection any more after TIME_WAIT
	// (TCP_TIMEWAIT_LEN of include/net/tcp.h; RFC 9293 §3.4.2 asks for two segment lifetimes).
	closedIdle = 60_000_000_000
)

// Table keeps the flows of a run. It is not safe for concurrent use: one goroutine owns it.
type Table struct {
	slots   []slot // open addressing, a power of two; at most three quarters full
	used    int
	records arena[record]
	rares   arena[rare] // by the same index
	freed   []uint32    // indexes of folded records, to be used again

	slotMemory memory

	holes     holeList
	timings   timings
	timed     bool // see TakeTimes
	fragments fragments
	names     nameBook
	undecoded map[Kind]*Undecoded
	lastKind  Kind       // of packets without a flow, the last one, which the next is most likely like
	ofLast    *Undecoded // nil before the first
	ifaces    []InterfaceCounts
	repeated  Repeated
	touched   []uint32              // scratch of touch
	lessons   Lessons               // scratch of AddBatch
	sink      uint64                // keeps the compiler from dropping touch's loads
	senders   map[Endpoint]struct{} // with Port 0: addresses that the capture itself marks as this host's
}

type slot struct{ hash, id uint32 } // id is 1 + index of the newest record of a key, 0 = free

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

// maxSenders bounds Table.senders: a host with more addresses than this needs --local.
const maxSenders = 4096

// touchLength is how many packets are looked up at a time.
const touchLength = 256

// NewTable makes an empty Table.
func NewTable() *Table {
	return &Table{
		slots:     make([]slot, firstLength),
		fragments: newFragments(),
		names:     newNameBook(),
		undecoded: make(map[Kind]*Undecoded),
		senders:   make(map[Endpoint]struct{}),
	}
}

// TakeTimes makes the Table take the times of flows and look-ups: Flow.Timing and Lookups. Without it they are missing, and
// captures of many short flows are read a quarter faster. It must come before the first packet and before Follower.
func (t *Table) TakeTimes() { t.timed, t.names.lookups.on = true, true }

// AddBatch accounts for packets and appends to begun the keys of flows that they began, each as its first
// sender sees it: for callers who want to look up sockets while they exist. It is Add for each packet, but that the
// cache misses of a large table overlap: on 20 million packets of a million flows in random order it takes half the time.
//
// payloads are those of some of the packets, in their order, to read names from.
func (t *Table) AddBatch(batch []Observation, payloads []Payload, begun []Key) []Key {
	begun = t.Account(batch, payloads, begun, &t.lessons)
	t.Learn(batch, payloads, &t.lessons)
	return begun
}

// Add accounts for one packet. It returns whether the packet began a flow, and then the flow's key as
// its first sender sees it, for callers who want to look up sockets while they exist.
func (t *Table) Add(o *Observation) (began bool, key Key) {
	for _, key = range t.AddBatch([]Observation{*o}, nil, nil) {
		return true, key
	}
	return false, key
}

// count is Add without the key, which few packets need, but with the flow's index, if it has one.
func (t *Table) count(o *Observation) (id uint32, began bool) {
	t.countInterface(o)
	if !o.Kind.Decoded() {
		t.countUndecoded(o.Kind, 1, uint64(o.Frame))
		if o.signs == signUnreachable {
			t.refuse(o)
		}
		return 0, false
	}
	if o.hash == 0 {
		o.locate() // made by hand, not by Decode
	}
	if o.Outgoing && len(t.senders) < maxSenders {
		t.senders[Endpoint{Addr: o.Src.Addr}] = struct{}{}
	}
	if o.FragLater && !t.fragments.place(t, o) {
		return 0, false
	}
	id, began = t.add(o)
	if o.FragMore {
		t.fragments.release(t, o)
	}
	return id, began
}

func (t *Table) add(o *Observation) (id uint32, began bool) {
	id, began = t.record(o)
	r := t.records.at(id)
	r.last = max(r.last, o.Time)
	r.first = min(r.first, o.Time)
	from, to := r.sender(o.fromLow)
	from.packets++
	from.frame += uint64(o.Frame)
	from.ip += uint64(o.IPBytes)
	from.payload += uint64(o.Payload)
	switch {
	case o.Snapped:
		r.state |= snapped
	case o.Proto == TCP && !o.FragLater:
		t.tcp(id, r, from, to, o)
	case o.Proto == UDP && t.timed && (r.watch != 0 || o.signs&signInitial != 0):
		t.quic(id, r, o)
	}
	return id, began
}

// record finds the flow of a packet, or begins one, and returns its index.
func (t *Table) record(o *Observation) (id uint32, began bool) {
	i := t.find(o)
	if id := t.slots[i].id; id != 0 {
		if !t.reused(id-1, o) {
			return id - 1, false
		}
	} else {
		if t.used*4 >= len(t.slots)*3 {
			t.grow()
			i = t.find(o)
		}
		t.used++
	}
	id = t.append()
	t.slots[i] = slot{o.hash, id + 1}
	r := t.records.at(id)
	*r = record{key: o.pair(), first: o.Time, last: o.Time}
	if o.fromLow {
		r.state = firstIsLow
	}
	if o.Interface > 0 {
		t.rares.at(id).iface = o.Interface
	}
	if o.Proto == UDP {
		r.opened(o.fromLow)
	}
	return id, true
}

// reused says that o begins another life of a record's 5-tuple: after a long silence, or with a SYN that
// its flow did not begin with. Wireshark splits conversations by the same rule.
func (t *Table) reused(id uint32, o *Observation) bool {
	r := t.records.at(id)
	if o.Time > r.last && o.Time-r.last > r.idle() {
		if !r.ended() {
			r.finish(EndIdle)
		}
		return true
	}
	if o.Proto != TCP || o.Snapped || o.FragLater || o.Flags&SYN == 0 {
		return false
	}
	from, _ := r.sender(o.fromLow)
	s := &from.stream
	if !s.started || o.Flags&ACK != 0 && !r.ended() {
		return false
	}
	if s.sawSYN {
		return o.Seq != t.rares.at(id).sender(o.fromLow).isn
	}
	return o.Seq+1 != s.base // data may have been captured ahead of its own SYN
}

// tcp follows the connection's state and its stream.
func (t *Table) tcp(id uint32, r *record, from, to *half, o *Observation) {
	s := &from.stream
	seq, again := o.Seq, false
	if o.Flags&SYN != 0 {
		seq++ // the SYN takes a sequence number (RFC 9293 §3.4)
		again = t.syn(r, t.rares.at(id), s, o, seq)
	} else if r.watch != 0 || o.signs&signShut != 0 && t.timed {
		t.watched(id, r, from, o)
	}
	if o.Payload > 0 {
		if t.timed && r.state&spoke(o) == 0 && t.turn(id, r, from, to, o) {
			r.state = r.state&^(spokeLow|spokeHigh) | spoke(o)
		}
		if o.Payload <= controlBytes && t.timed && o.Time-from.stream.lastNew > answerPause {
			t.paused(id, r, from.stream.lastNew, o)
		}
		again = t.stream(id, r, s, seq, o) || again
		if from.packets%sampleEvery == 0 && t.timed && !again {
			t.sample(id, r, o)
		}
	} else if !s.started {
		s.begin(seq)
	}
	if o.Flags&ACK != 0 {
		*r.acks(o.fromLow) = o.Ack
	}
	if o.Flags&(FIN|RST) != 0 {
		if o.Flags&FIN != 0 {
			t.tails(s, &to.stream, seq+o.Payload, o)
		}
		again = t.closing(id, r, s, to, o) || again
	}
	if again { // once for a segment, whatever of it was sent again
		t.rares.at(id).sender(o.fromLow).retransmits++
		if t.timed {
			t.resent(id, r, o)
		}
	}
}

// stream accounts for the payload of a segment whose first byte has the number seq; true says that it was sent again.
func (t *Table) stream(id uint32, r *record, s *stream, seq uint32, o *Observation) (resent bool) {
	end := seq + o.Payload
	switch s.segment(seq, end, o.Time, &t.holes) {
	case probe:
		return false
	case again:
		return true
	case late:
		rtt, _ := t.rares.at(id).rtt.halves()
		if s.resent(o.Time, rtt) || r.delivered(end, o) {
			return true
		}
		if t.timed {
			t.overtaken(id, o)
		}
		return false
	}
	return r.delivered(end, o)
}

// closing notes FIN and RST; true says that the FIN was sent again.
func (t *Table) closing(id uint32, r *record, s *stream, to *half, o *Observation) (resent bool) {
	if o.Flags&FIN != 0 {
		resent = s.sawFIN && o.Payload == 0
		s.sawFIN = true
	}
	if o.Flags&RST != 0 {
		t.rares.at(id).resets |= sideOf(o.fromLow)
		r.finish(EndRST)
	}
	if r.end() != EndRST && s.sawFIN && to.stream.sawFIN {
		r.finish(EndFIN)
	}
	return resent
}

// syn notes who opened the connection, when, and where the stream begins; true says that the SYN was sent again.
func (t *Table) syn(r *record, rest *rare, s *stream, o *Observation, first uint32) (resent bool) {
	from := rest.sender(o.fromLow)
	resent = s.sawSYN && from.isn == o.Seq
	if !s.started || s.unique == 0 {
		// A listener that forgot its half-open connection answers the next SYN with another number.
		s.begin(first)
	}
	s.sawSYN, from.isn = true, o.Seq
	rtt := &rest.rtt
	if o.Flags&ACK != 0 {
		if !r.initiatorKnown() {
			r.opened(!o.fromLow)
		}
		if rtt.synAck == 0 {
			rtt.synAck = o.Time
			r.watch.set(watchHandshake, rtt.ack == 0)
		}
		return resent
	}
	if !r.initiatorKnown() {
		r.opened(o.fromLow)
	}
	if rtt.ack == 0 && o.fromLow == r.initiatorIsLow() {
		*rtt = handshake{syn: o.Time} // of several SYNs the one whose answer was taken
		r.watch.set(watchHandshake, false)
	}
	return resent
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

func (t *Table) countUndecoded(k Kind, packets, bytes uint64) {
	if t.ofLast == nil || t.lastKind != k {
		u := t.undecoded[k]
		if u == nil {
			u = &Undecoded{Kind: k.String()}
			t.undecoded[k] = u
		}
		t.lastKind, t.ofLast = k, u
	}
	t.ofLast.Packets += packets
	t.ofLast.Bytes += bytes
}

// Len is how many flows there are.
func (t *Table) Len() int { return int(t.records.length) - len(t.freed) }

// Close gives the table's memory back. Neither the Table nor what All yields may be used any more; Flows that it
// handed out are copies.
func (t *Table) Close() {
	t.records.free()
	t.rares.free()
	t.timings.free()
	t.names.found.free()
	t.slotMemory.free()
	*t = Table{}
}

// Interfaces is what was captured by interface index.
func (t *Table) Interfaces() []InterfaceCounts { return slices.Clone(t.ifaces) }

// Flows appends all flows as seen from the host with the addresses in local, in the order in which they began
// if none were folded.
func (t *Table) Flows(dst []Flow, local Local) []Flow {
	dst = slices.Grow(dst, t.Len())
	for f := range t.All(local) {
		dst = append(dst, f.Clone())
	}
	return dst
}

// All yields all flows as Flows has them, without a list in memory: each Flow is valid until the next. The Table must
// not be added to meanwhile.
func (t *Table) All(local Local) iter.Seq[*Flow] {
	return func(yield func(*Flow) bool) {
		t.names.settle()
		for chunk := range t.chunks() {
			if !t.yieldChunk(chunk, local, yield) {
				return
			}
		}
	}
}

// Drain yields all flows as All does, in parts that may be read at the same time, each of them once. The table gives
// its memory back as it is read, and may not be used any more but for Close.
func (t *Table) Drain(local Local, parts int) []iter.Seq[*Flow] {
	t.names.settle()
	t.slotMemory.free()
	t.slots, t.slotMemory = nil, nil
	all := make([]iter.Seq[*Flow], parts)
	for i := range parts {
		first, end := t.chunks()*uint32(i)/uint32(parts), t.chunks()*uint32(i+1)/uint32(parts)
		all[i] = func(yield func(*Flow) bool) {
			for chunk := first; chunk < end && t.yieldChunk(chunk, local, yield); chunk++ {
				t.records.release(chunk)
				t.rares.release(chunk)
			}
		}
	}
	return all
}

func (t *Table) chunks() uint32 { return (t.records.length + chunkLength - 1) / chunkLength }

// yieldChunk yields the flows of a chunk; false says that no more are wanted.
func (t *Table) yieldChunk(chunk uint32, local Local, yield func(*Flow) bool) bool {
	var f Flow
	var m Timing
	for id := chunk * chunkLength; id < min((chunk+1)*chunkLength, t.records.length); id++ {
		r := t.records.at(id)
		if r.free() || r.emptied() {
			continue
		}
		f = r.flow(t.rares.at(id), local, &t.holes)
		f.Names = t.names.of(id, &f)
		f.Timing = t.timingOf(id, r, &f, &m)
		if !yield(&f) {
			return false
		}
	}
	return true
}

// Undecoded lists what belongs to no flow, by name.
func (t *Table) Undecoded() []Undecoded {
	all := make(map[string]Undecoded, len(t.undecoded)+1)
	add := func(u Undecoded) {
		sum := all[u.Kind]
		all[u.Kind] = Undecoded{u.Kind, sum.Packets + u.Packets, sum.Bytes + u.Bytes}
	}
	for _, u := range t.undecoded {
		add(*u)
	}
	if packets, bytes := t.fragments.waiting(); packets > 0 {
		add(Undecoded{simple(kindFragment).String(), packets, bytes})
	}
	list := make([]Undecoded, 0, len(all))
	for _, u := range all {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b Undecoded) int { return cmp.Compare(a.Kind, b.Kind) })
	return list
}
