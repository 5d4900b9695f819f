package summarize

import (
	"net/netip"
	"slices"
	"testing"

	"apptap/flows"
)

// event is the reading of a kernel event at the socket's end.
func event(change func(c *SocketCounters)) SocketCounters {
	return with(reading(AtClose, 205), func(c *SocketCounters) {
		c.FINKnown, c.BytesAcked = true, 0
		change(c)
	})
}

// TestTiers: where several sources tell of one socket's end, the one that read before anything was wiped counts.
func TestTiers(t *testing.T) {
	same := func(*SocketCounters) {}
	queued := reading(AtClose, 210)
	wipedReading := with(queued, func(c *SocketCounters) {
		c.Key = flows.MakeKey(flows.TCP, netip.MustParseAddrPort("0.0.0.0:40000"), netip.MustParseAddrPort("198.51.100.1:0"))
		c.BytesSent, c.BytesRetrans, c.BytesReceived, c.Incomplete = 0, 0, 0, true
	})
	reset := func(f *flows.Flow) { f.TxSawRST, f.RxSawFIN, f.End = true, false, flows.EndRST }
	midStream := func(f *flows.Flow) { f.TxSawSYN, f.RxSawSYN = false, false }
	dump := func(fin bool) SocketCounters {
		return with(reading(AtStart, 50), func(c *SocketCounters) {
			c.BytesSent, c.BytesRetrans, c.BytesReceived, c.FINKnown, c.PeerFIN = 0, 0, 70, true, fin
		})
	}
	neither := func(f *flows.Flow) { f.Locality = flows.LocalNeither }
	foreign := func(c *SocketCounters) { c.Foreign = true }
	tests := []struct {
		flowCheck
		want Verdict
	}{
		{flowCheck{name: "event alone", sockets: []SocketCounters{event(same)}}, VerdictExact},
		{flowCheck{name: "event, then queue with the FIN", sockets: []SocketCounters{event(same), with(queued, func(c *SocketCounters) { c.BytesReceived++ })}}, VerdictExact},
		{flowCheck{name: "event after the queue was read", sockets: []SocketCounters{
			event(func(c *SocketCounters) { c.Time = 220 }), with(queued, func(c *SocketCounters) { c.BytesReceived++ })}}, VerdictExact},
		{flowCheck{name: "SO_LINGER 0 wiped what the queue has", flow: reset, sockets: []SocketCounters{event(same), wipedReading}}, VerdictExact},
		{flowCheck{name: "the event lost", flow: reset, sockets: []SocketCounters{wipedReading}}, VerdictUnavailable},
		{flowCheck{name: "dump at the end", sockets: []SocketCounters{event(same), with(reading(AtEnd, 230), func(c *SocketCounters) { c.BytesSent = 9 })}}, VerdictExact},
		{flowCheck{name: "an event knows of the FIN: one byte more is one too many",
			sockets: []SocketCounters{event(func(c *SocketCounters) { c.BytesReceived++ })}, unexplained: 1}, VerdictUnexplained},
		{flowCheck{name: "since the first dump", flow: midStream,
			sockets: []SocketCounters{dump(false), event(func(c *SocketCounters) { c.BytesReceived += 70 })}}, VerdictExact},
		{flowCheck{name: "the FIN came before the first dump, and the queue counts it", flow: func(f *flows.Flow) { midStream(f); f.RxSawFIN = false },
			sockets: []SocketCounters{dump(true), with(queued, func(c *SocketCounters) { c.BytesReceived += 71 })}}, VerdictExact},
		{flowCheck{name: "the FIN came before the first dump, and the event leaves it out", flow: func(f *flows.Flow) { midStream(f); f.RxSawFIN = false },
			sockets: []SocketCounters{dump(true), event(func(c *SocketCounters) { c.BytesReceived += 70 })}}, VerdictExact},
		{flowCheck{name: "a socket of a container, its flow between others", flow: neither, sockets: []SocketCounters{event(foreign)}}, VerdictExact},
		{flowCheck{name: "a socket of a container, a flow of this host's own", sockets: []SocketCounters{event(foreign)}}, VerdictUnavailable},
		{flowCheck{name: "this host's own beside a container's", sockets: []SocketCounters{
			event(same), event(func(c *SocketCounters) { foreign(c); c.Cookie, c.BytesSent = 8, 5 })}}, VerdictExact},
	}
	for _, tt := range tests {
		tt.verdict = tt.want
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t)
			slices.Reverse(tt.sockets)
			tt.run(t)
		})
	}
}
