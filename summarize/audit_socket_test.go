package summarize

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"apptap/flows"
)

// TestPairing reuses one 5-tuple: flow n sent n*100 bytes, and so did its socket, so that a wrong pair shows.
// Times are in tenths of a second: a burst is what follows within a second.
func TestPairing(t *testing.T) {
	type life struct {
		n           uint64 // of the flow it belongs to
		cookie      uint64
		start, last int64 // 0 = not read at the start
		moment      Moment
		wiped       bool
	}
	type span struct{ first, last int64 }
	two := []span{{100, 200}, {300, 400}}
	burst := []span{{100, 101}, {102, 103}, {104, 105}}
	three := append(slices.Clone(two), span{500, 600})
	tests := []struct {
		name  string
		flows []span
		lives []life
		want  []Verdict // by flow
	}{
		{"each its own, cookies the wrong way round", two, []life{{n: 1, cookie: 9, last: 201, moment: AtClose}, {n: 2, cookie: 3, last: 401, moment: AtClose}},
			[]Verdict{VerdictExact, VerdictExact}},
		{"no cookies", two, []life{{n: 1, last: 201, moment: AtClose}, {n: 2, last: 450, moment: AtEnd}}, nil},
		{"read before the last acknowledgement", two, []life{{n: 1, cookie: 1, last: 150, moment: AtClose}, {n: 2, cookie: 2, last: 350, moment: AtClose}},
			[]Verdict{VerdictExact, VerdictExact}},
		{"read late, after the next had begun", two, []life{{n: 1, cookie: 1, last: 310, moment: AtClose}, {n: 2, cookie: 2, last: 401, moment: AtClose}},
			[]Verdict{VerdictExact, VerdictExact}},
		{"both read late, after both", two, []life{{n: 1, cookie: 1, last: 500, moment: AtClose}, {n: 2, cookie: 2, last: 501, moment: AtClose}},
			[]Verdict{VerdictExact, VerdictExact}},
		{"one lost", three, []life{{n: 1, cookie: 1, last: 201, moment: AtClose}, {n: 3, cookie: 2, last: 601, moment: AtClose}},
			[]Verdict{VerdictExact, VerdictUnavailable, VerdictExact}},
		{"one lost in a burst", burst, []life{{n: 1, cookie: 1, last: 101, moment: AtClose}, {n: 3, cookie: 2, last: 105, moment: AtClose}},
			[]Verdict{VerdictUnavailable, VerdictUnavailable, VerdictUnavailable}},
		{"one lost in a burst, another too many", burst[:1], []life{{n: 2, cookie: 1, last: 100, moment: AtClose}, {n: 1, cookie: 2, last: 102, moment: AtClose}},
			[]Verdict{VerdictUnavailable}},
		{"the last still open", two, []life{{n: 1, cookie: 1, last: 201, moment: AtClose}, {n: 2, cookie: 2, last: 900, moment: AtEnd}},
			[]Verdict{VerdictExact, VerdictExact}},
		{"the last not read yet", two, []life{{n: 1, cookie: 1, last: 201, moment: AtClose}}, []Verdict{VerdictExact, VerdictUnavailable}},
		{"a life that was not captured", two[:1], []life{{n: 1, cookie: 1, last: 201, moment: AtClose}, {n: 5, cookie: 2, last: 900, moment: AtClose}},
			[]Verdict{VerdictExact}},
		{"a life that ended before the capture's first SYN", two[:1], []life{{n: 5, cookie: 1, start: 50, last: 90, moment: AtClose}, {n: 1, cookie: 2, last: 201, moment: AtClose}},
			[]Verdict{VerdictExact}},
		{"two wiped", two, []life{{n: 1, cookie: 1, last: 201, moment: AtClose, wiped: true}, {n: 2, cookie: 2, last: 401, moment: AtClose, wiped: true}},
			[]Verdict{VerdictExplained, VerdictExplained}},
		{"one wiped", two, []life{{n: 1, cookie: 1, last: 201, moment: AtClose}, {n: 2, cookie: 2, last: 401, moment: AtClose, wiped: true}},
			[]Verdict{VerdictExact, VerdictExplained}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const tick = int64(100 * time.Millisecond)
			in := Input{Live: true}
			for i, s := range tt.flows {
				n := uint64(i+1) * 100
				f := whole()
				f.First, f.Last, f.Counts, f.TxStream, f.RxStream = s.first*tick, s.last*tick, flows.Counts{TxBytes: n, TxPayload: n}, n, 0
				f.TxSawRST = slices.ContainsFunc(tt.lives, func(l life) bool { return l.wiped && l.n == uint64(i+1) })
				in.Flows = append(in.Flows, f)
			}
			for _, l := range tt.lives {
				if l.start != 0 {
					in.Sockets = append(in.Sockets, SocketCounters{Key: webKey, Cookie: l.cookie, Time: l.start * tick})
				}
				c := SocketCounters{Key: webKey, Cookie: l.cookie, Time: l.last * tick, Moment: l.moment, BytesSent: l.n * 100}
				if l.wiped {
					c.BytesSent = 0
					c.Key = flows.MakeKey(flows.TCP, netip.MustParseAddrPort("0.0.0.0:40000"), netip.MustParseAddrPort("198.51.100.1:0"))
				}
				in.Sockets = append(in.Sockets, c)
			}
			if tt.want == nil {
				// Without cookies the readings of a 5-tuple are one life's: the closing one counts.
				tt.want = []Verdict{VerdictExact, VerdictUnavailable}
			}
			got := make([]Verdict, len(tt.flows))
			for _, use := range Build(in).Flows {
				got[use.Flow.TxPayload/100-1] = use.Verdict
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("verdicts = %v, want %v", got, tt.want)
			}
		})
	}
}

// TestPortReuseOnLoopback: one client port connects again and again within milliseconds. Some flows are filed as the client has
// them, some as the server has them; each side's socket is told of, many at one read time, with cookies in no order.
func TestPortReuseOnLoopback(t *testing.T) {
	const rounds = 60
	client := key(flows.TCP, "127.0.0.1:42021", "127.0.0.1:7000")
	bound := key(flows.TCP, "127.0.0.1:42021", "127.0.0.1:0") // wiped of a socket that was bound
	tests := []struct {
		name        string
		change      func(in *Input)
		want        map[Verdict]int
		unavailable string
	}{
		{name: "all told of", change: func(*Input) {}, want: map[Verdict]int{VerdictExact: rounds}},
		{name: "neighbours told of in the wrong order", change: func(in *Input) {
			in.Sockets[21].Sequence, in.Sockets[23].Sequence = in.Sockets[23].Sequence, in.Sockets[21].Sequence
			in.Sockets[8].Sequence, in.Sockets[10].Sequence = in.Sockets[10].Sequence, in.Sockets[8].Sequence
		}, want: map[Verdict]int{VerdictExact: rounds - 2, VerdictUnavailable: 2},
			unavailable: "several sockets used this 5-tuple and cannot be told apart"},
		{name: "the client's wiped", change: func(in *Input) {
			for i := range in.Sockets {
				if c := &in.Sockets[i]; c.Key == client {
					c.Key, c.BytesSent, c.BytesReceived, c.Incomplete = bound, 0, 0, true
				}
			}
		}, want: map[Verdict]int{VerdictExact: rounds / 3, VerdictUnavailable: rounds - rounds/3},
			unavailable: "the socket's counters were wiped as it was closed (SO_LINGER 0)"},
		{name: "one server socket lost", change: func(in *Input) { in.Sockets = slices.Delete(in.Sockets, 21, 22) },
			want:        map[Verdict]int{VerdictExact: rounds - rounds/3, VerdictUnavailable: rounds / 3},
			unavailable: "several sockets used this 5-tuple and cannot be told apart"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := portReuse(client, rounds)
			tt.change(&in)
			got := map[Verdict]int{}
			for _, use := range Build(in).Flows {
				got[use.Verdict]++
				if use.Verdict == VerdictUnavailable && use.Unavailable != tt.unavailable {
					t.Errorf("%v: unavailable because %q, want %q", use.Flow.Key, use.Unavailable, tt.unavailable)
				}
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("verdicts = %v, want %v", got, tt.want)
			}
		})
	}
}

// portReuse is rounds flows of different lengths, every third filed as the server has it, and both sockets of each: client's,
// then server's. The client resets.
func portReuse(client flows.Key, rounds int) Input {
	in := Input{Live: true}
	r := newDice(1)
	for i := range rounds {
		n := uint64(100 + 7*i)
		f := whole()
		f.Key, f.Locality, f.First, f.Last = client, flows.LocalBoth, int64(i)*1e6, int64(i)*1e6+5e5
		f.Counts = flows.Counts{TxBytes: n, TxPayload: n, RxBytes: n + 1, RxPayload: n + 1}
		f.TxStream, f.RxStream, f.TxSawRST, f.TxSawFIN, f.RxSawFIN, f.End = n, n+1, true, false, false, flows.EndRST
		if i%3 == 0 {
			f = reversed(f)
		}
		in.Flows = append(in.Flows, f)
		read := int64(i/20+1) * 20e6 // 20 rounds in one go
		c := SocketCounters{Key: client, Cookie: r.Uint64(), Time: read, Moment: AtClose, Sequence: uint64(2*i + 1), BytesSent: n, BytesReceived: n + 1}
		s := c
		s.Key, s.Cookie, s.Sequence, s.BytesSent, s.BytesReceived = client.Reverse(), r.Uint64(), c.Sequence+1, n+1, n
		in.Sockets = append(in.Sockets, c, s)
	}
	return in
}
