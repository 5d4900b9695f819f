package summarize

import (
	"hash/maphash"
	"net/netip"
	"slices"
)

// destinationTable sums by destination. Its limit bounds its memory, not its sums: past it the smallest half is
// added up, by group.
type destinationTable struct {
	limit   int
	slots   []destinationSlot // open addressing: a power of two, at most three quarters full
	chunks  [][]destinationSum
	length  int
	others  []OtherDestinations    // by group
	texts   groups[string, string] // names of peers and destinations
	numbers []uint32               // of texts, by flows.Names.Number
	behind  [][]netip.Addr         // by sum, as far as there are any: addresses of those that have a name
	waiting []waitingSum
	times   timeTable
	timesAt []*timeSum // by sum, as far as there are any
	by      Grouping
	timed   bool
	touched uint64 // keeps the compiler from dropping flush's loads

	timedFlows []timedFlow // those of waiting that tell of times
	mergedTo   []uint32    // scratch of merge: numbers+1 of times here, by the other's
}

// destinationSlot holds the index+1 of a sum, 0 = free, and the hash of its key: what has another is not looked at.
type destinationSlot struct{ hash, index uint32 }

// waitingSum is what is still to be added to a destination's sum.
type waitingSum struct {
	hash uint32
	addr netip.Addr // if the destination has a name
	destinationSum
	timed  int      // index+1 into timedFlows, 0 = none
	merged *timeSum // nil = none
}

// maxWaiting is how many sums are made at a time, so that the cache misses of a large table overlap.
const maxWaiting = 64

// destinationChunk is how many sums are allocated at a time: growing never copies them.
const destinationChunk = 1 << 12

// destinationSeed: whoever could predict the hash could make one chain of a table as long as he likes. No output depends
// on it.
var destinationSeed = maphash.MakeSeed()

func (d *destinationTable) add(group uint32, use *FlowUse, t *Totals) {
	key := d.keyOf(use)
	key.group = group
	var addr netip.Addr
	if key.name > 0 {
		addr = use.Flow.Key.RemoteAddr().Addr()
	}
	w := waitingSum{addr: addr, destinationSum: destinationSum{key, *t}}
	if d.timed && t.Flows > 0 && tells(&use.Flow) { // of a flow that is divided, once
		d.remember(&use.Flow)
		w.timed = len(d.timedFlows)
	}
	d.wait(&w)
}

// wait has a sum made soon.
func (d *destinationTable) wait(w *waitingSum) {
	w.hash = hashOf(&w.key)
	d.waiting = append(d.waiting, *w)
	if len(d.waiting) == maxWaiting {
		d.flush()
	}
}

// flush makes the sums that wait. It first loads what they will need, slots and then sums, none of the loads waiting
// for another.
func (d *destinationTable) flush() {
	for (d.length+len(d.waiting))*4 >= len(d.slots)*3 {
		d.grow()
	}
	mask := len(d.slots) - 1
	for i := range d.waiting {
		d.touched += uint64(d.slots[int(d.waiting[i].hash)&mask].index)
	}
	for i := range d.waiting {
		if at := d.probe(d.waiting[i].hash); at > 0 {
			sum := d.at(int(at) - 1)
			d.touched += uint64(sum.key.group) + uint64(sum.totals.Flows) + uint64(len(d.addressesBehind(int(at)-1)))
			if s := d.knownTimes(int(at) - 1); s != nil {
				d.touched += s.counts.TxPayload + uint64(s.counts.Flows)
			}
		}
	}
	for i := range d.waiting {
		d.sumNow(&d.waiting[i])
	}
	d.waiting, d.timedFlows = d.waiting[:0], d.timedFlows[:0]
}

func (d *destinationTable) sumNow(w *waitingSum) {
	i := d.find(w.hash, &w.key)
	if d.slots[i].index == 0 {
		if d.length == d.limit {
			d.halve()
			i = d.find(w.hash, &w.key)
		}
		if d.length%destinationChunk == 0 && d.length/destinationChunk == len(d.chunks) {
			d.chunks = append(d.chunks, make([]destinationSum, destinationChunk))
		}
		*d.at(d.length) = destinationSum{key: w.key}
		d.length++
		d.slots[i] = destinationSlot{w.hash, uint32(d.length)}
	}
	at := int(d.slots[i].index) - 1
	d.at(at).totals.add(&w.totals)
	if w.addr.IsValid() {
		d.isBehind(at, w.addr)
	}
	if w.timed > 0 || w.merged != nil {
		d.take(w, at)
	}
}

// isBehind notes that addr is an address of a named destination.
func (d *destinationTable) isBehind(sum int, addr netip.Addr) {
	if sum >= len(d.behind) {
		d.behind = append(d.behind, make([][]netip.Addr, d.length-len(d.behind))...)
	}
	if known := d.behind[sum]; len(known) < maxAddresses && !slices.Contains(known, addr) {
		d.behind[sum] = append(known, addr)
	}
}

func (d *destinationTable) addressesBehind(sum int) []netip.Addr {
	if sum < len(d.behind) {
		return d.behind[sum]
	}
	return nil
}

func (d *destinationTable) at(i int) *destinationSum {
	return &d.chunks[i/destinationChunk][i%destinationChunk]
}

func hashOf(key *destinationKey) uint32 { return uint32(maphash.Comparable(destinationSeed, *key)) }

// find returns the slot of key, or the free one where it belongs.
func (d *destinationTable) find(hash uint32, key *destinationKey) int {
	mask := len(d.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		s := d.slots[i]
		if s.index == 0 || s.hash == hash && d.at(int(s.index)-1).key == *key {
			return i
		}
	}
}

// probe returns the index+1 of the first sum with that hash, 0 if there is none.
func (d *destinationTable) probe(hash uint32) uint32 {
	mask := len(d.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		if s := d.slots[i]; s.index == 0 || s.hash == hash {
			return s.index
		}
	}
}

// grow doubles the slots.
func (d *destinationTable) grow() {
	old := d.slots
	d.slots = make([]destinationSlot, max(256, 2*len(old)))
	for _, s := range old {
		if s.index > 0 {
			d.place(s)
		}
	}
}

// place puts s where it belongs; no slot has its key yet.
func (d *destinationTable) place(s destinationSlot) {
	mask := len(d.slots) - 1
	i := int(s.hash) & mask
	for d.slots[i].index != 0 {
		i = (i + 1) & mask
	}
	d.slots[i] = s
}

// halve adds the smaller half of the destinations up, of equal ones those that came last.
func (d *destinationTable) halve() {
	bytes := make([]uint64, d.length)
	for i := range bytes {
		bytes[i] = d.at(i).totals.Bytes()
	}
	slices.Sort(bytes)
	middle := bytes[d.length/2]
	above, _ := slices.BinarySearch(bytes, middle+1)
	room := d.length/2 - (d.length - above) // for those that have just as many as the middle
	kept := 0
	for i := range d.length {
		sum := d.at(i)
		size := sum.totals.Bytes()
		switch {
		case size == middle && room > 0:
			room--
		case size <= middle:
			d.other(sum.key.group).count(&sum.totals, 1)
			if s := d.knownTimes(i); s != nil {
				d.times.drop(s)
			}
			continue
		}
		*d.at(kept) = *sum
		if i < len(d.behind) {
			d.behind[kept] = d.behind[i]
		}
		if i < len(d.timesAt) {
			d.timesAt[kept] = d.timesAt[i]
		}
		kept++
	}
	d.length = kept
	if kept < len(d.behind) {
		clear(d.behind[kept:])
		d.behind = d.behind[:kept]
	}
	if kept < len(d.timesAt) {
		clear(d.timesAt[kept:])
		d.timesAt = d.timesAt[:kept]
	}
	clear(d.slots)
	for i := range d.length {
		d.place(destinationSlot{hashOf(&d.at(i).key), uint32(i) + 1})
	}
}

func (d *destinationTable) other(group uint32) *OtherDestinations {
	for int(group) >= len(d.others) {
		d.others = append(d.others, OtherDestinations{})
	}
	return &d.others[group]
}

// merge adds the sums of o, whose group g is this table's groupOf[g].
func (d *destinationTable) merge(o *destinationTable, groupOf []uint32) {
	o.flush()
	d.mergedTo = make([]uint32, len(o.times.list))
	for i := range o.length {
		from := o.at(i)
		w := waitingSum{destinationSum: *from, merged: o.knownTimes(i)}
		w.key.group = groupOf[w.key.group]
		if w.key.peer > 0 {
			w.key.peer = d.text(o.texts.list[w.key.peer-1])
		}
		if w.key.name == 0 {
			d.wait(&w)
			continue
		}
		w.key.name = d.text(o.texts.list[w.key.name-1])
		for _, addr := range o.addressesBehind(i) {
			w.addr = addr
			d.wait(&w)
			w.totals, w.merged = Totals{}, nil // once
		}
	}
	d.flush()
	d.mergeLog(&o.times)
	d.mergedTo = nil
	for group := range o.others {
		d.other(groupOf[group]).count(&o.others[group].Totals, o.others[group].Destinations)
	}
}
