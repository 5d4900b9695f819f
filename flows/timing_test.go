package flows_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// beat is a segment of a scripted flow: when in milliseconds, who sent it ('c' or 's'), flags and payload. Sequence numbers follow
// from what was sent before; "again" sends the sender's last payload again, "shut" closes its window.
type beat struct {
	at      int64
	who     byte
	flags   string
	payload []byte
	how     string
}

// play adds the beats to a table and returns the one flow that they are.
func play(t *testing.T, beats []beat) flows.Flow {
	t.Helper()
	table := flows.NewTable()
	defer table.Close()
	table.TakeTimes()
	next, last := map[byte]uint32{'c': 1000, 's': 5_000_000}, map[byte]uint32{}
	for _, b := range beats {
		src, dst, other := host4, peer4, byte('s')
		if b.who == 's' {
			src, dst, other = dst, src, 'c'
		}
		seq := next[b.who]
		if b.how == "again" {
			seq = last[b.who]
		}
		frame := fixtures.TCP(src, dst, b.flags, seq, next[other], b.payload)
		if b.how == "shut" {
			frame[14+20+14], frame[14+20+15] = 0, 0
		}
		last[b.who] = seq
		next[b.who] = max(next[b.who], seq+uint32(len(b.payload)))
		if b.flags[0] == 'S' {
			next[b.who]++
		}
		add(table, b.at, frame)
	}
	list := table.Flows(nil, local4())
	if len(list) != 1 {
		t.Fatalf("%d flows, want 1", len(list))
	}
	return list[0]
}

func add(table *flows.Table, millis int64, frame []byte) {
	var o flows.Observation
	p := packet(capture.LinkTypeEthernet, frame)
	p.Time = second + millis*1_000_000
	flows.Outer.Decode(p, &o)
	table.Add(&o)
}

// record is a TLS record of a content type with so many bytes in it.
func record(kind byte, length int) []byte {
	return append([]byte{kind, 3, 3, byte(length >> 8), byte(length)}, make([]byte, length)...)
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// told is what a Timing says, in milliseconds, without what it does not know.
func told(f *flows.Flow) (text string) {
	text = f.Handshake().String()
	m := f.Timing
	if m == nil {
		return text
	}
	for _, v := range []struct {
		name  string
		nanos int64
	}{{"tls", m.TLS}, {"quic", m.QUIC}, {"initial", m.QUICAnswer}, {"ttfb", m.TTFB}, {"wait", m.Wait}, {"transfer", m.Transfer}, {"unanswered", m.Waiting}} {
		if v.nanos != flows.NoRTT {
			text += fmt.Sprintf(" %s %d", v.name, v.nanos/1_000_000)
		}
	}
	if m.Resumption != flows.ResumptionUnknown {
		text += " " + m.Resumption.String()
	}
	if m.EarlyData {
		text += " early"
	}
	if m.Exchanges > 0 {
		text += fmt.Sprintf(" exchanges %d", m.Exchanges)
	}
	if m.TxShut+m.RxShut > 0 {
		text += fmt.Sprintf(" shut %d %d", m.TxShut/1_000_000, m.RxShut/1_000_000)
	}
	if m.TxRetransmitBytes+m.RxRetransmitBytes > 0 {
		text += fmt.Sprintf(" again %d %d", m.TxRetransmitBytes, m.RxRetransmitBytes)
	}
	for i, r := range []flows.RoundTrips{m.RTT, m.Answer, m.Spin} {
		if r.Samples > 0 {
			text += fmt.Sprintf(" %s %dx %d-%d", []string{"rtt", "answer", "spin"}[i], r.Samples, r.Min/1000, r.Max/1000)
		}
	}
	return text
}

// TestTiming: what was put between the packets comes out.
func TestTiming(t *testing.T) {
	open := []beat{{0, 'c', "S", nil, ""}, {20, 's', "SA", nil, ""}, {20, 'c', "A", nil, ""}}
	get, page := []byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte("x"), 1400)
	hello, server, ccs := record(22, 500), record(22, 100), record(20, 1)
	tests := []struct {
		name  string
		beats []beat
		want  string
	}{
		{"request and answer", append(open[:3:3],
			beat{30, 'c', "PA", get, ""}, beat{50, 's', "A", nil, ""}, beat{130, 's', "A", page, ""}, beat{140, 's', "A", page, ""}, beat{150, 'c', "A", nil, ""}),
			"done ttfb 100 wait 100 transfer 10 exchanges 1 rtt 1x 20-20"},
		{"two exchanges, idle between them", append(open[:3:3],
			beat{30, 'c', "PA", get, ""}, beat{60, 's', "A", page, ""}, beat{65, 's', "A", page, ""}, beat{65, 'c', "A", nil, ""},
			beat{9000, 'c', "PA", get, ""}, beat{9040, 's', "A", page, ""}, beat{9041, 'c', "A", nil, ""}),
			"done ttfb 30 wait 70 transfer 5 exchanges 2 rtt 2x 30-40 answer 1x 1-1"},
		{"no answer", append(open[:3:3], beat{30, 'c', "PA", get, ""}, beat{50, 's', "A", nil, ""}, beat{5050, 's', "R", nil, ""}),
			"done unanswered 5020 rtt 1x 20-20"},
		{"TLS 1.3, tickets before the answer", append(open[:3:3],
			beat{21, 'c', "PA", hello, ""}, beat{51, 's', "PA", join(server, ccs, record(23, 900)), ""},
			beat{61, 'c', "PA", join(ccs, record(23, 53)), ""}, beat{62, 'c', "PA", record(23, 80), ""},
			beat{82, 's', "PA", record(23, 250), ""}, beat{83, 's', "PA", record(23, 250), ""},
			beat{382, 's', "PA", record(23, 1300), ""}, beat{400, 'c', "A", nil, ""}),
			"done tls 40 ttfb 320 wait 320 transfer 0 exchanges 1 rtt 1x 30-30 answer 1x 10-10"},
		{"TLS, a farewell long after the answer", append(open[:3:3],
			beat{21, 'c', "PA", hello, ""}, beat{51, 's', "PA", join(server, ccs, record(23, 900)), ""},
			beat{61, 'c', "PA", join(ccs, record(23, 53)), ""}, beat{62, 'c', "PA", record(23, 80), ""},
			beat{182, 's', "PA", record(23, 1300), ""}, beat{187, 's', "PA", record(23, 1300), ""}, beat{9000, 's', "PA", record(23, 19), ""}, beat{9000, 's', "FA", nil, ""}),
			"done tls 40 ttfb 120 wait 120 transfer 5 exchanges 1 rtt 1x 30-30 answer 1x 10-10"},
		{"TLS 1.2", append(open[:3:3],
			beat{21, 'c', "PA", hello, ""}, beat{51, 's', "PA", join(server, record(22, 900)), ""},
			beat{61, 'c', "PA", join(record(22, 60), ccs, record(22, 40)), ""}, beat{81, 's', "PA", join(ccs, record(22, 40)), ""},
			beat{83, 'c', "PA", record(23, 80), ""}, beat{133, 's', "PA", record(23, 400), ""}),
			"done tls 62 ttfb 50 wait 50 transfer 0 exchanges 1 rtt 3x 20-50 answer 2x 2-10"},
		{"HTTP/2 without TLS: settings before the answer, and no request behind it", append(open[:3:3],
			beat{21, 'c', "PA", join([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), make([]byte, 60)), ""}, beat{41, 's', "PA", make([]byte, 30), ""},
			beat{42, 'c', "PA", make([]byte, 9), ""}, beat{341, 's', "PA", page, ""}, beat{342, 'c', "PA", make([]byte, 17), ""}, beat{343, 'c', "FA", nil, ""}),
			"done ttfb 320 wait 320 transfer 0 exchanges 1 rtt 2x 20-299 answer 2x 1-1"},
		{"sent again", append(open[:3:3],
			beat{30, 'c', "PA", get, ""}, beat{330, 'c', "PA", get, "again"}, beat{350, 's', "PA", page, ""}, beat{360, 's', "PA", page, "again"}),
			"done ttfb 320 wait 320 transfer 0 exchanges 1 again 18 1400"},
		{"an old answer sent again before the answer", append(open[:3:3],
			beat{30, 'c', "PA", get, ""}, beat{60, 's', "A", page, ""}, beat{65, 'c', "A", nil, ""},
			beat{100, 'c', "PA", get, ""}, beat{120, 's', "A", page, "again"}, beat{400, 's', "A", page, ""}),
			"done ttfb 30 wait 330 transfer 0 exchanges 2 again 0 1400 rtt 2x 20-30 answer 1x 5-5"},
		{"no room", append(open[:3:3],
			beat{30, 'c', "PA", get, ""}, beat{50, 's', "A", page, ""}, beat{55, 'c', "A", nil, "shut"}, beat{855, 'c', "A", nil, ""},
			beat{875, 's', "A", page, ""}, beat{876, 'c', "A", nil, ""}),
			"done ttfb 20 wait 20 transfer 825 exchanges 1 shut 800 0 rtt 1x 20-20 answer 1x 5-5"},
		{"unanswered", []beat{{0, 'c', "S", nil, ""}, {1000, 'c', "S", nil, "again"}, {3000, 'c', "S", nil, "again"}}, "unanswered"},
		{"refused", []beat{{0, 'c', "S", nil, ""}, {20, 's', "RA", nil, ""}}, "refused"},
		{"half", open[:2], "half"},
		{"joined midway", []beat{{0, 'c', "PA", get, ""}, {20, 's', "PA", page, ""}, {21, 'c', "A", nil, ""}}, "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := play(t, tt.beats)
			if got := told(&f); got != tt.want {
				t.Errorf("\ngot  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestTimingQUIC: the handshake of version 1 and 2, and a spin bit that turns every 40 ms.
func TestTimingQUIC(t *testing.T) {
	for _, first := range [][]byte{{0xc3, 0, 0, 0, 1}, {0xd3, 0x6b, 0x33, 0x43, 0xcf}} {
		table := flows.NewTable()
		table.TakeTimes()
		datagram := func(millis int64, fromClient bool, head ...byte) {
			src, dst := host4, peer4
			if !fromClient {
				src, dst = dst, src
			}
			add(table, millis, fixtures.UDP(src, dst, append(head, make([]byte, 60)...)))
		}
		datagram(0, true, first...)
		datagram(30, false, append([]byte{first[0] &^ 0x40}, first[1:]...)...) // greased (RFC 9287)
		datagram(35, true, 0x41)
		for i := range int64(9) {
			datagram(40+20*i, false, 0x40|byte(i/2%2)<<5)
			datagram(41+20*i, true, 0x40|byte(i/2%2)<<5)
		}
		f := table.Flows(nil, local4())[0]
		if got, want := told(&f), "unknown quic 35 initial 30 spin 3x 40-40"; got != want {
			t.Errorf("%x: got %s, want %s", first, got, want)
		}
		table.Close()
	}
}

// TestFirstExchangeOfQUIC: what the lengths and times of datagrams tell of the first request and its answer.
func TestFirstExchangeOfQUIC(t *testing.T) {
	type said struct {
		at     int64 // milliseconds
		who    byte  // c, s; C, S with a long header, F with a Finished before a short one
		length int
	}
	open := []said{{0, 'C', 1200}, {40, 'S', 1200}, {41, 'C', 1200}}
	tests := []struct {
		name      string
		datagrams []said
		want      string
	}{
		{"tickets, then the answer", []said{{42, 'c', 76}, {43, 's', 120}, {82, 's', 344}, {110, 's', 29}, {382, 's', 1280}, {383, 's', 1280}, {384, 's', 1280}},
			" ttfb 340 wait 340 exchanges 1"},
		{"at once", []said{{42, 'c', 76}, {83, 's', 344}, {84, 's', 1280}, {85, 's', 1280}, {5000, 's', 1280}}, " ttfb 41 wait 41 exchanges 1"},
		{"asks later", []said{{42, 'c', 60}, {83, 's', 344}, {5000, 'c', 200}, {5001, 'c', 1400}, {5060, 's', 500}, {5061, 's', 1280}}, " ttfb 60 wait 60 exchanges 1"},
		{"the second request is not looked at", []said{{42, 'c', 60}, {182, 's', 344}, {190, 'c', 200}, {900, 's', 500}}, " ttfb 140 wait 140 exchanges 1"},
		{"asks behind its Finished", []said{{42, 'F', 150}, {83, 's', 30}, {109, 'c', 30}, {121, 's', 344}}, " ttfb 79 wait 79 exchanges 1"},
		{"is answered before it says more", []said{{42, 'F', 150}, {121, 's', 1280}, {130, 'c', 30}, {131, 's', 1280}}, " ttfb 79 wait 79 exchanges 1"},
		{"acknowledges behind its Finished, asks later", []said{{42, 'F', 75}, {83, 's', 30}, {90, 'c', 76}, {190, 's', 344}}, " ttfb 100 wait 100 exchanges 1"},
		{"acknowledgements only", []said{{42, 'c', 30}, {83, 's', 30}, {90, 'c', 30}}, ""},
		{"no answer", []said{{42, 'c', 76}, {83, 's', 30}}, ""},
	}
	for _, tt := range tests {
		table := flows.NewTable()
		table.TakeTimes()
		for _, d := range append(open[:3:3], tt.datagrams...) {
			head := []byte{0x41, 0, 0, 0, 1}
			if d.who < 'a' {
				head[0] = 0xc3
			}
			src, dst := host4, peer4
			if d.who == 'F' {
				head = []byte{0xe3, 0, 0, 0, 1, 0, 0, 40, 48: 0x41} // two empty connection ids, and 40 bytes
			}
			if d.who|0x20 == 's' {
				src, dst = dst, src
			}
			add(table, d.at, fixtures.UDP(src, dst, append(head, make([]byte, d.length-len(head))...)))
		}
		f := table.Flows(nil, local4())[0]
		if got, want := told(&f), "unknown quic 42 initial 40"+tt.want; got != want {
			t.Errorf("%s: got %s, want %s", tt.name, got, want)
		}
		table.Close()
	}
}

// TestLookups: what was asked, answered, failed and forgotten, and which flow came first.
func TestLookups(t *testing.T) {
	resolver := netip.MustParseAddrPort("192.0.2.53:53")
	question := func(name string) []byte { return append(append([]byte{byte(len(name))}, name...), 0, 0, 1, 0, 1) }
	query := func(id byte, name string) []byte {
		return append([]byte{0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, question(name)...)
	}
	answer := func(id byte, code byte, name string, addr ...byte) []byte {
		m := append([]byte{0, id, 0x81, 0x80 | code, 0, 1, 0, byte(len(addr) / 4), 0, 0, 0, 0}, question(name)...)
		if len(addr) == 4 {
			m = append(append(m, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4), addr...)
		}
		return m
	}
	table := flows.NewTable()
	defer table.Close()
	table.TakeTimes()
	follower := table.Follower()
	say := func(millis int64, frame []byte) {
		var o [1]flows.Observation
		p := packet(capture.LinkTypeEthernet, frame)
		p.Time = second + millis*1_000_000
		var wanted [1]flows.Payload
		n := 0
		if follower.Wants(&o[0], flows.Outer.Decode(p, &o[0]), &wanted[0]) {
			n = 1
		}
		table.AddBatch(o[:], wanted[:n], nil)
	}
	up := func(millis int64, message []byte) { say(millis, fixtures.UDP(host4, resolver, message)) }
	down := func(millis int64, message []byte) { say(millis, fixtures.UDP(resolver, host4, message)) }
	up(0, query(1, "good"))
	up(3, query(2, "bad"))
	down(40, answer(1, 0, "good", 198, 51, 100, 7))
	say(45, fixtures.TCP(host4, peer4, "S", 1, 0, nil))
	say(46, fixtures.TCP(netip.AddrPortFrom(host4.Addr(), 51_000), peer4, "S", 1, 0, nil))
	down(53, answer(2, 3, "bad"))
	up(60, query(3, "gone"))
	up(1060, query(3, "gone"))
	up(2000, query(4, "soon"))
	var got []string
	list, dropped := table.Lookups(second + 6_500_000_000)
	for _, l := range list {
		got = append(got, fmt.Sprintf("%s: %d asked, %d answered, %d timed out, nxdomain %d, addressed %d, %d us, flows %d",
			l.Name, l.Queries, l.Answers, l.TimedOut, l.Failures[3], l.Addressed, l.Times.Sum, l.Flows))
	}
	for _, f := range table.Flows(nil, local4()) {
		if m := f.Timing; m != nil && f.Key.Proto == flows.TCP {
			got = append(got, fmt.Sprintf("%s after %d ms, dns %d ms", m.Order, m.SinceDNS/1_000_000, m.DNS/1_000_000))
		}
	}
	want := []string{
		"bad: 1 asked, 1 answered, 0 timed out, nxdomain 1, addressed 0, 50000 us, flows 0",
		"gone: 2 asked, 0 answered, 2 timed out, nxdomain 0, addressed 0, 0 us, flows 0",
		"good: 1 asked, 1 answered, 0 timed out, nxdomain 0, addressed 1, 40000 us, flows 2",
		"soon: 1 asked, 0 answered, 0 timed out, nxdomain 0, addressed 0, 0 us, flows 0",
		"first after 5 ms, dns 40 ms", "later after 6 ms, dns 40 ms",
	}
	if !slices.Equal(got, want) || dropped != 0 {
		t.Errorf("got  %q, %d dropped\nwant %q", got, dropped, want)
	}
}

// TestClockThatRunsBackwards: no duration of a handshake is negative.
func TestClockThatRunsBackwards(t *testing.T) {
	table := flows.NewTable()
	defer table.Close()
	for i, frame := range [][]byte{
		fixtures.TCP(host4, peer4, "S", 1, 0, nil), fixtures.TCP(peer4, host4, "SA", 1, 2, nil), fixtures.TCP(host4, peer4, "A", 2, 2, nil),
	} {
		p := packet(capture.LinkTypeEthernet, frame)
		p.Time = second * int64(10-i)
		var o flows.Observation
		flows.Outer.Decode(p, &o)
		table.Add(&o)
	}
	for f := range table.All(local4()) {
		if f.SYNRTT != flows.NoRTT || f.ACKRTT != flows.NoRTT {
			t.Errorf("halves of %d and %d ns, want none", f.SYNRTT, f.ACKRTT)
		}
	}
}
