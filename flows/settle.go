package flows

// settleSlack is how much later than an idle flow's end its packets may still come: those of several interfaces are not
// read in the order of their times. Nanoseconds.
const settleSlack = 5_000_000_000

// Over is a flow that nothing can be added to any more.
type Over struct {
	Flow Flow
	Next int64 // when the next flow of its 5-tuple began that is not over, nanoseconds since 1970 UTC; 0 = there is none
	id   uint32
}

// Over lists the flows that were over at the time now, the newest packet's, as Flows has them: whatever comes of their 5-tuples
// begins another flow, or has begun one. Flows that Reduce emptied are among them. It costs a pass over the table; whoever keeps sums
// of some then takes these out with Drop.
func (t *Table) Over(now int64, local Local) (list []Over) {
	next := map[pair]int64{} // of 5-tuples in use again
	newest := t.newest()
	for id := range t.records.length {
		r := t.records.at(id)
		if r.free() {
			continue
		}
		if !r.over(now, !newest.has(id)) {
			if at, known := next[r.key]; !newest.has(id) && (!known || r.first < at) {
				next[r.key] = r.first
			}
			continue
		}
		o := Over{id: id}
		if !newest.has(id) {
			heir, _ := t.lookUp(&r.key)
			if n := t.records.at(heir); !n.over(now, false) {
				o.Next = n.first
			}
		}
		t.listOver(&o, r, local)
		list = append(list, o)
	}
	for i := range list {
		if at, known := next[t.records.at(list[i].id).key]; known && at < list[i].Next {
			list[i].Next = at
		}
	}
	return list
}

func (t *Table) listOver(o *Over, r *record, local Local) {
	o.Flow = r.flow(t.rares.at(o.id), local, &t.holes)
	t.names.finish(o.id)
	o.Flow.Names = t.names.of(o.id, &o.Flow)
	if m := new(Timing); t.timingOf(o.id, r, &o.Flow, m) != nil {
		o.Flow.Timing = m
	}
	o.Flow.Pieces = t.piecesOf(o.id, r, &o.Flow)
}

// Drop takes those flows out of the table that Over listed since the last packet and that were taken.
func (t *Table) Drop(list []Over, taken []bool) {
	for i := range list {
		if taken[i] {
			t.forget(list[i].id, t.records.at(list[i].id))
		}
	}
	t.reindex()
}

// over says that nothing can be added to r; superseded, that its 5-tuple has a newer record.
func (r *record) over(now int64, superseded bool) bool {
	if superseded {
		return now-r.last > settleSlack
	}
	return now-r.last > r.idle()+settleSlack
}

// idSet is a set of indexes of records.
type idSet []uint64

func (s idSet) has(id uint32) bool { return s[id/64]&(1<<(id%64)) != 0 }

// newest are the records that the packets of their 5-tuples find. One pass over the index costs less than to look for each.
func (t *Table) newest() idSet {
	s := make(idSet, t.records.length/64+1)
	for i := range t.slots {
		if id := t.slots[i].id; id > 0 {
			s[(id-1)/64] |= 1 << ((id - 1) % 64)
		}
	}
	return s
}

// lookUp finds the record of a 5-tuple that its packets find, if there is one.
func (t *Table) lookUp(key *pair) (id uint32, found bool) {
	hash := hashOf(&key.low, &key.high, key.proto)
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; t.slots[i].id > 0; i = (i + 1) & mask {
		if s := t.slots[i]; s.hash == hash && t.records.at(s.id-1).key == *key {
			return s.id - 1, true
		}
	}
	return 0, false
}

// InUse says of 5-tuples and ports whether a Table has flows of them. It is valid until the next packet.
type InUse struct {
	table *Table
	older map[pair]int64 // when the first flow of a 5-tuple with several began
	ports map[Protocol]*[1 << 16]bool
}

// InUse lists what the flows in the table use, in a pass over it.
func (t *Table) InUse() *InUse {
	u := &InUse{table: t, older: make(map[pair]int64), ports: make(map[Protocol]*[1 << 16]bool)}
	newest := t.newest()
	for id := range t.records.length {
		r := t.records.at(id)
		if r.free() {
			continue
		}
		if !newest.has(id) {
			if at, known := u.older[r.key]; !known || r.first < at {
				u.older[r.key] = r.first
			}
		}
		ports := u.ports[r.key.proto]
		if ports == nil {
			ports = new([1 << 16]bool)
			u.ports[r.key.proto] = ports
		}
		ports[r.key.low.Port], ports[r.key.high.Port] = true, true
	}
	return u
}

// Flow says whether a flow of a 5-tuple, seen from either side, began by a time, nanoseconds since 1970 UTC.
func (u *InUse) Flow(key Key, by int64) bool {
	o := Observation{Src: key.Local, Dst: key.Remote, Proto: key.Proto, IPv6: key.IPv6}
	o.locate()
	id := u.table.slots[u.table.find(&o)].id
	if id == 0 {
		return false
	}
	if first, several := u.older[o.pair()]; several && first <= by {
		return true
	}
	return u.table.records.at(id-1).first <= by
}

// Port says whether a flow of a protocol has the port on either side.
func (u *InUse) Port(proto Protocol, port uint16) bool {
	ports := u.ports[proto]
	return ports != nil && ports[port]
}
