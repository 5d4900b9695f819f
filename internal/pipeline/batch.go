package pipeline

import (
	"apptap/capture"
	"apptap/flows"
	"apptap/pidmap"
)

// batchSize is how many observations travel together: a channel operation for each costs 50-60 ns, in
// batches of 256 it is 5 ns. Larger ones let the stages overlap more cache misses, and wake each other less often: 2,048 are 7 % faster than
// 1,024, and 4,096 no better.
const batchSize = 2048

// maxPayloads bounds the payload bytes that travel with a batch; one more packet's may come on top.
const maxPayloads = 256 << 10

// batch is what a reader sends: what packets said, and of those that may state a name, their payloads.
type batch struct {
	packets  []flows.Observation
	payloads flows.Payloads
	lessons  flows.Lessons
	wanted   flows.Payload // scratch of add
	traces   []flows.Trace // of packets, where they may be repeats; else none
	insides  []flows.Inside
	copies   []int // indexes of packets that were captured before, as they were sent on a loopback interface
	stated   []statedOwner
	events   []pidmap.Event // what the file says of owners between these packets
}

func newBatch() *batch { return &batch{packets: make([]flows.Observation, 0, batchSize)} }

func (b *batch) reset() {
	b.traces, b.insides, b.copies = b.traces[:0], b.insides[:0], b.copies[:0]
	b.packets, b.stated, b.events = b.packets[:0], b.stated[:0], nil
	b.payloads.Reset()
}

func (b *batch) full() bool {
	return len(b.packets) == batchSize || b.payloads.Len() >= maxPayloads || len(b.events) >= batchSize
}

func (b *batch) empty() bool { return len(b.packets) == 0 && len(b.events) == 0 }

// learn takes over events, of which there may be hundreds of thousands at once: they are not copied if there were none, and not kept.
func (b *batch) learn(events []pidmap.Event) {
	if len(b.events) == 0 {
		b.events = events
		return
	}
	b.events = append(b.events, events...)
}

// add decodes a packet into the batch and returns its payload; traced says that it may be a repeat of one on another interface.
func (b *batch) add(p *capture.Packet, tunnels flows.Tunnels, names *flows.Follower, traced bool) (payload []byte) {
	b.packets = append(b.packets, flows.Observation{})
	i := len(b.packets) - 1
	if traced {
		payload = b.trace(p, tunnels)
	} else {
		payload = tunnels.Decode(p, &b.packets[i])
	}
	if names != nil && names.Wants(&b.packets[i], payload, &b.wanted) {
		b.payloads.Add(i, &b.wanted)
	}
	return payload
}

// trace decodes into the last packet. What came before the run's second interface was known has an empty trace.
func (b *batch) trace(p *capture.Packet, tunnels flows.Tunnels) (payload []byte) {
	i := len(b.packets) - 1
	for len(b.traces) <= i {
		b.traces = append(b.traces, flows.Trace{})
	}
	payload, b.traces[i] = tunnels.DecodeTraced(p, &b.packets[i])
	if inside, ok := tunnels.Inside(p, &b.packets[i], i); ok {
		b.insides = append(b.insides, inside)
	}
	return payload
}
