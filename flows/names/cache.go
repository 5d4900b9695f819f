package names

import (
	"net/netip"
	"slices"
	"strings"
)

const (
	// maxAnswers bounds what is remembered, and with it memory: some 20 MiB of answers when full. A busy host learns
	// some thousand addresses an hour.
	maxAnswers = 1 << 16
	// maxAsked bounds the queries that await an answer.
	maxAsked = 1 << 12
	// maxChain bounds how many answers for one address are looked through, and how long a chain of aliases may be.
	maxChain = 64
	// maxRivals bounds how far names that were valid at the same time are counted.
	maxRivals = 15
)

// Cache answers which name a client had learned for an address, from DNS messages seen. It is not a resolver: it
// asks nobody. Bounded; the oldest answers go first. The zero value is ready. Not safe for concurrent use.
type Cache struct {
	newest  map[learned]uint64 // number of the newest answer
	answers []answer           // answer n stands at n modulo maxAnswers
	count   uint64             // answers ever; the first has number 1

	asked map[asking]int64 // times of queries without an answer
	order []asking         // of asked, oldest at first%maxAsked once full
	first int
}

// learned is an address as a client knows it. The zero client stands for everyone.
type learned struct{ client, addr netip.Addr }

type answer struct {
	key      learned
	host     string
	asked    int64
	answered int64
	ttl      uint32
	previous uint64 // number of the answer before it for the same key, 0 for none
}

type asking struct {
	client netip.Addr
	name   string
	kind   uint16
	id     uint16
}

// Answer is a name that a client had for an address.
type Answer struct {
	Host     string
	Asked    int64  // nanoseconds since 1970 UTC; 0 if the query was not seen
	Answered int64  // nanoseconds since 1970 UTC
	TTL      uint32 // seconds, the least along the chain of aliases
	Expired  bool   // older than TTL: programs keep addresses longer, so it is still the likely name
	Foreign  bool   // asked by another address: the same client over IPv4 or IPv6, or another client
	Others   int    // other names that were valid for the address at the same time: the choice is a guess; at most 15
}

// Add takes a DNS message sent from src to dst at the time at. asked is when the query was sent that a response
// answers, 0 if that was not seen. Responses over the loopback interface and to a multicast group are everyone's:
// a host's own resolver asks and answers there for all its addresses.
func (c *Cache) Add(src, dst netip.Addr, m *Message, at int64) (asked int64) {
	if !m.Response {
		c.query(src.Unmap(), m, at)
		return 0
	}
	client := dst.Unmap()
	for _, q := range m.Questions {
		key := asking{client, q.Name, q.Type, m.ID}
		if t, ok := c.asked[key]; ok && t <= at {
			asked = t
			delete(c.asked, key)
		}
	}
	for i := range m.Records {
		if r := &m.Records[i]; r.Addr.IsValid() && m.RCode == 0 && m.Opcode == 0 {
			host, ttl := m.root(r)
			c.learn(client, answer{key: learned{addr: r.Addr.Unmap()}, host: host, asked: asked, answered: at, ttl: ttl})
		}
	}
	return asked
}

// query remembers when a question was first asked; one that is repeated before its answer is the same.
func (c *Cache) query(client netip.Addr, m *Message, at int64) {
	for _, q := range m.Questions {
		key := asking{client, q.Name, q.Type, m.ID}
		if t, ok := c.asked[key]; ok && at >= t && at-t < 30e9 { // resolvers give up earlier (resolv.conf(5): 5 s, twice)
			continue
		}
		if c.asked == nil {
			c.asked = map[asking]int64{}
		}
		if len(c.order) < maxAsked {
			c.order = append(c.order, key)
		} else {
			delete(c.asked, c.order[c.first])
			c.order[c.first] = key
			c.first = (c.first + 1) % maxAsked
		}
		c.asked[key] = at
	}
}

// root follows the aliases from an address record back to the name that was asked for, and the least TTL on the way.
func (m *Message) root(r *Record) (host string, ttl uint32) {
	host, ttl = r.Owner, r.TTL
	for range maxChain {
		alias := m.aliasOf(host)
		if alias == nil || alias.Owner == host {
			break
		}
		host, ttl = alias.Owner, min(ttl, alias.TTL)
		if len(m.Questions) > 0 && m.Questions[0].Name == host {
			break
		}
	}
	return withoutService(host), ttl
}

func (m *Message) aliasOf(host string) *Record {
	if len(m.Questions) > 0 && m.Questions[0].Name == host {
		return nil
	}
	for i := range m.Records {
		r := &m.Records[i]
		if r.Target == host && !r.Addr.IsValid() && (r.Type == TypeCNAME || r.Type == TypeHTTPS || r.Type == TypeSVCB) {
			return r
		}
	}
	return nil
}

// withoutService drops the port and scheme before a host (RFC 9460 §2.3): "_8443._https.example.com".
func withoutService(host string) string {
	for strings.HasPrefix(host, "_") {
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			break
		}
		host = rest
	}
	return host
}

// learn stores an answer for its client and for everyone.
func (c *Cache) learn(client netip.Addr, a answer) {
	if a.key.addr.IsUnspecified() {
		return // how filters answer for names that they block
	}
	c.store(a)
	if client.IsValid() && !client.IsLoopback() && !client.IsMulticast() {
		a.key.client = client
		c.store(a)
	}
}

func (c *Cache) store(a answer) {
	if c.newest == nil {
		c.newest = map[learned]uint64{}
	}
	a.previous = c.newest[a.key]
	if p := c.get(a.previous); p != nil && p.host == a.host && p.answered == a.answered {
		return // the same answer twice in a message, or captured on two interfaces
	}
	if len(c.answers) == 0 {
		c.answers = append(c.answers, answer{}) // number 0 is none
	}
	c.count++
	if at := c.count % maxAnswers; int(at) < len(c.answers) {
		c.replace(at, a)
	} else {
		c.answers = append(c.answers, a)
	}
	c.newest[a.key] = c.count
}

// replace forgets the oldest answer, and its key with its last.
func (c *Cache) replace(at uint64, a answer) {
	old := &c.answers[at]
	if c.newest[old.key] == c.count-maxAnswers {
		delete(c.newest, old.key)
	}
	*old = a
}

// get is the answer of a number, nil if it is none or forgotten.
func (c *Cache) get(n uint64) *answer {
	if n == 0 || n > c.count || n+maxAnswers <= c.count {
		return nil
	}
	return &c.answers[n%maxAnswers]
}

// Name is the name that client had most likely meant when it began to send to addr at the time at: the latest that it
// had been told and that was still valid, else the latest that it had been told.
func (c *Cache) Name(client, addr netip.Addr, at int64) (Answer, bool) {
	client, addr = client.Unmap(), addr.Unmap()
	if a, ok := c.latest(learned{client, addr}, at); ok && client.IsValid() {
		return a, true
	}
	a, ok := c.latest(learned{addr: addr}, at)
	a.Foreign = true
	return a, ok
}

func (c *Cache) latest(key learned, at int64) (found Answer, ok bool) {
	var others [maxRivals]string
	n := c.newest[key]
	for range maxChain {
		a := c.get(n)
		if a == nil || a.key != key {
			break
		}
		n = a.previous
		if a.answered > at {
			continue
		}
		expired := at-a.answered > int64(a.ttl)*1e9
		switch {
		case !ok || found.Expired && !expired:
			found, ok = Answer{Host: a.host, Asked: a.asked, Answered: a.answered, TTL: a.ttl, Expired: expired}, true
		case !expired && a.host != found.Host && found.Others < maxRivals && !slices.Contains(others[:found.Others], a.host):
			others[found.Others] = a.host
			found.Others++
		}
	}
	return found, ok
}
