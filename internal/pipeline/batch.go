package pipeline

import (
	"apptap/capture"
	"apptap/flows"
)

// batchSize is how many observations travel together: a channel operation for each costs 50-60 ns, in
// batches of 256 it is 5 ns. Larger ones let the table overlap more cache misses.
const batchSize = 1024

// maxPayloads bounds the payload bytes that travel with a batch; one more packet's may come on top.
const maxPayloads = 256 << 10

// batch is what a reader sends: what packets said, and of those that may state a name, their payloads.
type batch struct {
	packets  []flows.Observation
	ends     []end
	payloads []byte // one after the other: the packets' own bytes are gone when the batch is read
}

// end is where the payload of a packet ends in payloads.
type end struct{ packet, end int }

func newBatch() *batch { return &batch{packets: make([]flows.Observation, 0, batchSize)} }

func (b *batch) reset() {
	b.packets, b.ends, b.payloads = b.packets[:0], b.ends[:0], b.payloads[:0]
}

func (b *batch) full() bool { return len(b.packets) == batchSize || len(b.payloads) >= maxPayloads }

// add decodes a packet into the batch.
func (b *batch) add(p *capture.Packet, tunnels flows.Tunnels, names *flows.Follower) {
	b.packets = append(b.packets, flows.Observation{})
	i := len(b.packets) - 1
	payload := tunnels.Decode(p, &b.packets[i])
	if names.Wants(&b.packets[i], payload) {
		b.payloads = append(b.payloads, payload...)
		b.ends = append(b.ends, end{i, len(b.payloads)})
	}
}

// texts appends the payloads as the table takes them, valid as long as the batch.
func (b *batch) texts(to []flows.Payload) []flows.Payload {
	begin := 0
	for _, e := range b.ends {
		to = append(to, flows.Payload{Packet: e.packet, Bytes: b.payloads[begin:e.end]})
		begin = e.end
	}
	return to
}
