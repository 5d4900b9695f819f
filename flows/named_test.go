package flows_test

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// clientHello is what crypto/tls says first to a server of this name.
func clientHello(t *testing.T, name string) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		_ = tls.Client(theirs, &tls.Config{ServerName: name, NextProtos: []string{"h2", "http/1.1"}}).Handshake()
		theirs.Close()
	}()
	hello := make([]byte, 8192)
	n, err := ours.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	if whole := 5 + int(hello[3])<<8 + int(hello[4]); n != whole {
		t.Fatalf("the first write has %d bytes, want a whole record of %d", n, whole)
	}
	return hello[:n]
}

// run takes frames the way of a run, a batch of all of them.
func run(table *flows.Table, follower *flows.Follower, frames ...[]byte) {
	batch := make([]flows.Observation, len(frames))
	var payloads flows.Payloads
	for i, frame := range frames {
		p := packet(capture.LinkTypeEthernet, frame)
		p.Time = int64(i+1) * second
		var wanted flows.Payload
		if follower.Wants(&batch[i], flows.Outer.Decode(p, &batch[i]), &wanted) {
			payloads.Add(i, &wanted)
		}
	}
	table.AddBatch(batch, payloads.List, nil)
}

// TestNameInFragment: of a request in IP fragments the first states the host. None of its bytes count as payload: nothing says how
// many there are.
func TestNameInFragment(t *testing.T) {
	whole := fixtures.TCP(host4, peer4, "PA", 1000, 2000, []byte("GET / HTTP/1.1\r\nHost: www.example\r\nUser-Agent: somebody\r\n\r\n"))
	const header, cut = 14, 14 + 20 + 56
	first, rest := slices.Clone(whole[:cut]), slices.Concat(whole[:header+20], whole[cut:])
	binary.BigEndian.PutUint16(first[header+2:], uint16(len(first)-header))
	binary.BigEndian.PutUint16(first[header+6:], 0x2000)
	binary.BigEndian.PutUint16(rest[header+2:], uint16(len(rest)-header))
	binary.BigEndian.PutUint16(rest[header+6:], 56/8)
	table := flows.NewTable()
	defer table.Close()
	run(table, table.Follower(), first, rest)
	list := table.Flows(nil, local4())
	if len(list) != 1 || list[0].Names.HTTP != "www.example" || list[0].TxPackets != 2 || list[0].TxPayload != 0 {
		t.Errorf("got %+v, want one flow to www.example of 2 packets", list)
	}
}

// TestNamesOfSplitHellos: a ClientHello in small segments, in and out of order, twice on one 5-tuple.
func TestNamesOfSplitHellos(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}} {
		table := flows.NewTable()
		follower := table.Follower()
		var frames [][]byte
		for life, name := range []string{"first.example", "second.example"} {
			hello := clientHello(t, name)
			isn := uint32(1000 + 1_000_000*life)
			third := len(hello) / 3
			parts := [][]byte{hello[:third], hello[third : 2*third], hello[2*third:]}
			frames = append(frames, fixtures.TCP(host4, peer4, "S", isn, 0, nil))
			for _, i := range order {
				frames = append(frames, fixtures.TCP(host4, peer4, "PA", isn+1+uint32(i*third), 1, parts[i]))
			}
			frames = append(frames, fixtures.TCP(peer4, host4, "R", 1, 0, nil))
		}
		run(table, follower, frames...)
		var got []string
		for f := range table.All(local4()) {
			got = append(got, f.Names.TLS)
			if f.Names.ALPN != "h2,http/1.1" {
				t.Errorf("order %v: ALPN %q", order, f.Names.ALPN)
			}
		}
		if len(got) != 2 || got[0] != "first.example" || got[1] != "second.example" {
			t.Errorf("order %v: names %q, want one for each life of the 5-tuple", order, got)
		}
	}
}

// TestNamesOfOtherPayloads: bytes that state no name are neither wanted nor a name.
func TestNamesOfOtherPayloads(t *testing.T) {
	follower := new(flows.Follower)
	var o flows.Observation
	for i, frame := range [][]byte{
		fixtures.TCP(host4, peer4, "S", 1, 0, nil),
		fixtures.TCP(host4, peer4, "PA", 2, 1, []byte("SSH-2.0-OpenSSH_9.2\r\n")),
		fixtures.TCP(host4, peer4, "PA", 23, 1, make([]byte, 1000)),
		fixtures.UDP(host4, peer4, make([]byte, 1200)),
	} {
		if follower.Wants(&o, flows.Outer.Decode(packet(capture.LinkTypeEthernet, frame), &o), new(flows.Payload)) {
			t.Errorf("frame %d is wanted", i)
		}
	}
}

// TestNamesAreBounded: a flood of flows that each begin to name someone leaves the table with what is whole.
func TestNamesAreBounded(t *testing.T) {
	table := flows.NewTable()
	follower := table.Follower()
	defer table.Close()
	const flood = 20_000
	for i := range flood {
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 14), 1}), uint16(1024+i%16384))
		request := fmt.Sprintf("GET / HTTP/1.1\r\nHost: host%d.example\r\n", i)
		if i%2 == 0 {
			request += "\r\n"
		}
		run(table, follower, fixtures.TCP(src, peer4, "PA", 1, 1, []byte(request)))
	}
	named := 0
	for f := range table.All(local4()) {
		if f.Names.HTTP != "" {
			named++
		}
	}
	if named != flood { // the host of a request that is cut counts too
		t.Errorf("%d of %d flows have their name", named, flood)
	}
	folded := 0
	table.Fold(0, local4(), func(f *flows.Flow) {
		if f.Names.HTTP != "" {
			folded++
		}
	})
	if folded != flood {
		t.Errorf("%d of %d folded flows have their name", folded, flood)
	}
}

// TestNamesFromDNS: the name is the one that this host had asked for before it opened the flow, whatever the resolver's port.
func TestNamesFromDNS(t *testing.T) {
	for _, port := range []uint16{53, 5335} {
		table := flows.NewTable()
		defer table.Close()
		resolver := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.53"), port)
		query := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01")
		answer := append([]byte("\x12\x34\x81\x80\x00\x01\x00\x01"), query[8:]...)
		a := peer4.Addr().As4()
		answer = append(append(answer, "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04"...), a[:]...)
		run(table, table.Follower(),
			fixtures.UDP(host4, peer4, []byte("before")),
			fixtures.UDP(host4, resolver, query),
			fixtures.UDP(resolver, host4, answer),
			fixtures.TCP(host4, peer4, "S", 1, 0, nil),
		)
		want := map[string]string{"udp/443": "", fmt.Sprintf("udp/%d", port): "", "tcp/443": "www.example"}
		for f := range table.All(local4()) {
			key := fmt.Sprintf("%v/%d", f.Key.Proto, f.Key.Remote.Port)
			if name, known := want[key]; !known || f.Names.DNS != name {
				t.Errorf("%s is %q, want %q", key, f.Names.DNS, name)
			}
		}
	}
}

// TestNamesAtTheBeginning: what DNS tells after a flow began is not its name, however often the address is told again.
func TestNamesAtTheBeginning(t *testing.T) {
	table := flows.NewTable()
	follower := table.Follower()
	defer table.Close()
	resolver := netip.MustParseAddrPort("192.0.2.53:53")
	answer := func(label string) []byte {
		b := []byte("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00")
		b = append(append(append(b, byte(len(label))), label...), "\x00\x00\x01\x00\x01"...)
		a := peer4.Addr().As4()
		return append(append(b, "\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04"...), a[:]...)
	}
	frames := [][]byte{fixtures.UDP(resolver, host4, answer("first")), fixtures.TCP(host4, peer4, "S", 1, 0, nil)}
	for i := range 1000 {
		frames = append(frames, fixtures.UDP(resolver, host4, answer(fmt.Sprintf("later%d", i))))
	}
	later := netip.AddrPortFrom(host4.Addr(), host4.Port()+1)
	run(table, follower, append(frames, fixtures.TCP(later, peer4, "S", 1, 0, nil))...)
	for f := range table.All(local4()) {
		want := map[uint16]string{host4.Port(): "first", later.Port(): "later999"}[f.Key.Local.Port]
		if f.Key.Remote.Port == peer4.Port() && f.Names.DNS != want {
			t.Errorf("%v is %q, want %q", f.Key, f.Names.DNS, want)
		}
	}
}

// TestNothingBehindServerHello: a server's certificates are not followed, which would cost more than all names.
func TestNothingBehindServerHello(t *testing.T) {
	follower := new(flows.Follower)
	hello := append([]byte{0x16, 3, 3, 0, 122, 2, 0, 0, 118}, make([]byte, 118)...)
	for i, frame := range [][]byte{
		fixtures.TCP(peer4, host4, "SA", 1, 2, nil), fixtures.TCP(peer4, host4, "PA", 2, 2, hello),
		fixtures.TCP(peer4, host4, "PA", 2+uint32(len(hello)), 2, make([]byte, 1000)),
	} {
		var o flows.Observation
		if follower.Wants(&o, flows.Outer.Decode(packet(capture.LinkTypeEthernet, frame), &o), new(flows.Payload)) {
			t.Errorf("frame %d is wanted", i)
		}
	}
}
