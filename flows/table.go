package flows

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
	timed     bool       // see TakeTimes
	hands     *handOvers // see TakeHandOvers, nil without
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
	if t.hands != nil && o.Proto == UDP {
		t.hands.count(id, r, o)
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
		if t.hands != nil && len(t.hands.told) > 0 {
			t.hands.begin(id, o.hash, r)
		}
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
