package pipeline

import (
	"apptap/capture"
	"apptap/flows"
)

// within notes of the interfaces of a source what it takes to count packets within a Mac once.
type within struct {
	names []string // of the source's interfaces, as far as they were asked for
	sent  []bool   // whether packets were captured there as they were sent
}

// arrives says that p is a packet within a Mac as it arrives, which was captured before, as it was sent. A capture of what arrives
// alone has no other.
func (r *reader) arrives(p *capture.Packet) bool {
	if p.Direction == capture.DirectionUnknown && p.LinkType != capture.LinkTypePKTAP && p.LinkType != capture.LinkTypeUser2 {
		return false
	}
	w, i := &r.within, p.Interface-r.base
	if i >= len(w.names) {
		w.names = w.names[:0]
		for _, described := range r.source.Interfaces() {
			w.names = append(w.names, described.Name)
		}
		w.sent = append(w.sent, make([]bool, len(w.names)-len(w.sent))...)
	}
	switch capture.Loopback(p, w.names[i]) {
	case capture.Outgoing:
		w.sent[i] = true
	case capture.Incoming:
		return w.sent[i]
	}
	return false
}

// partCopies takes the copies out of a batch: they count on their interface and in no flow. There are none where packets have traces,
// which is in captures of apptap's own.
func (o *once) partCopies(b *batch) {
	if len(b.traces) > 0 {
		return
	}
	packets, payloads, left, copies := b.packets[:0], b.payloads.List[:0], b.payloads.List, b.copies
	for i := range b.packets {
		named := len(left) > 0 && left[0].Packet == i
		if len(copies) > 0 && copies[0] == i {
			copies = copies[1:]
			o.again = append(o.again, repeat{b.packets[i], flows.SamePacket})
		} else {
			if named {
				payloads = append(payloads, left[0])
				payloads[len(payloads)-1].Packet = len(packets)
			}
			packets = append(packets, b.packets[i])
		}
		if named {
			left = left[1:]
		}
	}
	b.packets, b.payloads.List = packets, payloads
}
