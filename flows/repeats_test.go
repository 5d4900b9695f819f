package flows_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

var (
	repeatA = netip.MustParseAddrPort("192.0.2.1:5000")
	repeatB = netip.MustParseAddrPort("198.51.100.2:53")
)

// seenOn is a frame captured on an interface at a time in milliseconds.
func seenOn(iface int, ms int64, link capture.LinkType, frame []byte) capture.Packet {
	return capture.Packet{Time: ms * 1e6, Data: frame, Length: len(frame), LinkType: link, Interface: iface}
}

// countOnce adds packets as a run with several interfaces does, on a host with these addresses.
func countOnce(packets []capture.Packet, own ...netip.Prefix) *flows.Table {
	table, repeats, carriers, host := flows.NewTable(), flows.NewRepeats(), flows.NewCarriers(), flows.NewLocal(own)
	reduce := func(excess []flows.Excess) {
		for i := range excess {
			table.Reduce(&excess[i])
		}
	}
	for i := range packets {
		var o flows.Observation
		_, trace := flows.Outer.DecodeTraced(&packets[i], &o)
		again, kind, excess := repeats.Frame(&o, trace, host)
		if again {
			table.AddRepeat(&o, kind)
			reduce(excess)
			continue
		}
		table.Add(&o)
		reduce(excess)
		if inside, ok := flows.Outer.Inside(&packets[i], &o, i); ok {
			reduce(repeats.Inside(&o, trace, &inside))
		}
		carriers.Add(&o, trace, host)
	}
	excess, unmatched := carriers.Found(true)
	reduce(excess)
	table.Unmatched(unmatched)
	return table
}

func TestRepeats(t *testing.T) {
	const ether, raw = capture.LinkTypeEthernet, capture.LinkTypeRaw
	frame := fixtures.UDP(repeatA, repeatB, []byte("twelve bytes"))
	other := fixtures.UDP(repeatA, repeatB, []byte("other twelve"))
	hop := append([]byte(nil), frame...)
	hop[0], hop[22] = hop[0]^0xff, hop[22]-1 // another destination MAC, one hop less
	size := uint64(len(frame))
	for _, c := range []struct {
		name               string
		in                 []capture.Packet
		packets, sum, seen uint64
	}{
		{"one interface, sent again", []capture.Packet{seenOn(0, 0, ether, frame), seenOn(0, 1, ether, frame)}, 2, 2 * size, 0},
		{"two interfaces", []capture.Packet{seenOn(0, 0, ether, frame), seenOn(1, 1, ether, hop)}, 1, size, 1},
		{"another payload", []capture.Packet{seenOn(0, 0, ether, frame), seenOn(1, 1, ether, other)}, 2, 2 * size, 0},
		{"past the window", []capture.Packet{seenOn(0, 0, ether, frame), seenOn(1, 1001, ether, hop)}, 2, 2 * size, 0},
		{"sent again over two", []capture.Packet{
			seenOn(0, 0, ether, frame), seenOn(0, 300, ether, frame), seenOn(1, 1, ether, hop), seenOn(1, 301, ether, hop),
		}, 2, 2 * size, 2},
		{"the inner packet counts, seen first", []capture.Packet{seenOn(0, 0, raw, frame[14:]), seenOn(1, 1, ether, frame)}, 1, size - 14, 1},
		{"the inner packet counts, seen last", []capture.Packet{seenOn(1, 0, ether, frame), seenOn(0, 1, raw, frame[14:])}, 1, size - 14, 1},
		{"an interface past the bound", append(others(64), seenOn(64, 1, ether, frame), seenOn(0, 2, ether, hop)), 66, 66 * size, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := countOnce(c.in)
			packets, sum := flowSums(table)
			if seen := table.Repeated(); packets != c.packets || sum != c.sum || seen.Packets != c.seen {
				t.Errorf("got %d packets, %d bytes, %d seen before; want %d, %d, %d", packets, sum, seen.Packets, c.packets, c.sum, c.seen)
			}
			checkOnce(t, table, c.in)
		})
	}
}

// others are packets of as many interfaces, each its own.
func others(interfaces int) (list []capture.Packet) {
	for i := range interfaces {
		payload := append([]byte{byte(i)}, "other bytes"...)
		list = append(list, seenOn(i, 0, capture.LinkTypeEthernet, fixtures.UDP(repeatA, repeatB, payload)))
	}
	return list
}

func flowSums(table *flows.Table) (packets, frame uint64) {
	for _, f := range table.Flows(nil, flows.NewLocal(nil)) {
		packets += f.TxPackets + f.RxPackets
		frame += f.TxBytes + f.RxBytes
	}
	return packets, frame
}

// checkOnce holds that every captured byte is in a flow or was seen before.
func checkOnce(t *testing.T, table *flows.Table, in []capture.Packet) {
	t.Helper()
	packets, frame := flowSums(table)
	seen := table.Repeated()
	var want uint64
	for i := range in {
		want += uint64(in[i].Length)
	}
	if got := frame + seen.Bytes; got != want || packets+seen.Packets != uint64(len(in)) {
		t.Errorf("got %d packets and %d bytes in flows and seen before, want %d and %d", packets+seen.Packets, got, len(in), want)
	}
}

// TestRepeatsPaths sends random segments over paths of several interfaces, in any order, some lost on all but the first:
// the flows are those of the first alone.
func TestRepeatsPaths(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var all, first []capture.Packet
		interfaces := 2 + random.IntN(4)
		for n := range 50 {
			seq := uint32(1 + 100*random.IntN(40)) // some come again
			frame := fixtures.TCP(repeatA, repeatB, "A", seq, 1, make([]byte, 100))
			for i := range interfaces {
				hop := append([]byte(nil), frame...)
				hop[22] -= byte(i)
				p := seenOn(i, int64(10*n+i), capture.LinkTypeEthernet, hop)
				if i == 0 {
					first = append(first, p)
				} else if random.IntN(10) == 0 {
					break // lost here
				}
				all = append(all, p)
			}
		}
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		table := countOnce(all)
		packets, frame := flowSums(table)
		wantPackets, wantFrame := flowSums(countOnce(first))
		if packets != wantPackets || frame != wantFrame {
			t.Fatalf("seed %d: got %d packets, %d bytes; want %d, %d", seed, packets, frame, wantPackets, wantFrame)
		}
		checkOnce(t, table, all)
	}
}
