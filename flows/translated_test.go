package flows_test

import (
	"net/netip"
	"slices"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// TestTranslated captures on both sides of a NAT: the program's side counts, whichever was read first.
func TestTranslated(t *testing.T) {
	inside, gateway := netip.MustParseAddrPort("10.0.0.2:5000"), netip.MustParseAddrPort("203.0.113.7:61000")
	second := netip.MustParseAddrPort("192.0.2.7:5000")
	own := []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("192.0.2.7/32")}
	payload := []byte("a dozen and more")
	tcp := func(src, dst netip.AddrPort, flags string, seq, ack uint32) []byte {
		return fixtures.TCP(src, dst, flags, seq, ack, nil)
	}
	on := func(iface int, frame []byte) capture.Packet {
		return seenOn(iface, int64(iface), capture.LinkTypeEthernet, frame)
	}
	for _, c := range []struct {
		name string
		in   []capture.Packet
		want []netip.AddrPort // that have flows with repeatB
		seen uint64
	}{
		{"UDP leaves", []capture.Packet{on(0, fixtures.UDP(inside, repeatB, payload)), on(1, fixtures.UDP(gateway, repeatB, payload))},
			[]netip.AddrPort{inside}, 1},
		{"UDP arrives", []capture.Packet{on(1, fixtures.UDP(repeatB, gateway, payload)), on(0, fixtures.UDP(repeatB, inside, payload))},
			[]netip.AddrPort{inside}, 1},
		{"TCP without payload", []capture.Packet{
			on(0, tcp(inside, repeatB, "S", 7, 0)), on(1, tcp(gateway, repeatB, "S", 7, 0)),
			on(1, tcp(repeatB, gateway, "SA", 9, 8)), on(0, tcp(repeatB, inside, "SA", 9, 8)),
		}, []netip.AddrPort{inside}, 2},
		{"the same from two addresses of the host", []capture.Packet{on(0, fixtures.UDP(second, repeatB, payload)), on(1, fixtures.UDP(gateway, repeatB, payload))},
			[]netip.AddrPort{gateway, second}, 0},
		{"the same from two other hosts", []capture.Packet{
			on(0, fixtures.UDP(inside, repeatB, payload)), on(1, fixtures.UDP(netip.MustParseAddrPort("10.0.0.3:5000"), repeatB, payload)),
		}, []netip.AddrPort{inside, netip.MustParseAddrPort("10.0.0.3:5000")}, 0},
		{"UDP of zeroes, the port kept", []capture.Packet{
			on(1, fixtures.UDP(repeatB, netip.AddrPortFrom(gateway.Addr(), inside.Port()), make([]byte, 900))), on(0, fixtures.UDP(repeatB, inside, make([]byte, 900))),
		}, []netip.AddrPort{inside}, 1},
		{"UDP of zeroes, another port", []capture.Packet{on(1, fixtures.UDP(repeatB, gateway, make([]byte, 900))), on(0, fixtures.UDP(repeatB, inside, make([]byte, 900)))},
			[]netip.AddrPort{gateway, inside}, 0},
		{"too little to tell", []capture.Packet{on(0, fixtures.UDP(inside, repeatB, payload[:4])), on(1, fixtures.UDP(gateway, repeatB, payload[:4]))},
			[]netip.AddrPort{gateway, inside}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 {
				table := countOnce(c.in, own...)
				var got []netip.AddrPort
				for _, f := range table.Flows(nil, flows.NewLocal(nil)) {
					for _, side := range []netip.AddrPort{f.Key.LocalAddr(), f.Key.RemoteAddr()} {
						if side != repeatB {
							got = append(got, side)
						}
					}
				}
				slices.SortFunc(got, netip.AddrPort.Compare)
				slices.SortFunc(c.want, netip.AddrPort.Compare)
				if seen := table.Repeated(); !slices.Equal(got, c.want) || seen.Packets != c.seen {
					t.Errorf("got flows of %v, %d seen before; want %v, %d", got, seen.Packets, c.want, c.seen)
				}
				checkOnce(t, table, c.in)
				slices.Reverse(c.in)
			}
		})
	}
}
