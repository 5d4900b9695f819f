package flows_test

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

var (
	tunnelHere, tunnelThere = netip.MustParseAddrPort("203.0.113.7:51820"), netip.MustParseAddrPort("203.0.113.99:4789")
	tunnelOwn               = []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("192.0.2.1/32")}
)

// TestCarried captures what VXLAN carries and its carrier: the packet inside counts for its flow, the carrier for the rest.
func TestCarried(t *testing.T) {
	inner := fixtures.UDP(repeatA, repeatB, []byte("a dozen and more"))
	outer := fixtures.UDP(tunnelHere, tunnelThere, append([]byte{8, 0, 0, 0, 0, 0, 7, 0}, inner...))
	alone := seenOn(0, 0, capture.LinkTypeEthernet, inner)
	carrier := seenOn(1, 1, capture.LinkTypeEthernet, outer)
	for _, c := range []struct {
		name           string
		in             []capture.Packet
		inner, carrier uint64 // frame bytes
	}{
		{"in order", []capture.Packet{alone, carrier}, uint64(len(inner)), uint64(len(outer) - len(inner))},
		{"carrier first", []capture.Packet{carrier, alone}, uint64(len(inner)), uint64(len(outer) - len(inner))},
		{"carrier on a bridge too", []capture.Packet{carrier, seenOn(2, 2, capture.LinkTypeEthernet, outer), alone},
			uint64(len(inner)), uint64(len(outer) - len(inner))},
		{"carrier alone", []capture.Packet{carrier}, 0, uint64(len(outer))},
		{"on one interface", []capture.Packet{seenOn(1, 0, capture.LinkTypeEthernet, inner), carrier}, uint64(len(inner)), uint64(len(outer))},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := countOnce(c.in)
			got := frameBytes(table)
			if got[repeatA] != c.inner || got[tunnelHere] != c.carrier {
				t.Errorf("got %d bytes inside, %d of the carrier; want %d, %d", got[repeatA], got[tunnelHere], c.inner, c.carrier)
			}
			checkSum(t, table, c.in)
		})
	}
}

// frameBytes sums the flows by who sent first.
func frameBytes(table *flows.Table) map[netip.AddrPort]uint64 {
	sums := map[netip.AddrPort]uint64{}
	for _, f := range table.Flows(nil, flows.NewLocal(nil)) {
		sums[f.Key.LocalAddr()] += f.Bytes()
	}
	return sums
}

// checkSum holds that every captured byte is in a flow or was seen before.
func checkSum(t *testing.T, table *flows.Table, in []capture.Packet) {
	t.Helper()
	_, frame := flowSums(table)
	var want uint64
	for i := range in {
		want += uint64(in[i].Length)
	}
	if got := frame + table.Repeated().Bytes; got != want {
		t.Errorf("got %d bytes in flows and seen before, want %d", got, want)
	}
}

// vpn is a tunnel that encrypts, with other traffic of UDP beside it.
type vpn struct {
	random *rand.Rand
	even   bool
	now    int64 // ms
	step   int64 // ms from packet to packet
	inside []capture.Packet
	out    []capture.Packet // of the carrier and of others
	bytes  uint64           // inside
	lost   uint64           // of them, whose carrier was not captured
	last   uint64           // of the last packet
}

const tunnelIface, outerIface = 0, 1

// datagram is a packet of a UDP flow with a payload that nobody can read.
func (v *vpn) datagram(from, to netip.AddrPort, length int, at int64) {
	payload := make([]byte, length)
	binary.BigEndian.PutUint64(payload, v.random.Uint64())
	v.out = append(v.out, seenOn(outerIface, at, capture.LinkTypeEthernet, fixtures.UDP(from, to, payload)))
}

func (v *vpn) payload() int {
	if v.even {
		return v.random.IntN(2) * 984
	}
	return v.random.IntN(1300)
}

// packet passes the tunnel, and is carried with added bytes.
func (v *vpn) packet(outgoing bool, added func(length int) int) {
	from, to, here, there := repeatA, repeatB, tunnelHere, tunnelThere
	late := v.random.Int64N(min(4, v.step)) // their order is kept
	carried := v.now + late
	if !outgoing {
		from, to, here, there = to, from, there, here
		carried = v.now - late
	}
	packet := fixtures.TCP(from, to, "A", v.random.Uint32(), 1, make([]byte, v.payload()))[14:]
	v.inside = append(v.inside, seenOn(tunnelIface, v.now, capture.LinkTypeRaw, packet))
	v.datagram(here, there, len(packet)+added(len(packet)), carried)
	v.last = uint64(len(packet))
	v.bytes += v.last
	v.now += v.step
}

// TestCarriers holds that an encrypted tunnel's carrier is found by lengths and times, and nothing else is taken for one.
func TestCarriers(t *testing.T) {
	wireguard := func(length int) int { return 32 + (16-length%16)%16 }
	other := netip.MustParseAddrPort("198.51.100.200:443")
	mine := netip.MustParseAddrPort("203.0.113.7:40000")
	for _, c := range []struct {
		name   string
		added  func(length int) int
		before func(v *vpn)
		also   func(v *vpn)
		even   bool // the payload of most packets has one of two lengths
		ahead  bool // of 150 ms, as fast as one a millisecond, all datagrams come before the packets of the tunnel
		lost   int  // one of so many carriers is not captured
		none   bool // nothing may be found
	}{
		{name: "padded", added: wireguard},
		{name: "constant", added: func(int) int { return 69 }},
		{name: "nearly always the same padding", added: wireguard, even: true},
		{name: "behind a handshake", added: wireguard, before: func(v *vpn) {
			v.inside = append(v.inside, seenOn(tunnelIface, v.now-1, capture.LinkTypeRaw, fixtures.TCP(repeatA, repeatB, "S", 1, 0, nil)[14:]))
			v.datagram(tunnelHere, tunnelThere, 148, v.now-1)
			v.datagram(tunnelThere, tunnelHere, 92, v.now)
			v.datagram(tunnelHere, tunnelThere, 80, v.now)
			v.bytes += 40
		}},
		{name: "with keep-alives", added: wireguard, also: func(v *vpn) {
			if v.random.IntN(20) == 0 {
				v.datagram(tunnelHere, tunnelThere, 32, v.now-1)
			}
		}},
		{name: "beside other traffic", added: wireguard, also: func(v *vpn) {
			v.datagram(mine, other, 40+v.random.IntN(1300), v.now+1)
			v.datagram(other, mine, 1452, v.now+1)
		}},
		{name: "a reader behind the other", added: wireguard, ahead: true},
		{name: "some lost", added: wireguard, lost: 50},
		{name: "no carrier captured", added: wireguard, lost: 1, also: func(v *vpn) { v.datagram(mine, other, 40+v.random.IntN(1300), v.now+1) }, none: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &vpn{random: rand.New(rand.NewPCG(1, 2)), now: 1000, step: 5}
			if c.ahead {
				v.step, v.now = 1, 1050 // where 150 ms begin
			}
			if c.before != nil {
				c.before(v)
			}
			for n := range 400 {
				v.even = c.even && n%20 != 0
				v.packet(v.random.IntN(2) == 0, c.added)
				if c.lost > 0 && n%c.lost == 0 {
					v.out = v.out[:len(v.out)-1]
					v.lost += v.last
				}
				if c.also != nil {
					c.also(v)
				}
			}
			in := slices.Concat(v.inside, v.out)
			slices.SortStableFunc(in, func(a, b capture.Packet) int { // as readers deliver them: some milliseconds out of order
				if c.ahead {
					return cmp.Or(cmp.Compare(a.Time/150e6, b.Time/150e6), cmp.Compare(b.Interface, a.Interface))
				}
				return cmp.Compare(a.Time/20e6, b.Time/20e6)
			})
			table := countOnce(in, tunnelOwn...)
			got := table.Repeated().Kinds[flows.CarriedUnread]
			want, unmatched := v.bytes-v.lost, v.lost
			if c.none {
				want, unmatched = 0, 0
			}
			if left := table.Repeated().Unmatched; got != want || left != unmatched {
				t.Errorf("got %d bytes carried and %d unmatched, want %d and %d", got, left, want, unmatched)
			}
			checkSum(t, table, in)
		})
	}
}
