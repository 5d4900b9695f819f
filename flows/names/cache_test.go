package names

import (
	"net/netip"
	"strconv"
	"testing"
)

func addr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(n >> 16), byte(n >> 8), byte(n)})
}

const second = int64(1e9)

func TestCache(t *testing.T) {
	alice, bob, server := addr(1), addr(2), addr(53)
	group, loop := netip.MustParseAddr("224.0.0.251"), netip.MustParseAddr("127.0.0.1")
	texts := new(Texts)
	n := texts.Number
	type seen struct {
		src, dst netip.Addr
		at       int64 // seconds
		b        []byte
	}
	a := func(owner string, ttl uint32, to netip.Addr) []byte {
		return wireRecord(owner, TypeA, ttl, to.AsSlice())
	}
	alias := func(owner, target string) []byte { return wireRecord(owner, TypeCNAME, 900, wireName(target)) }
	response := func(name string, records ...[]byte) []byte { return wireMessage(1, 0x8180, name, TypeA, records...) }
	plain := []seen{{alice, server, 10, wireMessage(1, 0x0100, "a.example", TypeA)}, {server, alice, 11, response("a.example", a("a.example", 60, v4))}}
	tests := []struct {
		name   string
		seen   []seen
		client netip.Addr
		at     int64
		want   Answer
	}{
		{"asked and answered", plain, alice, 20, Answer{Host: n("a.example"), Asked: 10 * second, Answered: 11 * second, TTL: 60}},
		{"before the answer", plain, alice, 10, Answer{}},
		{"after its time", plain, alice, 100, Answer{Host: n("a.example"), Asked: 10 * second, Answered: 11 * second, TTL: 60, Expired: true}},
		{"asked by another", plain, bob, 20, Answer{Host: n("a.example"), Asked: 10 * second, Answered: 11 * second, TTL: 60, Foreign: true}},
		{"mapped addresses", plain, netip.AddrFrom16(alice.As16()), 20, Answer{Host: n("a.example"), Asked: 10 * second, Answered: 11 * second, TTL: 60}},
		{"aliases", []seen{{server, alice, 1, response("a.example", alias("a.example", "b.example"), alias("b.example", "c.example"), a("c.example", 5, v4))}},
			alice, 2, Answer{Host: n("a.example"), Answered: second, TTL: 5}},
		{"aliases in a circle", []seen{{server, alice, 1, response("a.example", alias("b.example", "c.example"), alias("c.example", "b.example"), a("c.example", 5, v4))}},
			alice, 2, Answer{Host: n("c.example"), Answered: second, TTL: 5}},
		{"latest of two names", []seen{{server, alice, 1, response("a.example", a("a.example", 60, v4))}, {server, alice, 2, response("b.example", a("b.example", 60, v4))}},
			alice, 3, Answer{Host: n("b.example"), Answered: 2 * second, TTL: 60, Others: 1}},
		{"the one at the time", []seen{{server, alice, 1, response("a.example", a("a.example", 60, v4))}, {server, alice, 5, response("b.example", a("b.example", 60, v4))}},
			alice, 3, Answer{Host: n("a.example"), Answered: second, TTL: 60}},
		{"valid before expired", []seen{{server, alice, 1, response("a.example", a("a.example", 60, v4))}, {server, alice, 2, response("b.example", a("b.example", 1, v4))}},
			alice, 9, Answer{Host: n("a.example"), Answered: second, TTL: 60}},
		{"an answer that may not be kept", []seen{{server, alice, 1, response("a.example", a("a.example", 60, v4))}, {server, alice, 2, response("b.example", a("b.example", 0, v4))}},
			alice, 3, Answer{Host: n("b.example"), Answered: 2 * second, TTL: 0, Others: 1}},
		{"own name for each client", []seen{{server, alice, 1, response("a.example", a("a.example", 60, v4))}, {server, bob, 2, response("b.example", a("b.example", 60, v4))}},
			alice, 9, Answer{Host: n("a.example"), Answered: second, TTL: 60}},
		{"mDNS", []seen{{bob, group, 1, wireMessage(0, 0x8400, "", 0, a("tv.local", 120, v4))}}, alice, 2, Answer{Host: n("tv.local"), Answered: second, TTL: 120, Foreign: true}},
		{"resolver on the host", []seen{{loop, loop, 1, response("a.example", a("a.example", 60, v4))}}, alice, 2, Answer{Host: n("a.example"), Answered: second, TTL: 60, Foreign: true}},
		{"no such name", []seen{{server, alice, 1, wireMessage(1, 0x8183, "a.example", TypeA, a("a.example", 60, v4))}}, alice, 2, Answer{}},
		{"query that was repeated", []seen{plain[0], {alice, server, 15, plain[0].b}, {server, alice, 16, plain[1].b}}, alice, 17,
			Answer{Host: n("a.example"), Asked: 10 * second, Answered: 16 * second, TTL: 60}},
		{"service with a port", []seen{{server, alice, 1, wireMessage(1, 0x8180, "", 0, wireRecord("_8443._https.a.example", TypeHTTPS, 60, append([]byte{0, 1, 0, 0, 4, 0, 4}, v4.AsSlice()...)))}},
			alice, 2, Answer{Host: n("a.example"), Answered: second, TTL: 60}},
	}
	for _, tt := range tests {
		c := Cache{Texts: texts}
		var m Message
		for _, s := range tt.seen {
			if err := m.Parse(s.b); err != nil {
				t.Fatal(err)
			}
			c.Add(s.src, s.dst, &m, s.at*second)
		}
		got, ok := c.Weigh(tt.client, v4, tt.at*second)
		want := tt.want
		if !ok {
			got.Foreign = false
		}
		if got != want || ok != (want.Host != 0) {
			t.Errorf("%s: got %+v %v, want %+v", tt.name, got, ok, want)
		}
		name, _ := c.Name(tt.client, v4, tt.at*second)
		if name.Host != want.Host || name.Answered != want.Answered || name.Others != 0 {
			t.Errorf("%s: named %+v, want %+v", tt.name, name, want)
		}
	}
}

// TestCacheBounds overfills the cache: the newest stay, the oldest go, and nothing grows beyond them.
func TestCacheBounds(t *testing.T) {
	var c Cache
	client, server := addr(1<<20), addr(53)
	const n = maxAnswers + 1000
	m := Message{Response: true, Records: make([]Record, 1)}
	q := Message{Questions: []Question{{Name: "a.example", Type: TypeA}}}
	for i := range n {
		m.Records[0] = Record{Owner: "a.example", Type: TypeA, TTL: 60, Addr: addr(i)}
		c.Add(server, client, &m, int64(i))
		q.ID = uint16(i)
		c.Add(client, server, &q, int64(i))
	}
	if len(c.answers.ring)*answersPart > maxAnswers || len(c.answers.index[0]) > maxAnswers || len(c.order) > maxAsked || len(c.asked) > maxAsked {
		t.Errorf("holds %d answers, an index of %d, %d queries in %d", len(c.answers.ring)*answersPart, len(c.answers.index[0]), len(c.asked), len(c.order))
	}
	if _, ok := c.Name(client, addr(0), n); ok {
		t.Error("the oldest answer is still there")
	}
	if got, ok := c.Name(client, addr(n-1), n); !ok || got.Foreign {
		t.Errorf("the newest answer: got %+v %v", got, ok)
	}
}

// TestCacheFindsAll compares with a plain search of all that was ever added, over more keys than fit the first index.
func TestCacheFindsAll(t *testing.T) {
	var c Cache
	clients, n := 7, 3*firstAnswers
	m := Message{Response: true, Records: make([]Record, 1)}
	last := map[[2]netip.Addr]string{}
	for i := range n {
		client, to := addr(1<<20+i%clients), addr(i*i%701)
		host := "host" + strconv.Itoa(i%53) + ".example"
		m.Records[0] = Record{Owner: host, Type: TypeA, TTL: 60, Addr: to}
		c.Add(addr(53), client, &m, int64(i))
		last[[2]netip.Addr{client, to}], last[[2]netip.Addr{{}, to}] = host, host
	}
	for i := range clients {
		for j := range 701 {
			client, to := addr(1<<20+i), addr(j)
			want, own := last[[2]netip.Addr{client, to}]
			if !own {
				want = last[[2]netip.Addr{{}, to}]
			}
			got, ok := c.Name(client, to, int64(n))
			if c.Texts.Text(got.Host) != want || ok != (want != "") || ok && got.Foreign == own {
				t.Fatalf("%v asks for %v: got %+v %v, want %q", client, to, got, ok, want)
			}
		}
	}
}
