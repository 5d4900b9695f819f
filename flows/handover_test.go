package flows_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

const milli = 1_000_000

// datagramAt is a datagram from or to host4 with n bytes, decoded.
func datagramAt(at int64, n int, sent bool) (o flows.Observation) {
	from, to := host4, peer4
	if !sent {
		from, to = to, from
	}
	frame := fixtures.UDP(from, to, make([]byte, n))
	flows.Outer.Decode(&capture.Packet{Time: at, Data: frame, Length: len(frame), LinkType: capture.LinkTypeEthernet}, &o)
	return o
}

func handOver(after, by int64) flows.HandOver {
	return flows.HandOver{Key: flows.MakeKey(flows.UDP, host4, peer4), After: after * milli, By: by * milli}
}

// piece is a Piece in milliseconds and bytes of payload.
type piece struct {
	First, Last int64
	Tx, Rx      uint64
	Between     bool
}

func piecesOf(t *testing.T, table *flows.Table) (list []piece) {
	t.Helper()
	all := table.Flows(nil, flows.NewLocal([]netip.Prefix{netip.PrefixFrom(host4.Addr(), 32)}))
	if len(all) != 1 {
		t.Fatalf("%d flows, want one", len(all))
	}
	var sum flows.Counts
	for _, p := range all[0].Pieces {
		sum = sum.Add(p.Counts)
		list = append(list, piece{p.First / milli, p.Last / milli, p.TxPayload, p.RxPayload, p.Between})
	}
	if len(list) > 0 && sum != all[0].Counts {
		t.Errorf("pieces sum to %+v, the flow has %+v", sum, all[0].Counts)
	}
	return list
}

// TestHandOver: packets of one 5-tuple are told apart by when it changed hands, whether that is told before or after they come.
func TestHandOver(t *testing.T) {
	sent, got := true, false
	type packet struct {
		at   int64 // milliseconds
		n    int
		sent bool
	}
	tests := []struct {
		name    string
		packets []packet
		hands   []flows.HandOver
		want    []piece
	}{
		{"none", []packet{{10, 1, sent}}, nil, nil},
		{"all before", []packet{{10, 1, sent}, {11, 2, got}}, []flows.HandOver{handOver(20, 30)}, nil},
		{"all after", []packet{{30, 1, sent}, {31, 2, got}}, []flows.HandOver{handOver(20, 30)}, []piece{{30, 31, 1, 2, false}}},
		{"both sides", []packet{{10, 1, sent}, {12, 2, got}, {31, 4, sent}, {33, 8, got}}, []flows.HandOver{handOver(20, 30)},
			[]piece{{10, 12, 1, 2, false}, {31, 33, 4, 8, false}}},
		{"the next one sends before it is known", []packet{{10, 1, sent}, {25, 4, sent}, {26, 8, got}, {31, 16, sent}}, []flows.HandOver{handOver(20, 30)},
			[]piece{{10, 10, 1, 0, false}, {25, 31, 20, 8, false}}},
		{"an answer before the next one sends", []packet{{10, 1, sent}, {22, 2, got}, {25, 4, sent}}, []flows.HandOver{handOver(20, 30)},
			[]piece{{10, 10, 1, 0, false}, {22, 22, 0, 2, true}, {25, 25, 4, 0, false}}},
		{"it is not known whether the former had ended", []packet{{10, 1, sent}, {25, 4, sent}, {31, 8, sent}},
			[]flows.HandOver{{Key: handOver(0, 0).Key, After: 20 * milli, By: 30 * milli, Unsure: true}},
			[]piece{{10, 10, 1, 0, false}, {25, 25, 4, 0, true}, {31, 31, 8, 0, false}}},
		{"there and back", []packet{{10, 1, sent}, {31, 2, sent}, {51, 4, sent}, {71, 8, sent}}, []flows.HandOver{handOver(20, 30), handOver(40, 50), handOver(60, 70)},
			[]piece{{10, 10, 1, 0, false}, {31, 31, 2, 0, false}, {51, 51, 4, 0, false}, {71, 71, 8, 0, false}}},
		{"seen from the other side", []packet{{10, 1, got}, {25, 4, got}, {31, 8, sent}},
			[]flows.HandOver{{Key: handOver(0, 0).Key.Reverse(), After: 20 * milli, By: 30 * milli}},
			[]piece{{10, 10, 0, 1, false}, {25, 31, 8, 4, false}}},
		{"told of out of order", []packet{{10, 1, sent}, {31, 2, sent}}, []flows.HandOver{handOver(40, 50), handOver(20, 30)}, nil},
		{"times that make no sense", []packet{{10, 1, sent}, {31, 2, sent}}, []flows.HandOver{handOver(30, 20)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(20) {
				rng := rand.New(rand.NewPCG(seed, 1))
				table := flows.NewTable()
				table.TakeHandOvers()
				packets, hands := tt.packets, tt.hands
				for len(packets)+len(hands) > 0 {
					if len(hands) == 0 || len(packets) > 0 && rng.IntN(2) == 0 {
						o := datagramAt(packets[0].at*milli, packets[0].n, packets[0].sent)
						table.Add(&o)
						packets = packets[1:]
					} else {
						table.HandOver(hands[0])
						hands = hands[1:]
					}
				}
				if diff := cmp.Diff(tt.want, piecesOf(t, table)); diff != "" {
					t.Fatalf("in order %d pieces (-want +got):\n%s", seed, diff)
				}
				table.Close()
			}
		})
	}
}

// TestHandOverForgotten: a flow whose packets of after the hand-over are not remembered any more has no pieces rather than wrong ones.
func TestHandOverForgotten(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		table := flows.NewTable()
		defer table.Close()
		table.TakeHandOvers()
		for _, at := range []int64{10, 31} {
			o := datagramAt(at*milli, 1, true)
			table.Add(&o)
		}
		if forgotten {
			o := datagramAt(32*milli, 1, true)
			for range 1 << 16 {
				table.Add(&o)
			}
		}
		table.HandOver(handOver(20, 30))
		if got := piecesOf(t, table); (got == nil) != forgotten {
			t.Errorf("forgotten %v: pieces %v", forgotten, got)
		}
	}
}

// TestHandOverTakenLate: of packets from before the table followed hand-overs nothing is remembered, what comes later is divided.
func TestHandOverTakenLate(t *testing.T) {
	for _, tt := range []struct {
		hand flows.HandOver
		want []piece
	}{
		{handOver(20, 30), nil},
		{handOver(40, 50), []piece{{10, 31, 2, 0, false}, {51, 51, 1, 0, false}}},
	} {
		table := flows.NewTable()
		defer table.Close()
		add := func(at int64) {
			o := datagramAt(at*milli, 1, true)
			table.Add(&o)
		}
		add(10)
		add(31)
		table.TakeHandOvers()
		add(51)
		table.HandOver(tt.hand)
		if diff := cmp.Diff(tt.want, piecesOf(t, table)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.hand, diff)
		}
	}
}

// TestHandOverAmongOthers: the packets of a flow are found again among those of others, when older ones are forgotten already.
func TestHandOverAmongOthers(t *testing.T) {
	const packets, others, changed = 300_000, 7, 290_000
	table := flows.NewTable()
	defer table.Close()
	table.TakeHandOvers()
	var each [others]flows.Observation
	for i := range each {
		each[i] = datagramFrom(netip.AddrPortFrom(host4.Addr(), uint16(20_000+i)))
	}
	each[3] = datagramAt(0, 1, true)
	for i := range int64(packets) {
		o := each[i%others]
		o.Time = i * milli
		table.Add(&o)
	}
	table.HandOver(handOver(changed, changed+1))
	for _, f := range table.Flows(nil, local4()) {
		if f.Key.LocalAddr() != host4 {
			if f.Pieces != nil {
				t.Errorf("%v did not change hands and has pieces %+v", f.Key, f.Pieces)
			}
			continue
		}
		if len(f.Pieces) != 2 || f.Pieces[0].TxPackets != (changed-3)/others+1 || f.Pieces[0].Last != (changed-(changed-3)%others)*milli ||
			f.Pieces[0].Counts.Add(f.Pieces[1].Counts) != f.Counts {
			t.Errorf("pieces %+v of %+v", f.Pieces, f.Counts)
		}
	}
}

// datagramFrom is a datagram to peer4, decoded.
func datagramFrom(from netip.AddrPort) (o flows.Observation) {
	frame := fixtures.UDP(from, peer4, make([]byte, 50))
	flows.Outer.Decode(&capture.Packet{Data: frame, Length: len(frame), LinkType: capture.LinkTypeEthernet}, &o)
	return o
}

// BenchmarkHandOver is of 5-tuples that change hands while as many packets are remembered as can be: each event comes after the first
// packets of the next socket, as it does live.
func BenchmarkHandOver(b *testing.B) {
	const ports = 1 << 14
	table := flows.NewTable()
	defer table.Close()
	table.TakeHandOvers()
	packet := func(i int) flows.Observation {
		o := datagramFrom(netip.AddrPortFrom(host4.Addr(), uint16(20_000+i%ports)))
		o.Time = int64(i) * milli / 10
		return o
	}
	for i := range 1 << 16 {
		o := packet(i)
		table.Add(&o)
	}
	b.ReportAllocs()
	for i := 1 << 16; b.Loop(); i++ {
		o := packet(i)
		table.Add(&o)
		at := int64(i) * milli / 10
		table.HandOver(flows.HandOver{Key: flows.MakeKey(flows.UDP, netip.AddrPortFrom(host4.Addr(), uint16(20_000+i%ports)), peer4), After: at - 1000, By: at - 500})
		if i%ports == 0 {
			table.ForgetHandOvers(at)
		}
	}
}
