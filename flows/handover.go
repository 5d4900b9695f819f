package flows

import (
	"iter"
	"slices"
)

// A UDP 5-tuple that goes from one socket to another leaves no trace on the wire: its packets are one flow. Who knows of it from
// elsewhere tells the Table, before or after it has had the packets, and the Flow then says what came before and what came after.

// HandOver says that a UDP 5-tuple went from one socket of Key.Local's host to another.
type HandOver struct {
	Key Key
	// After is when the former socket had ended and the next was not certain to be there yet, By when it was. Nanoseconds since 1970 UTC.
	After, By int64
	Unsure    bool // the former one may not have ended by After
}

// Piece is what a flow had between two hand-overs; bytes as in Flow.
type Piece struct {
	First, Last int64 // times of its first and last packet, nanoseconds since 1970 UTC
	Counts
	TxIPBytes, RxIPBytes uint64
	// Between says that it came while the 5-tuple changed hands: it is that of the piece before, or that of the piece after it.
	Between bool
}

const (
	// recentLength is how many UDP packets the Table remembers for hand-overs that it hears of after them: events of sockets come in
	// batches, a tenth of a second late. At 40 bytes each; a fifth of a second of 300,000 packets a second. Four times as many cost a capture of such a rate an eighth more.
	recentLength = 1 << 16
	// chains hold the packets of some flows each, so that not all have to be looked at: 16,384 flows have four packets in what is remembered.
	chains = 1 << 14
	// maxHandOvers bounds those of one flow that are told apart, and maxWindow the packets that come within one.
	maxHandOvers, maxWindow = 64, 256
	// handOverSlack is how far the times of packets and of events of sockets may be apart, in nanoseconds: both are the kernel's, but one is
	// converted from the time since boot.
	handOverSlack = 20_000
)

// handed and reduced are states of UDP flows, in bits that only TCP uses: it has a division, and Reduce took something out of it.
const handed, reduced = spokeLow, spokeHigh

// handOvers are the hand-overs told of and what it takes to follow them.
type handOvers struct {
	recent  []recent       // a ring once it is full: the n-th packet stands at n modulo recentLength
	counted uint32         // packets so far, modulo 2^32
	newest  [chains]uint32 // by hash: how many had been counted with the newest packet of these flows
	dropped int64          // time of the newest packet that is remembered no more
	told    map[pair][]handOver
	divided map[uint32]*division // by record
}

// recent is a packet that was counted.
type recent struct {
	time               int64
	id, hash           uint32
	frame, ip, payload uint32
	before             uint32 // how many had been counted with the packet before it of the flows that share its chain
	fromLow            bool
}

// handOver is a HandOver as the Table keeps it.
type handOver struct {
	after, by          int64
	localIsLow, unsure bool
}

// division is a flow in pieces. The first piece is what the others leave.
type division struct {
	at     []handOver // in order of time
	last   int64      // time of the first piece's last packet
	pieces []pieceSum // after each hand-over
	open   []window   // within each
	broken bool       // it cannot be told any more
}

// window are the packets that came while a 5-tuple changed hands.
type window struct {
	packets []recent
	more    pieceSum // those past maxWindow
}

// pieceSum are sums by sender.
type pieceSum struct {
	first, last int64
	low, high   sent
}

type sent struct{ packets, frame, ip, payload uint64 }

func (s *pieceSum) add(p *recent) {
	if s.first == 0 || p.time < s.first {
		s.first = p.time
	}
	s.last = max(s.last, p.time)
	side := &s.high
	if p.fromLow {
		side = &s.low
	}
	side.packets++
	side.frame += uint64(p.frame)
	side.ip += uint64(p.ip)
	side.payload += uint64(p.payload)
}

func (s *sent) take(o *sent) {
	s.packets -= o.packets
	s.frame -= o.frame
	s.ip -= o.ip
	s.payload -= o.payload
}

// TakeHandOvers makes the Table follow hand-overs. Of packets that came before nothing is remembered: flows that have some have pieces only of
// hand-overs after them.
func (t *Table) TakeHandOvers() {
	if t.hands != nil {
		return
	}
	t.hands = &handOvers{told: map[pair][]handOver{}, divided: map[uint32]*division{}}
	for r := range t.each() {
		t.hands.dropped = max(t.hands.dropped, r.last)
	}
}

// HandOver takes in one that is new. Those of a 5-tuple have to come in order of time; a flow of which that is not so, or whose
// packets are forgotten already, has no pieces.
func (t *Table) HandOver(h HandOver) {
	if t.hands == nil {
		return
	}
	o := Observation{Src: h.Key.Local, Dst: h.Key.Remote, Proto: h.Key.Proto, IPv6: h.Key.IPv6}
	o.locate()
	key, mine := o.pair(), handOver{after: h.After, by: h.By, localIsLow: o.fromLow, unsure: h.Unsure}
	t.hands.told[key] = append(t.hands.told[key], mine)
	if id := t.slots[t.find(&o)].id; id > 0 {
		if r := t.records.at(id - 1); r.state&handed == 0 {
			t.hands.begin(id-1, o.hash, r)
		} else {
			t.hands.divide(id-1, o.hash, r, mine)
		}
	}
}

// breakUp says that not all of what a flow had is in it any more: no pieces of it sum to what is left.
func (t *Table) breakUp(id uint32, r *record) {
	r.state |= reduced
	if r.state&handed != 0 {
		t.hands.divided[id].broken = true
	}
}

// ForgetHandOvers drops those before a time, nanoseconds since 1970 UTC, but for the pieces that flows have of them.
func (t *Table) ForgetHandOvers(before int64) {
	if t.hands == nil {
		return
	}
	for key, list := range t.hands.told {
		if list = slices.DeleteFunc(list, func(h handOver) bool { return h.by < before }); len(list) == 0 {
			delete(t.hands.told, key)
		} else {
			t.hands.told[key] = list
		}
	}
}

// begin divides a flow by all hand-overs of its 5-tuple.
func (h *handOvers) begin(id, hash uint32, r *record) {
	for _, each := range h.told[r.key] {
		h.divide(id, hash, r, each)
	}
}

// divide adds a hand-over to a flow. The packets that it has had are divided as far as they are remembered.
func (h *handOvers) divide(id, hash uint32, r *record, by handOver) {
	d := h.divided[id]
	if d == nil {
		d = &division{}
		h.divided[id] = d
		r.state |= handed
	}
	n := len(d.at)
	if d.broken = d.broken || n == maxHandOvers || by.after > by.by || n > 0 && by.after < d.at[n-1].by ||
		r.state&reduced != 0 || r.first <= h.dropped && r.last > by.after && h.dropped > by.after; d.broken {
		return
	}
	var moved []recent
	last := r.last
	if r.last > by.after && !r.emptied() { // else it has only begun
		moved, last = h.after(by.after, id, hash, r)
	}
	if n > 0 {
		d.pieces[n-1].without(moved, last)
	} else if d.last = last; r.emptied() {
		d.last = 0
	}
	d.at, d.pieces, d.open = append(d.at, by), append(d.pieces, pieceSum{}), append(d.open, window{})
	for i := range moved {
		d.add(&moved[i])
	}
}

// after lists the packets of a flow that came after a time, and says when the last one of before came; of those that are not remembered any more
// that is when the last of all came.
func (h *handOvers) after(time int64, id, hash uint32, r *record) (list []recent, last int64) {
	last = min(h.dropped, time)
	for p := range h.chain(hash) {
		switch {
		case p.id != id || p.hash != hash || p.time < r.first:
		case p.time > time:
			list = append(list, *p)
		default:
			last = max(last, p.time)
		}
	}
	slices.Reverse(list)
	return list, last
}

// chain are the packets remembered of the flows that share a hash's chain, from the newest.
func (h *handOvers) chain(hash uint32) iter.Seq[*recent] {
	return func(yield func(*recent) bool) {
		for at, age := h.newest[hash%chains], uint32(0); ; {
			older := h.counted - at // packets since; it only grows, but where the counts of a chain lie 2^32 packets apart
			if older >= uint32(len(h.recent)) || older < age {
				return
			}
			age = older + 1
			p := &h.recent[(at-1)%recentLength]
			if !yield(p) {
				return
			}
			at = p.before
		}
	}
}

// without takes packets out of a sum that has them; last is when the last one came that is left.
func (s *pieceSum) without(packets []recent, last int64) {
	var out pieceSum
	for i := range packets {
		out.add(&packets[i])
	}
	s.low.take(&out.low)
	s.high.take(&out.high)
	s.last = min(s.last, last)
}

// count remembers a packet, and counts it in its piece of the flow.
func (h *handOvers) count(id uint32, r *record, o *Observation) {
	if len(h.recent) < recentLength {
		h.recent = append(h.recent, recent{})
	}
	p, newest := &h.recent[h.counted%recentLength], &h.newest[o.hash%chains]
	h.dropped = max(h.dropped, p.time) // 0 of one that is new
	p.time, p.id, p.hash, p.before, p.fromLow = o.Time, id, o.hash, *newest, o.fromLow
	p.frame, p.ip, p.payload = o.Frame, o.IPBytes, o.Payload
	h.counted++
	*newest = h.counted
	if r.state&handed != 0 {
		h.divided[id].add(p)
	}
}

// add counts a packet in its piece; nothing is to be done for one of the first.
func (d *division) add(p *recent) {
	if d.broken {
		return
	}
	for i := len(d.at) - 1; i >= 0; i-- {
		switch h := &d.at[i]; {
		case p.time >= h.by:
			d.pieces[i].add(p)
			return
		case p.time > h.after:
			if w := &d.open[i]; len(w.packets) < maxWindow {
				w.packets = append(w.packets, *p)
			} else {
				w.more.add(p)
			}
			return
		}
	}
	d.last = max(d.last, p.time)
}

// list are the pieces of a flow that have packets, as the side has them that is given. Nil if all of it came before the first hand-over,
// or it cannot be told.
func (d *division) list(r *record, localIsLow bool) (list []Piece) {
	if d.broken {
		return nil
	}
	first := pieceSum{r.first, r.last, sentBy(&r.low), sentBy(&r.high)}
	sums := []pieceSum{first}
	for i := range d.at {
		between, next := d.open[i].part(&d.at[i], d.pieces[i])
		sums = append(sums, between, next)
	}
	for i := range sums[1:] {
		sums[0].low.take(&sums[i+1].low)
		sums[0].high.take(&sums[i+1].high)
	}
	sums[0].last = d.last
	for i := range sums {
		if s := &sums[i]; s.low.packets+s.high.packets > 0 {
			list = append(list, s.piece(localIsLow, i%2 == 1))
		}
	}
	if len(list) == 1 && !list[0].Between && sums[0].low.packets+sums[0].high.packets > 0 {
		return nil
	}
	return list
}

func sentBy(h *half) sent { return sent{h.packets, h.frame, h.ip, h.payload} }

// part tells the packets of a window apart. Once the former socket had ended whatever this host sent was the next one's, which
// was there by then; what arrived before may be an answer to the former.
func (w *window) part(h *handOver, after pieceSum) (between, next pieceSum) {
	from := h.by
	for i := range w.packets {
		if p := &w.packets[i]; p.fromLow == h.localIsLow && !h.unsure && p.time > h.after+handOverSlack {
			from = min(from, p.time)
		}
	}
	between, next = w.more, after
	for i := range w.packets {
		if p := &w.packets[i]; p.time >= from {
			next.add(p)
		} else {
			between.add(p)
		}
	}
	return between, next
}

func (s *pieceSum) piece(localIsLow, between bool) Piece {
	tx, rx := &s.low, &s.high
	if !localIsLow {
		tx, rx = rx, tx
	}
	return Piece{s.first, s.last, Counts{tx.packets, tx.frame, tx.payload, rx.packets, rx.frame, rx.payload}, tx.ip, rx.ip, between}
}

// piecesOf are the pieces of a flow, nil if it has but one.
func (t *Table) piecesOf(id uint32, r *record, f *Flow) []Piece {
	if r.key.proto != UDP || r.state&handed == 0 {
		return nil
	}
	return t.hands.divided[id].list(r, f.Key.Local == r.key.low)
}
