package flows

import (
	"cmp"
	"net/netip"
	"slices"

	"apptap/flows/names"
)

const (
	// maxLookups bounds the different names that clients asked for which are kept apart, at about 200 bytes each.
	maxLookups = 1 << 14
	// maxPending bounds the queries that await an answer.
	maxPending = 1 << 12
	// lookupTimeout is when a query counts as unanswered: resolvers ask again or give up then (resolv.conf(5)).
	lookupTimeout = 5_000_000_000
)

// Lookup is what was seen of one client's queries for one name, over UDP or TCP port 53.
type Lookup struct {
	Client netip.Addr
	Name   string

	Queries  uint64 // those sent again included
	Answers  uint64
	TimedOut uint64 // queries without an answer for 5 s
	Failures [16]uint64 // answers by response code (RFC 6895 §2.3); none of code 0
	// Addressed counts answers that had an address, NoAddress those without error that had none.
	Addressed, NoAddress uint64

	Times       RoundTrips // query to answer; the first query of those that were sent again
	First, Last int64      // time of the first query or answer, and of the last that had an address (0 for none)
}

// lookups collects them. Its texts must be set.
type lookups struct {
	texts   *names.Texts
	index   map[lookupKey]int
	list    []lookup
	dropped uint64 // queries for names that found no room
	pending map[pendingKey]pendingQuery
}

type lookupKey struct {
	client [16]byte
	name   uint32 // of texts
}

type lookup struct {
	key lookupKey
	Lookup
	used int64 // time of the newest answer that a flow followed
}

// pendingKey is a query on its way: resolvers send several through one socket.
type pendingKey struct {
	client Endpoint
	server Endpoint
	id     uint16
	kind   uint16
	lookup int
}

type pendingQuery struct {
	first, last int64
	sent        uint64
}

// note takes a DNS message. asked is when the query was sent that a response answers, 0 if that is not known.
func (l *lookups) note(o *Observation, m *names.Message, asked int64) {
	client, server := o.Src, o.Dst
	if m.Response {
		client, server = o.Dst, o.Src
	}
	if server.Port != 53 || m.Opcode != 0 || len(m.Questions) != 1 {
		return
	}
	at := l.at(&client, lookupKey{asker(client.Addr), l.texts.Number(m.Questions[0].Name)}, o)
	if at < 0 {
		return
	}
	key := pendingKey{client, server, m.ID, m.Questions[0].Type, at}
	if m.Response {
		l.answer(&l.list[at], key, m, asked, o.Time)
	} else {
		l.query(&l.list[at], key, o.Time)
	}
}

// asker is who asked: of a host's own resolver, on the loopback interface, all its addresses do, as one.
func asker(client [16]byte) [16]byte {
	if netip.AddrFrom16(client).Unmap().IsLoopback() {
		return [16]byte{}
	}
	return client
}

// at is the index of a look-up, -1 if there is no room for one more.
func (l *lookups) at(client *Endpoint, key lookupKey, o *Observation) int {
	if i, ok := l.index[key]; ok {
		return i
	}
	if len(l.list) == maxLookups || key.name == 0 {
		l.dropped++
		return -1
	}
	if l.index == nil {
		l.index, l.pending = make(map[lookupKey]int), make(map[pendingKey]pendingQuery)
	}
	l.index[key] = len(l.list)
	l.list = append(l.list, lookup{key: key, Lookup: Lookup{First: o.Time, Client: netip.AddrFrom16(client.Addr).Unmap()}})
	return len(l.list) - 1
}

func (l *lookups) query(to *lookup, key pendingKey, at int64) {
	to.Queries++
	p, again := l.pending[key]
	if !again {
		if len(l.pending) == maxPending {
			l.expire(at)
		}
		p.first = at
	}
	p.last = at
	p.sent++
	l.pending[key] = p
}

// expire makes room: queries that waited long enough count as unanswered, and if none did all do.
func (l *lookups) expire(now int64) {
	for _, least := range []int64{lookupTimeout, -1 << 62} {
		for key, p := range l.pending {
			if now-p.last > least {
				l.list[key.lookup].TimedOut += p.sent
				delete(l.pending, key)
			}
		}
		if len(l.pending) < maxPending {
			return
		}
	}
}

func (l *lookups) answer(to *lookup, key pendingKey, m *names.Message, asked, at int64) {
	if p, ok := l.pending[key]; ok {
		delete(l.pending, key)
		asked = p.first
	}
	to.Answers++
	if asked > 0 {
		to.Times.add(at - asked)
	}
	switch {
	case m.RCode != 0:
		to.Failures[m.RCode&15]++
	case slices.ContainsFunc(m.Records, func(r names.Record) bool { return r.Addr.IsValid() }):
		to.Addressed++
		to.Last = at
	case !m.Truncated:
		to.NoAddress++
	}
}

// follow says whether the flow that begins now is the first to follow the answer of that time.
func (l *lookups) follow(client [16]byte, name uint32, answered int64) Order {
	i, ok := l.index[lookupKey{asker(client), name}]
	if !ok {
		i, ok = l.index[lookupKey{name: name}]
	}
	if !ok {
		return OrderUnknown
	}
	if l.list[i].used >= answered {
		return OrderLater
	}
	l.list[i].used = answered
	return OrderFirst
}

// lookedUp notes which look-up a flow followed that just began.
func (t *Table) lookedUp(id uint32, r *record, client [16]byte, a names.Answer) {
	if a.Host == 0 {
		return
	}
	order := t.names.lookups.follow(client, a.Host, a.Answered)
	if order == OrderUnknown && a.Asked == 0 {
		return
	}
	c := t.timings.of(t.rares.at(id))
	c.order, c.sinceDNS = order, max(r.first-a.Answered, 0)
	if a.Asked > 0 && !a.Foreign {
		c.dns = max(a.Answered-a.Asked, 1)
	}
}

// Lookups lists what was asked of DNS until the time end, by name, then client. Names beyond a bound are not kept apart:
// dropped is how many queries and answers were for those.
func (t *Table) Lookups(end int64) (list []Lookup, dropped uint64) {
	l := &t.names.lookups
	for i := range l.list {
		u := l.list[i].Lookup
		u.Name = l.texts.Text(l.list[i].key.name)
		list = append(list, u)
	}
	for key, p := range l.pending {
		if end-p.last > lookupTimeout {
			list[key.lookup].TimedOut += p.sent
		}
	}
	slices.SortFunc(list, func(a, b Lookup) int { return cmp.Or(cmp.Compare(a.Name, b.Name), a.Client.Compare(b.Client)) })
	return list, l.dropped
}
