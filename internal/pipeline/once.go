package pipeline

import "apptap/flows"

// once keeps packets that were captured before on another interface out of the flows.
type once struct {
	repeats *flows.Repeats // nil until a batch has traces: one interface costs nothing
	again   []repeat       // scratch: of the batch at hand
}

type repeat struct {
	packet flows.Observation
	excess uint32
}

// part takes the repeats out of a batch.
func (o *once) part(b *batch) {
	if len(b.traces) == 0 {
		return
	}
	if o.repeats == nil {
		o.repeats = flows.NewRepeats()
	}
	packets, payloads, left := b.packets[:0], b.payloads.List[:0], b.payloads.List
	for i := range b.packets {
		named := len(left) > 0 && left[0].Packet == i
		if again, excess := o.repeats.Frame(&b.packets[i], b.traces[i]); again {
			o.again = append(o.again, repeat{b.packets[i], excess})
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

// settle counts the repeats of the batch, after the packets that they repeat.
func (o *once) settle(table *flows.Table) {
	for i := range o.again {
		table.AddRepeat(&o.again[i].packet, o.again[i].excess)
	}
	o.again = o.again[:0]
}
