package flows_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// script turns bytes into packets: four bytes each, of a few flows, so that they meet. What they mean does not matter,
// only that all of what a Table does is in reach: handshakes, resets, fragments, silence, clocks that run back, lies.
func script(steps []byte) []flows.Observation {
	var list []flows.Observation
	now := int64(1e18)
	for ; len(steps) >= 4 && len(list) < 400; steps = steps[4:] {
		what, who, seq, size := steps[0], steps[1], uint32(steps[2]), int(steps[3])
		src, dst := host4, peer4
		if who&1 != 0 {
			src, dst = dst, src
		}
		body := make([]byte, size*3)
		now += [...]int64{1e6, 1e6, 1e9, -5e8, 121e9, 7876e9, 31e9, 0}[who>>1&7]
		var frames [][]byte
		switch what % 8 {
		case 0:
			frames = append(frames, fixtures.UDP(src, dst, body))
		case 1:
			frames = reordered(fixtures.UDPFragments(64, src, dst, body, fixtures.ID(seq%4)), who)
		case 2:
			frames = append(frames, append(make([]byte, 12), 8, what, 0, 1))
		default:
			flags := [...]string{"A", "PA", "S", "SA", "FA", "R", "RA", "SF"}[what>>3&7]
			frames = append(frames, fixtures.TCP(src, dst, flags, ^uint32(0)-300+seq*3, 1, body))
		}
		for _, frame := range frames {
			p := packet(capture.LinkTypeEthernet, frame)
			p.Time, p.Interface, p.Length = now, int(who>>5&1), len(frame)+int(what>>7)*1400
			var o flows.Observation
			flows.Outer.Decode(p, &o)
			list = append(list, o)
		}
	}
	return list
}

// reordered turns a list around, or leaves out its first element.
func reordered(frames [][]byte, how byte) [][]byte {
	switch how >> 6 {
	case 1:
		slices.Reverse(frames)
	case 2:
		return frames[1:]
	}
	return frames
}

// FuzzTable: what a Table says of packets sums up to the packets, whatever they are, and does not depend on how they
// were batched.
func FuzzTable(f *testing.F) {
	f.Add([]byte{19, 0, 0, 0, 27, 1, 0, 0, 3, 0, 1, 9, 3, 0, 3, 9, 3, 0, 2, 9, 35, 0, 9, 0, 35, 1, 9, 1}, byte(3))
	f.Add([]byte{1, 64, 0, 99, 1, 129, 1, 99, 1, 12, 1, 90, 0, 8, 0, 1, 2, 0, 0, 0}, byte(1))
	f.Fuzz(func(t *testing.T, steps []byte, batch byte) {
		list := script(steps)
		table := flows.NewTable()
		defer table.Close()
		for i := range list {
			o := list[i]
			table.Add(&o)
		}
		checkSums(t, table, list)
		batched := flows.NewTable()
		defer batched.Close()
		for part := range slices.Chunk(list, 1+int(batch)) {
			batched.AddBatch(slices.Clone(part), nil, nil)
		}
		if diff := cmp.Diff(table.Flows(nil, flows.Local{}), batched.Flows(nil, flows.Local{})); diff != "" {
			t.Errorf("batches of %d (-single +batched):\n%s", 1+int(batch), diff)
		}
		if diff := cmp.Diff(table.Undecoded(), batched.Undecoded()); diff != "" {
			t.Errorf("undecoded in batches of %d (-single +batched):\n%s", 1+int(batch), diff)
		}
	})
}

// sums are counted at each end: as packets go in, and in what the Table says.
type sums struct{ packets, frame, payload, interfaces uint64 }

func checkSums(t *testing.T, table *flows.Table, list []flows.Observation) {
	t.Helper()
	var fed, got sums
	placed := uint64(0) // payload of fragments is counted with their flow, which may not be known
	for i := range list {
		fed.packets++
		fed.frame += uint64(list[i].Frame)
		if list[i].Kind.Decoded() {
			placed += uint64(list[i].Payload)
		}
	}
	for _, fl := range table.Flows(nil, flows.Local{}) {
		got.packets += fl.Packets()
		got.frame += fl.Bytes()
		got.payload += fl.TxPayload + fl.RxPayload
		if fl.TxStream > fl.TxPayload || fl.RxStream > fl.RxPayload {
			t.Errorf("%v: %d + %d stream bytes in %d + %d of payload", fl.Key, fl.TxStream, fl.RxStream, fl.TxPayload, fl.RxPayload)
		}
		if fl.First > fl.Last || fl.TxRetransmits > fl.TxPackets || fl.RxRetransmits > fl.RxPackets {
			t.Errorf("%v: from %d to %d, %d of %d sent again", fl.Key, fl.First, fl.Last, fl.TxRetransmits, fl.TxPackets)
		}
	}
	for _, u := range table.Undecoded() {
		got.packets += u.Packets
		got.frame += u.Bytes
	}
	for _, c := range table.Interfaces() {
		got.interfaces += c.Bytes
	}
	fed.payload, fed.interfaces = placed, fed.frame
	if got != fed {
		t.Errorf("the table has %+v, fed were %+v", got, fed)
	}
}

// FuzzFragments: fragments of different datagrams in any order end in their datagrams' flows, all of them.
func FuzzFragments(f *testing.F) {
	f.Add([]byte{3, 1, 2, 0, 9, 8, 7, 6}, uint16(400), true)
	f.Add([]byte{0, 0, 0, 200, 100, 7}, uint16(900), false)
	f.Fuzz(func(t *testing.T, order []byte, size uint16, v6 bool) {
		src, dst := host4, peer4
		if v6 {
			src, dst = host6, peer6
		}
		body := make([]byte, size%2000)
		var frames [][]byte
		want := map[uint16][2]uint64{} // packets and frame bytes by source port
		for i := range uint16(3) {
			from, to := addrPort(src.Addr(), 1000+i), dst
			if i == 1 { // the same identification from the other side is another datagram
				from, to = addrPort(dst.Addr(), 1000+i), src
			}
			for _, frame := range fixtures.UDPFragments(64, from, to, body, fixtures.ID(7+uint32(i/2))) {
				frames = append(frames, frame)
				w := want[1000+i]
				want[1000+i] = [2]uint64{w[0] + 1, w[1] + uint64(len(frame))}
			}
		}
		for i, at := range order {
			if len(frames) > 0 {
				a, b := i%len(frames), int(at)%len(frames)
				frames[a], frames[b] = frames[b], frames[a]
			}
		}
		table := flows.NewTable()
		defer table.Close()
		feed(table, second, frames...)
		for _, fl := range table.Flows(nil, flows.Local{}) {
			port := min(fl.Key.Local.Port, fl.Key.Remote.Port)
			if port == 443 {
				port = max(fl.Key.Local.Port, fl.Key.Remote.Port)
			}
			if got := [2]uint64{fl.Packets(), fl.Bytes()}; got != want[port] {
				t.Errorf("%v: %d packets and bytes, want %d", fl.Key, got, want[port])
			}
		}
		if u := table.Undecoded(); len(u) > 0 || table.Len() != 3 {
			t.Errorf("%d flows and undecoded %v, want 3 and nothing", table.Len(), u)
		}
	})
}

func addrPort(addr netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(addr, port) }
