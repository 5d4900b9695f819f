package summarize

import (
	"net/netip"
	"slices"
	"testing"

	"apptap/flows"
)

// TestPairing reuses one 5-tuple: flow n sent n*100 bytes, and so did its socket, so that a wrong pair shows.
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
			in := Input{Live: true}
			for i, s := range tt.flows {
				n := uint64(i+1) * 100
				f := whole()
				f.First, f.Last, f.Counts, f.TxStream, f.RxStream = s.first, s.last, flows.Counts{TxBytes: n, TxPayload: n}, n, 0
				f.TxSawRST = slices.ContainsFunc(tt.lives, func(l life) bool { return l.wiped && l.n == uint64(i+1) })
				in.Flows = append(in.Flows, f)
			}
			for _, l := range tt.lives {
				if l.start != 0 {
					in.Sockets = append(in.Sockets, SocketCounters{Key: webKey, Cookie: l.cookie, Time: l.start})
				}
				c := SocketCounters{Key: webKey, Cookie: l.cookie, Time: l.last, Moment: l.moment, BytesSent: l.n * 100}
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
