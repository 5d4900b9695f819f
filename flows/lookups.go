package flows

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"apptap/flows/names"
)

const (
	// maxLookups bounds the different names that clients asked for which are kept apart, at about 200 bytes each.
	maxLookups = 1 << 14
	// lookupsPart is how many are allocated at a time.
	lookupsPart = 1 << 8
	// pendingBits is the logarithm of how many queries that await an answer there is room for, in 1.3 MB. A busy resolver has a
	// thousand on their way.
	pendingBits = 13
	// lookupTimeout is when a query counts as unanswered: resolvers ask again or give up then (resolv.conf(5)).
	lookupTimeout = 5_000_000_000
)

// Lookup is what was seen of one client's queries for one name, over UDP or TCP port 53.
type Lookup struct {
	Client netip.Addr
	Name   string

	Queries  uint64 // those sent again included
	Answers  uint64
	TimedOut uint64     // queries without an answer for 5 s
	Failures [16]uint32 // answers by response code (RFC 6895 §2.3); none of code 0
	// Addressed counts answers that had an address, NoAddress those without error that had none.
	Addressed, NoAddress uint64

	Times       RoundTrips // query to answer; the first query of those that were sent again
	First, Last int64      // time of the first query or answer, and of the last that had an address (0 for none)
	Flows       uint64     // that began behind an answer, toward an address in it
}

// lookups collects them. Its texts must be set.
type lookups struct {
	texts   *names.Texts
	on      bool         // else nothing is noted
	index   []lookupSlot // open addressing: a power of two, at most half full
	parts   [][]lookup   // lookupsPart in each: growing copies none
	length  int
	dropped uint64 // queries for names that found no room
	pending []pendingQuery
}

type lookupKey struct {
	client [16]byte
	name   uint32 // of texts
}

// lookupSlot holds the index+1 of a look-up, 0 = free, and the hash of its key.
type lookupSlot struct{ hash, index uint32 }

func (k *lookupKey) hash() uint32 {
	a, b := binary.LittleEndian.Uint64(k.client[:8]), binary.LittleEndian.Uint64(k.client[8:])
	h := mix(mix(a^hashSeed, b^0xa0761d6478bd642f), uint64(k.name)^0xe7037ed1a0b428db)
	return uint32(h ^ h>>32)
}

type lookup struct {
	key lookupKey
	Lookup
	used int64 // time of the newest answer that a flow followed
}

// pendingQuery is a query on its way. Its question is only read if no answer repeats it.
type pendingQuery struct {
	flow        uint32 // index
	id          uint16
	sent        uint16 // how often; 0 = no query
	first, last int64
	client      [16]byte
	message     [96]byte // as much as there is room for
	length      uint8
}

// place is where a query is kept. Which one another takes the place of must not depend on the process: there is no seed.
func (l *lookups) place(flow uint32, id uint16) *pendingQuery {
	return &l.pending[(uint64(flow)<<16|uint64(id))*0x9e3779b97f4a7c15>>(64-pendingBits)]
}

// query takes a query over a flow.
func (l *lookups) query(flow uint32, o *Observation, message []byte) {
	if !l.on || o.Dst.Port != 53 || len(message) < 12 || message[2]>>3 != 0 {
		return
	}
	if l.pending == nil {
		l.pending = make([]pendingQuery, 1<<pendingBits)
	}
	id := binary.BigEndian.Uint16(message)
	p := l.place(flow, id)
	if p.sent == 0 || p.flow != flow || p.id != id {
		l.giveUp(p, o.Time)
		*p = pendingQuery{flow: flow, id: id, first: o.Time, client: o.Src.Addr}
		p.length = uint8(copy(p.message[:], message))
	}
	p.last = o.Time
	p.sent = min(p.sent+1, 1<<15)
}

// giveUp counts a query for which no answer came until now.
func (l *lookups) giveUp(p *pendingQuery, now int64) {
	if p.sent == 0 {
		return
	}
	m := names.Message{Texts: l.texts}
	if m.Parse(p.message[:p.length]); len(m.Questions) == 0 { // what follows the question is cut
		return
	}
	to := l.at(p.client, l.texts.Number(m.Questions[0].Name), p.first)
	if to == nil {
		return
	}
	to.First = min(to.First, p.first)
	to.Queries += uint64(p.sent)
	if now-p.last > lookupTimeout {
		to.TimedOut += uint64(p.sent)
	}
}

// answer takes an answer over a flow, and returns when its query was sent, 0 if that was not seen.
func (l *lookups) answer(flow uint32, o *Observation, m *names.Reply) (asked int64) {
	if !l.on || o.Src.Port != 53 || m.Opcode != 0 || !m.Single {
		return 0
	}
	to, sent := l.at(o.Dst.Addr, m.Question, o.Time), uint64(0)
	if l.pending != nil {
		if p := l.place(flow, m.ID); p.sent > 0 && p.flow == flow && p.id == m.ID {
			asked, sent = p.first, uint64(p.sent)
			p.sent = 0
		}
	}
	if to != nil {
		to.Queries += sent
		to.answered(m, asked, o.Time)
	}
	return asked
}

func (to *lookup) answered(m *names.Reply, asked, at int64) {
	to.Answers++
	if asked > 0 {
		to.First = min(to.First, asked)
		to.Times.add(at - asked)
	}
	switch {
	case m.RCode != 0:
		to.Failures[m.RCode&15]++
	case m.Addressed:
		to.Addressed++
		to.Last = at
	case !m.Truncated:
		to.NoAddress++
	}
}

// asker is who asked: of a host's own resolver, on the loopback interface, all its addresses do, as one.
func asker(client [16]byte) [16]byte {
	if client[0] == 0 && netip.AddrFrom16(client).Unmap().IsLoopback() {
		return [16]byte{}
	}
	return client
}

// at is a client's look-up of the name of a number, nil if there is no room for one more. It is valid until the next.
func (l *lookups) at(client [16]byte, name uint32, now int64) *lookup {
	key := lookupKey{asker(client), name}
	hash := key.hash()
	if u := l.find(&key, hash); u != nil {
		return u
	}
	if l.length == maxLookups || key.name == 0 {
		l.dropped++
		return nil
	}
	if 2*l.length >= len(l.index) {
		l.grow()
	}
	if l.length%lookupsPart == 0 {
		l.parts = append(l.parts, make([]lookup, lookupsPart))
	}
	l.length++
	l.put(lookupSlot{hash, uint32(l.length)})
	u := l.number(l.length)
	*u = lookup{key: key, Lookup: Lookup{First: now, Client: netip.AddrFrom16(client).Unmap()}}
	return u
}

// number is the look-up of a number, from 1.
func (l *lookups) number(n int) *lookup { return &l.parts[(n-1)/lookupsPart][(n-1)%lookupsPart] }

// find is the look-up of a key, nil if there is none.
func (l *lookups) find(key *lookupKey, hash uint32) *lookup {
	if l.length == 0 {
		return nil
	}
	mask := uint32(len(l.index) - 1)
	for i := hash & mask; l.index[i].index > 0; i = (i + 1) & mask {
		if s := l.index[i]; s.hash == hash {
			if u := l.number(int(s.index)); u.key == *key {
				return u
			}
		}
	}
	return nil
}

// put gives a look-up its slot; none has its key yet.
func (l *lookups) put(s lookupSlot) {
	mask := uint32(len(l.index) - 1)
	i := s.hash & mask
	for l.index[i].index > 0 {
		i = (i + 1) & mask
	}
	l.index[i] = s
}

func (l *lookups) grow() {
	old := l.index
	l.index = make([]lookupSlot, max(256, 2*len(old)))
	for _, s := range old {
		if s.index > 0 {
			l.put(s)
		}
	}
}

// touch loads what an answer to a client will need.
func (l *lookups) touch(flow uint32, client [16]byte, r *names.Reply) (sum uint64) {
	if l.pending != nil {
		sum += uint64(l.place(flow, r.ID).flow)
	}
	if l.length > 0 {
		key := lookupKey{client, r.Question}
		sum += uint64(l.index[key.hash()&uint32(len(l.index)-1)].index)
	}
	return sum
}

// follow says whether the flow that begins now is the first to follow the answer of that time.
func (l *lookups) follow(client [16]byte, name uint32, answered int64) Order {
	key := lookupKey{asker(client), name}
	u := l.find(&key, key.hash())
	if u == nil {
		key = lookupKey{name: name}
		u = l.find(&key, key.hash())
	}
	if u == nil {
		return OrderUnknown
	}
	u.Flows++
	if u.used >= answered {
		return OrderLater
	}
	u.used = answered
	return OrderFirst
}

// lookedUp notes which look-up a flow followed that just began with o.
func (b *nameBook) lookedUp(f *found, client [16]byte, a names.Answer, o *Observation) {
	if o.Src.Port == 53 || o.Dst.Port == 53 { // look-ups follow no look-up, if the resolver has a name
		return
	}
	order := b.lookups.follow(client, a.Host, a.Answered)
	if order == OrderUnknown && a.Asked == 0 {
		return
	}
	f.order, f.sinceDNS = order, microsOf(o.Time-a.Answered)
	if a.Asked > 0 && !a.Foreign {
		f.dns = microsOf(a.Answered - a.Asked)
	}
}

// Lookups lists what was asked of DNS until the time end, by name, then client. Names beyond a bound are not kept apart:
// dropped is how many queries and answers were for those. It ends the look-ups: what is answered later is not known to have
// been asked.
func (t *Table) Lookups(end int64) (list []Lookup, dropped uint64) {
	l := &t.names.lookups
	for i := range l.pending {
		l.giveUp(&l.pending[i], end)
		l.pending[i].sent = 0
	}
	list = slices.Grow(list, l.length)
	for n := range l.length {
		u := l.number(n + 1)
		list = append(list, u.Lookup)
		list[n].Name = l.texts.Text(u.key.name)
	}
	slices.SortFunc(list, func(a, b Lookup) int { return cmp.Or(cmp.Compare(a.Name, b.Name), a.Client.Compare(b.Client)) })
	return list, l.dropped
}
