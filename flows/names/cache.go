package names

import (
	"net/netip"
	"slices"
	"strings"
)

const (
	// maxAsked bounds the queries that await an answer.
	maxAsked = 1 << 12
	// maxChain bounds how long a chain of aliases may be.
	maxChain = 64
	// minFresh is how long an answer holds at least, in nanoseconds: one that may not be kept (a TTL of 0) is for the connection
	// that is opened now, which may be tried at other addresses first (RFC 1035 §3.2.1; RFC 8305 §5 waits up to 2 s for each).
	minFresh = 5_000_000_000
	// maxRivals bounds how far names that were valid at the same time are counted.
	maxRivals = 15
)

// Cache answers which name a client had learned for an address, from DNS messages seen. It is not a resolver: it
// asks nobody. Bounded; the oldest answers go first. The zero value is ready. Not safe for concurrent use, but that
// several may call Name when nothing is added any more.
type Cache struct {
	Texts *Texts // where hosts have their numbers; nil until the first Add for one of its own

	answers answers

	asked map[asking]int64 // times of queries without an answer
	order []asking         // of asked, oldest at first%maxAsked once full
	first int
}

type asking struct {
	client netip.Addr
	name   string
	kind   uint16
	id     uint16
}

// Answer is a name that a client had for an address.
type Answer struct {
	Host     uint32 // its number in Cache.Texts
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
	if c.Texts == nil {
		c.Texts = new(Texts)
	}
	m.Texts = c.Texts
	reply := m.Reply(nil)
	c.AddReply(dst, &reply, asked, at)
	return asked
}

// AddReply is Add of a response for a caller who knows when its query was asked, 0 if that was not seen. The numbers in r
// are those of c.Texts.
func (c *Cache) AddReply(dst netip.Addr, r *Reply, asked, at int64) {
	client := dst.Unmap()
	a := answer{asked: asked, answered: at}
	if client.IsValid() && !client.IsLoopback() && !client.IsMulticast() {
		a.client = client.As16()
	}
	for i := range r.Addresses {
		told := &r.Addresses[i]
		a.addr, a.host, a.ttl = told.Addr, told.Host, told.TTL
		c.answers.add(&a)
	}
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

// Name is the name that client had most likely meant when it began to send to addr at the time at: the latest that it
// had been told and that was still valid, else the latest that it had been told. It leaves Others at 0.
func (c *Cache) Name(client, addr netip.Addr, at int64) (Answer, bool) {
	return c.likeliest(client, addr, at, false)
}

// Weigh is Name with Others, for which it looks at all that the client had been told for addr.
func (c *Cache) Weigh(client, addr netip.Addr, at int64) (Answer, bool) {
	return c.likeliest(client, addr, at, true)
}

// Touch loads what Name will need of a client and an address, both as netip.Addr.As16 has them. A caller who has many to
// ask for touches all of them first: the cache misses then overlap. The result means nothing.
func (c *Cache) Touch(client, addr [16]byte) uint64 { return c.answers.touch(&client, &addr) }

// TouchReply loads what AddReply will need.
func (c *Cache) TouchReply(client [16]byte, r *Reply) (sum uint64) {
	for i := range r.Addresses {
		sum += c.answers.touchPlaces(&client, &r.Addresses[i].Addr)
	}
	return sum
}

func (c *Cache) likeliest(client, addr netip.Addr, at int64, all bool) (Answer, bool) {
	who, to := address(client), address(addr)
	hash := hashes(&who, &to)
	if !c.answers.knows(hash[byAddr]) {
		return Answer{}, false
	}
	if who != everyone {
		if found, ok := c.latest(byClient, hash[byClient], &who, &to, at, all); ok {
			return found, true
		}
	}
	found, ok := c.latest(byAddr, hash[byAddr], &everyone, &to, at, all)
	found.Foreign = true
	return found, ok
}

// address is As16, in which an IPv4-mapped address is that of IPv4.
func address(a netip.Addr) [16]byte {
	if !a.IsValid() {
		return everyone
	}
	return a.As16()
}

// latest picks from the answers for one address, newest first; byClient only from what that client was told.
func (c *Cache) latest(kind int, hash uint64, client, addr *[16]byte, at int64, all bool) (found Answer, ok bool) {
	var others [maxRivals]uint32
	next := *c.answers.place(kind, hash)
	for range maxSteps {
		a := c.answers.get(next)
		if a == nil {
			break
		}
		next = a.older[kind]
		if a.addr != *addr || kind == byClient && a.client != *client || a.answered > at {
			continue
		}
		expired := at-a.answered > max(int64(a.ttl)*1e9, minFresh)
		switch {
		case !ok || found.Expired && !expired:
			found, ok = Answer{Host: a.host, Asked: a.asked, Answered: a.answered, TTL: a.ttl, Expired: expired}, true
		case !expired && a.host != found.Host && found.Others < maxRivals && !slices.Contains(others[:found.Others], a.host):
			others[found.Others] = a.host
			found.Others++
		}
		if !expired && !all {
			break // those before it change nothing
		}
	}
	return found, ok
}
