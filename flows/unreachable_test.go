package flows_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// icmpError is an IP packet from a router with an error about another, quoted from its IP header on.
func icmpError(kind, code byte, quoted []byte) []byte {
	router, host := netip.MustParseAddr("203.0.113.1").AsSlice(), host4.Addr().AsSlice()
	header, proto := make([]byte, 20), byte(1)
	header[0], header[8] = 0x45, 64
	if quoted[0]>>4 == 6 {
		router, host = netip.MustParseAddr("2001:db8::1").AsSlice(), host6.Addr().AsSlice()
		header, proto = make([]byte, 8), 58
		header[0], header[6], header[7] = 0x60, proto, 64
		binary.BigEndian.PutUint16(header[4:], uint16(8+len(quoted)))
		header = append(append(header, router...), host...)
	} else {
		header[9] = proto
		binary.BigEndian.PutUint16(header[2:], uint16(28+len(quoted)))
		copy(header[12:], router)
		copy(header[16:], host)
	}
	return slices.Concat(header, []byte{kind, code, 0, 0, 0, 0, 0, 0}, quoted)
}

func TestUnreachable(t *testing.T) {
	raw := fixtures.Link(capture.LinkTypeRaw)
	udp4, udp6 := fixtures.UDP(host4, peer4, []byte("hello"), raw), fixtures.UDP(host6, peer6, []byte("hello"), raw)
	syn := fixtures.TCP(host4, peer4, "S", 1, 0, nil, raw)
	back := fixtures.UDP(peer4, host4, []byte("hello"), raw)
	other := fixtures.UDP(host4, netip.MustParseAddrPort("198.51.100.8:443"), []byte("hello"), raw)
	tests := []struct {
		name   string
		sent   []byte
		error  []byte
		tx, rx bool
	}{
		{"port", udp4, icmpError(3, 3, udp4), true, false},
		{"port of IPv6", udp6, icmpError(1, 4, udp6), true, false},
		{"only the eight bytes that must be quoted", udp4, icmpError(3, 3, udp4[:28]), true, false},
		{"prohibited, of TCP", syn, icmpError(3, 13, syn), true, false},
		{"too large a packet is sent again smaller", udp4, icmpError(3, 4, udp4), false, false},
		{"time exceeded", udp4, icmpError(11, 0, udp4), false, false},
		{"of another flow", udp4, icmpError(3, 3, other), false, false},
		{"of a direction in which nothing was sent", udp4, icmpError(3, 3, back), false, false},
		{"cut before the ports", udp4, icmpError(3, 3, udp4[:22]), false, false},
		{"cut within the header", udp6, icmpError(1, 4, udp6[:30]), false, false},
	}
	for _, tt := range tests {
		table := flows.NewTable()
		for _, data := range [][]byte{tt.sent, tt.error} {
			var o flows.Observation
			flows.Outer.Decode(packet(capture.LinkTypeRaw, data), &o)
			table.Add(&o)
		}
		list := table.Flows(nil, flows.Local{})
		if len(list) != 1 || len(table.Undecoded()) != 1 {
			t.Fatalf("%s: %d flows, undecoded %v", tt.name, len(list), table.Undecoded())
		}
		if f := list[0]; f.TxUnreachable != tt.tx || f.RxUnreachable != tt.rx || f.Packets() != 1 {
			t.Errorf("%s: got %v %v of %d packets, want %v %v of 1", tt.name, f.TxUnreachable, f.RxUnreachable, f.Packets(), tt.tx, tt.rx)
		}
		table.Close()
	}
}
