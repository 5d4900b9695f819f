package flows_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

const second = 1_000_000_000

// feed decodes frames, sent a millisecond apart from time at on, into table.
func feed(table *flows.Table, at int64, frames ...[]byte) {
	var o flows.Observation
	for i, frame := range frames {
		p := packet(capture.LinkTypeEthernet, frame)
		p.Time = at + int64(i)*1_000_000
		flows.Outer.Decode(p, &o)
		table.Add(&o)
	}
}

func local4() flows.Local {
	return flows.NewLocal([]netip.Prefix{netip.PrefixFrom(host4.Addr(), 32)})
}

func exchange(isn uint32, client, server netip.AddrPort) [][]byte {
	return [][]byte{
		fixtures.TCP(client, server, "S", isn, 0, nil),
		fixtures.TCP(server, client, "SA", 9000, isn+1, nil),
		fixtures.TCP(client, server, "A", isn+1, 9001, nil),
		fixtures.TCP(client, server, "PA", isn+1, 9001, []byte("hello")),
		fixtures.TCP(server, client, "PA", 9001, isn+6, []byte("hi")),
		fixtures.TCP(client, server, "FA", isn+6, 9003, nil),
		fixtures.TCP(server, client, "FA", 9003, isn+7, nil),
		fixtures.TCP(client, server, "A", isn+7, 9004, nil),
	}
}

func TestTableTCPExchange(t *testing.T) {
	table := flows.NewTable()
	feed(table, second, exchange(100, host4, peer4)...)
	got := table.Flows(nil, local4())
	if len(got) != 1 {
		t.Fatalf("%d flows, want 1", len(got))
	}
	f := got[0]
	if f.Key != flows.MakeKey(flows.TCP, host4, peer4) || f.Initiator != flows.InitiatorLocal || f.End != flows.EndFIN || f.Locality != flows.LocalOne {
		t.Errorf("%v initiator %v end %v locality %v", f.Key, f.Initiator, f.End, f.Locality)
	}
	if f.TxPackets != 5 || f.RxPackets != 3 || f.TxPayload != 5 || f.RxPayload != 2 || f.TxStream != 5 || f.RxStream != 2 {
		t.Errorf("counts %+v, stream %d, %d", f.Counts, f.TxStream, f.RxStream)
	}
	if f.TxBytes != 5*54+5 || f.TxIPBytes != 5*40+5 {
		t.Errorf("tx %d frame bytes, %d IP bytes", f.TxBytes, f.TxIPBytes)
	}
	if f.SYNRTT != 1_000_000 || f.ACKRTT != 1_000_000 {
		t.Errorf("handshake %d + %d ns, want 1 ms each", f.SYNRTT, f.ACKRTT)
	}
	if f.First != second || f.Last != second+7_000_000 {
		t.Errorf("first %d last %d", f.First, f.Last)
	}
}

func TestTableReusedTuple(t *testing.T) {
	tests := []struct {
		name   string
		second [][]byte
		after  int64 // from the first life's beginning
		want   int
	}{
		{"new SYN", exchange(5000, host4, peer4), second, 2},
		{"the same SYN again", exchange(100, host4, peer4)[:1], second, 1},
		{"late ACK in TIME_WAIT", exchange(100, host4, peer4)[7:], 10 * second, 1},
		{"new SYN from the other side", exchange(5000, peer4, host4), second, 2},
		{"silence of three hours", exchange(100, host4, peer4)[3:], 3 * 3600 * second, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := flows.NewTable()
			feed(table, second, exchange(100, host4, peer4)...)
			feed(table, second+tt.after, tt.second...)
			got := table.Flows(nil, local4())
			if len(got) != tt.want {
				t.Fatalf("%d flows, want %d", len(got), tt.want)
			}
			if got[0].TxPackets < 5 || tt.want == 2 && got[0].TxPackets != 5 {
				t.Errorf("first life has %d packets", got[0].TxPackets)
			}
		})
	}
}

func TestTableUDPIdle(t *testing.T) {
	for _, tt := range []struct {
		gap  int64
		want int
		end  flows.End
	}{{119 * second, 1, flows.EndOpen}, {121 * second, 2, flows.EndIdle}, {-500 * second, 1, flows.EndOpen}} {
		table := flows.NewTable()
		feed(table, 1000*second, fixtures.UDP(host4, peer4, []byte("a")))
		feed(table, 1000*second+tt.gap, fixtures.UDP(peer4, host4, []byte("b")))
		got := table.Flows(nil, local4())
		if len(got) != tt.want || got[0].End != tt.end {
			t.Errorf("gap %d s: %d flows, first ends %v; want %d, %v", tt.gap/second, len(got), got[0].End, tt.want, tt.end)
		}
	}
}

func TestTableOrientation(t *testing.T) {
	tests := []struct {
		name      string
		frames    [][]byte
		local     []string
		wantLocal netip.AddrPort
		locality  flows.Locality
		initiator flows.Initiator
	}{
		{"host opened", exchange(1, host4, peer4), []string{"192.0.2.2/32"}, host4, flows.LocalOne, flows.InitiatorLocal},
		{"peer opened", exchange(1, peer4, host4), []string{"192.0.2.2/32"}, host4, flows.LocalOne, flows.InitiatorRemote},
		{"by prefix", exchange(1, peer4, host4), []string{"192.0.2.0/24"}, host4, flows.LocalOne, flows.InitiatorRemote},
		{"transit: who opened it", exchange(1, peer4, host4), nil, peer4, flows.LocalNeither, flows.InitiatorLocal},
		{"both ours", exchange(1, peer4, host4), []string{"0.0.0.0/0"}, peer4, flows.LocalBoth, flows.InitiatorLocal},
		{"answer seen first", exchange(1, host4, peer4)[1:], nil, host4, flows.LocalNeither, flows.InitiatorLocal},
		{"joined midway: who spoke first", exchange(1, host4, peer4)[4:5], nil, peer4, flows.LocalNeither, flows.InitiatorUnknown},
		{"UDP", [][]byte{fixtures.UDP(peer4, host4, nil)}, []string{"192.0.2.2/32"}, host4, flows.LocalOne, flows.InitiatorRemote},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := flows.NewTable()
			feed(table, second, tt.frames...)
			var prefixes []netip.Prefix
			for _, l := range tt.local {
				prefixes = append(prefixes, netip.MustParsePrefix(l))
			}
			f := table.Flows(nil, flows.NewLocal(prefixes))[0]
			if f.Key.LocalAddr() != tt.wantLocal || f.Locality != tt.locality || f.Initiator != tt.initiator {
				t.Errorf("local %v, locality %v, initiator %v; want %v, %v, %v",
					f.Key.LocalAddr(), f.Locality, f.Initiator, tt.wantLocal, tt.locality, tt.initiator)
			}
		})
	}
}

func TestTableFragments(t *testing.T) {
	frames := fixtures.UDPFragments(400, host4, peer4, make([]byte, 1000), fixtures.ID(77))
	if len(frames) != 3 {
		t.Fatalf("%d fragments, want 3", len(frames))
	}
	orders := map[string][]int{"in order": {0, 1, 2}, "first last": {2, 1, 0}, "first in the middle": {1, 0, 2}}
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			table := flows.NewTable()
			for _, i := range order {
				feed(table, second, frames[i])
			}
			got := table.Flows(nil, local4())
			if len(got) != 1 || got[0].TxPackets != 3 || got[0].TxPayload != 1000 {
				t.Errorf("flows %+v, want one with 3 packets and 1000 bytes", got)
			}
			if u := table.Undecoded(); len(u) != 0 {
				t.Errorf("undecoded %v, want none", u)
			}
		})
	}
	t.Run("no first", func(t *testing.T) {
		table := flows.NewTable()
		feed(table, second, frames[1:]...)
		want := flows.Undecoded{Kind: "fragment", Packets: 2, Bytes: uint64(len(frames[1]) + len(frames[2]))}
		if got := table.Undecoded(); table.Len() != 0 || len(got) != 1 || got[0] != want {
			t.Errorf("undecoded %v, want %v", got, want)
		}
	})
	t.Run("flood of firstless fragments", func(t *testing.T) {
		table := flows.NewTable()
		var total uint64
		for id := range uint32(10_000) {
			frame := fixtures.UDPFragments(8, host4, peer4, make([]byte, 16), fixtures.ID(id))[1]
			total += uint64(len(frame))
			feed(table, second, frame)
		}
		if got := table.Undecoded(); len(got) != 1 || got[0].Packets != 10_000 || got[0].Bytes != total {
			t.Errorf("undecoded %v, want all 10000 packets, %d bytes", got, total)
		}
	})
}

// TestTunnelledFragments: IP fragments inside of a tunnel count for the flow inside, where that is asked for.
func TestTunnelledFragments(t *testing.T) {
	var frames [][]byte
	for _, frame := range fixtures.UDPFragments(400, host4, peer4, make([]byte, 1000), fixtures.ID(77)) {
		frames = append(frames, inUDP(4789, be("\x08\x00\x00\x00\x00\x00\x07\x00", frame)))
	}
	for tunnels, want := range map[flows.Tunnels]struct {
		port    uint16
		payload uint64 // one datagram's inside; each packet's and its headers outside
	}{
		flows.Inner: {host4.Port(), 1000}, flows.Outer: {40000, 1008 + 3*(8+14+20)},
	} {
		for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}} {
			table := flows.NewTable()
			for _, i := range order {
				var o flows.Observation
				tunnels.Decode(packet(capture.LinkTypeRaw, frames[i]), &o)
				table.Add(&o)
			}
			got := table.Flows(nil, flows.Local{})
			if len(got) != 1 || got[0].TxPackets+got[0].RxPackets != 3 || got[0].Key.Local.Port != want.port && got[0].Key.Remote.Port != want.port ||
				got[0].TxPayload+got[0].RxPayload != want.payload {
				t.Errorf("tunnels %d, order %v: got %+v, want one flow of port %d with 3 packets and %d bytes of payload", tunnels, order, got, want.port, want.payload)
			}
		}
	}
}

// TestFragmentedTunnel: a packet that its tunnel carries in IP fragments counts for the flow inside with all of them, where that is
// asked for, in whatever order they come.
func TestFragmentedTunnel(t *testing.T) {
	inside := fixtures.TCP(host4, peer4, "PA", 1, 1, make([]byte, 1000), fixtures.Link(capture.LinkTypeRaw))
	outer := netip.MustParseAddrPort("192.0.2.9:40000")
	frames := fixtures.UDPFragments(400, outer, netip.MustParseAddrPort("198.51.100.9:2152"), be("\x30\xff", uint16(len(inside)), uint32(1), inside), fixtures.ID(5))
	for tunnels, want := range map[flows.Tunnels]flows.Key{
		flows.Inner: flows.MakeKey(flows.TCP, host4, peer4), flows.Outer: flows.MakeKey(flows.UDP, outer, netip.MustParseAddrPort("198.51.100.9:2152")),
	} {
		for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {2, 1, 0}} {
			table := flows.NewTable()
			for _, i := range order {
				var o flows.Observation
				tunnels.Decode(packet(capture.LinkTypeEthernet, frames[i]), &o)
				table.Add(&o)
			}
			got := table.Flows(nil, local4())
			if len(got) != 1 || got[0].Key != want || got[0].TxPackets != uint64(len(frames)) || len(table.Undecoded()) > 0 {
				t.Errorf("tunnels %d, order %v: got %+v and undecoded %v, want %v with %d packets", tunnels, order, got, table.Undecoded(), want, len(frames))
			}
		}
	}
}

func TestInferLocal(t *testing.T) {
	third := netip.MustParseAddrPort("203.0.113.9:80")
	tests := []struct {
		name   string
		frames [][]byte
		want   string
	}{
		{"host with two peers", slices.Concat(exchange(1, host4, peer4), exchange(1, third, host4)), "192.0.2.2/32"},
		{"one conversation: who opened it", exchange(1, peer4, host4), "198.51.100.7/32"},
		{"transit", [][]byte{fixtures.UDP(host4, peer4, nil), fixtures.UDP(third, netip.MustParseAddrPort("10.0.0.1:1"), nil)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := flows.NewTable()
			feed(table, second, tt.frames...)
			var got string
			for _, p := range table.InferLocal() {
				got += p.String()
			}
			if got != tt.want {
				t.Errorf("local %q, want %q", got, tt.want)
			}
		})
	}
}

// TestTableConserves: whatever packets come, every one and every byte is in a flow or undecoded, and the
// order of independent flows' packets changes nothing.
func TestTableConserves(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var all [][]byte
	for i := range 300 {
		a := netip.AddrPortFrom(host4.Addr(), uint16(1000+rng.IntN(40)))
		switch rng.IntN(4) {
		case 0:
			all = append(all, exchange(uint32(i)*1000, a, peer4)...)
		case 1:
			all = append(all, fixtures.UDP(a, peer4, make([]byte, rng.IntN(100))))
		case 2:
			all = append(all, fixtures.UDPFragments(64, a, peer4, make([]byte, 200), fixtures.ID(uint32(i)))...)
		default:
			frame := fixtures.TCP(a, peer4, "A", 1, 1, nil)
			all = append(all, frame[:rng.IntN(len(frame))])
		}
	}
	table := flows.NewTable()
	var bytes uint64
	for i, frame := range all {
		bytes += uint64(len(frame))
		feed(table, int64(i)*second/100, frame)
	}
	var gotPackets, gotBytes uint64
	for _, f := range table.Flows(nil, local4()) {
		gotPackets, gotBytes = gotPackets+f.Packets(), gotBytes+f.Bytes()
	}
	for _, u := range table.Undecoded() {
		gotPackets, gotBytes = gotPackets+u.Packets, gotBytes+u.Bytes
	}
	if gotPackets != uint64(len(all)) || gotBytes != bytes {
		t.Errorf("flows and undecoded hold %d packets, %d bytes; fed were %d, %d", gotPackets, gotBytes, len(all), bytes)
	}
	if c := table.Interfaces()[0]; c.Packets != uint64(len(all)) || c.Bytes != bytes {
		t.Errorf("interface has %+v", c)
	}
}

// BenchmarkDecode: 30 ns a frame, and 70 ns header by header, as a frame with a VLAN tag is decoded.
func BenchmarkDecode(b *testing.B) {
	for _, frame := range []struct {
		name string
		data []byte
	}{
		{"tcp4", fixtures.TCP(host4, peer4, "A", 1, 1, make([]byte, 1000))},
		{"tcp6", fixtures.TCP(host6, peer6, "A", 1, 1, make([]byte, 1000))},
		{"udp4", fixtures.UDP(host4, peer4, make([]byte, 100))},
		{"vlan", fixtures.TCP(host4, peer4, "A", 1, 1, make([]byte, 1000), fixtures.VLAN(7))},
	} {
		b.Run(frame.name, func(b *testing.B) {
			p := packet(capture.LinkTypeEthernet, frame.data)
			var o flows.Observation
			b.ReportAllocs()
			for b.Loop() {
				flows.Outer.Decode(p, &o)
			}
		})
	}
}
