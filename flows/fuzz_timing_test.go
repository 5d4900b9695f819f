package flows_test

import (
	"testing"

	"apptap/fixtures"
	"apptap/flows"
)

// beatsOf makes packets of one TCP and one QUIC flow out of any bytes, three a packet: how much later it came, who sent which
// kind of payload, and what its numbers are off by.
func beatsOf(steps []byte, add func(millis int64, frame []byte)) {
	kinds := [][]byte{
		nil, []byte("GET / HTTP/1.1\r\n\r\n"), record(22, 300), record(23, 53), record(23, 900), join(record(20, 1), record(23, 53), record(23, 9)),
		record(23, 20), append([]byte{0xc0, 0, 0, 0, 1}, make([]byte, 40)...), append([]byte{0x40}, make([]byte, 40)...), append([]byte{0x60}, make([]byte, 40)...),
	}
	next, now := [2]uint32{100, 4_294_967_000}, int64(0)
	for len(steps) >= 3 {
		at, what, off := steps[0], steps[1], steps[2]
		steps = steps[3:]
		now += int64(at)
		side := int(what & 1)
		src, dst := host4, peer4
		if side == 1 {
			src, dst = dst, src
		}
		kind := int(what>>1) % len(kinds)
		if kind >= 7 {
			add(now, fixtures.UDP(src, dst, kinds[kind]))
			continue
		}
		flags := [...]string{"A", "PA", "S", "SA", "FA", "RA", "A", "A"}[off>>5]
		frame := fixtures.TCP(src, dst, flags, next[side]-uint32(off&3), next[1-side]-uint32(off>>2&3), kinds[kind])
		if off&16 != 0 {
			frame[14+20+14], frame[14+20+15] = 0, 0
		}
		add(now, frame)
		next[side] += uint32(len(kinds[kind]))
		if flags[0] == 'S' {
			next[side]++
		}
	}
}

// FuzzTiming: no duration is negative or longer than its flow, and no more bytes were sent again or late than were sent.
func FuzzTiming(f *testing.F) {
	f.Add([]byte{0, 0, 64, 20, 1, 96, 1, 0, 0, 1, 4, 32, 30, 5, 32, 9, 10, 32, 20, 7, 32, 1, 2, 32, 30, 9, 32, 5, 0, 16, 100, 0, 0})
	f.Add([]byte{0, 14, 0, 30, 15, 0, 5, 16, 0, 9, 17, 0, 40, 19, 0, 40, 17, 0})
	f.Fuzz(func(t *testing.T, steps []byte) {
		table := flows.NewTable()
		defer table.Close()
		table.TakeTimes()
		beatsOf(steps, func(millis int64, frame []byte) { add(table, millis, frame) })
		for _, fl := range table.Flows(nil, local4()) {
			if fl.Timing != nil {
				checkTiming(t, &fl)
			}
		}
	})
}

func checkTiming(t *testing.T, f *flows.Flow) {
	t.Helper()
	m, life := f.Timing, f.Last-f.First
	for name, nanos := range map[string]int64{
		"connect": f.Connect, "dns": m.DNS, "tls": m.TLS, "quic": m.QUIC, "initial": m.QUICAnswer, "ttfb": m.TTFB, "wait": m.Wait,
		"transfer": m.Transfer, "unanswered": m.Waiting, "tx shut": m.TxShut, "rx shut": m.RxShut,
	} {
		if nanos != flows.NoRTT && (nanos < 0 || nanos > life+1000) { // a duration that was seen is at least a microsecond
			t.Errorf("%s of %d ns in a flow of %d", name, nanos, life)
		}
	}
	if m.Wait > 0 && m.Wait+m.Transfer > life+1000 {
		t.Errorf("wait %d and transfer %d ns in a flow of %d", m.Wait, m.Transfer, life)
	}
	for _, r := range []flows.RoundTrips{m.RTT, m.Answer, m.Spin} {
		if r.Samples > 0 && (r.Min > r.Max || r.Sum < uint64(r.Max) || int64(r.Max)*1000 > life) {
			t.Errorf("round trips %+v in a flow of %d ns", r, life)
		}
	}
	if m.TxRetransmitBytes+m.TxLateBytes > f.TxPayload || m.RxRetransmitBytes+m.RxLateBytes > f.RxPayload {
		t.Errorf("sent again or late %d+%d of %d, %d+%d of %d", m.TxRetransmitBytes, m.TxLateBytes, f.TxPayload, m.RxRetransmitBytes, m.RxLateBytes, f.RxPayload)
	}
	if m.Exchanges > 0 != (m.TTFB != flows.NoRTT) {
		t.Errorf("%d exchanges, first byte after %d ns", m.Exchanges, m.TTFB)
	}
}
