package pipeline

import "apptap/flows"

// once keeps packets that were captured before on another interface out of the flows.
type once struct {
	repeats  *flows.Repeats // nil until a batch has traces: one interface costs nothing
	carriers *flows.Carriers
	again    []repeat       // scratch: of the batch at hand
	excess   []flows.Excess // likewise
}

type repeat struct {
	packet flows.Observation
	kind   flows.RepeatKind
}

// part takes the repeats out of a batch. own are the host's addresses.
func (o *once) part(b *batch, own flows.Local) {
	if len(b.traces) == 0 {
		return
	}
	if o.repeats == nil {
		o.repeats, o.carriers = flows.NewRepeats(), flows.NewCarriers()
	}
	packets, payloads, left := b.packets[:0], b.payloads.List[:0], b.payloads.List
	insides := b.insides
	for i := range b.packets {
		named := len(left) > 0 && left[0].Packet == i
		carries := len(insides) > 0 && insides[0].Packet == i
		again, kind, excess := o.repeats.Frame(&b.packets[i], b.traces[i], own)
		o.excess = append(o.excess, excess...)
		if again {
			o.again = append(o.again, repeat{b.packets[i], kind})
		} else {
			if named {
				payloads = append(payloads, left[0])
				payloads[len(payloads)-1].Packet = len(packets)
			}
			if carries {
				o.excess = append(o.excess, o.repeats.Inside(&b.packets[i], b.traces[i], &insides[0])...)
			}
			o.carriers.Add(&b.packets[i], b.traces[i], own)
			packets = append(packets, b.packets[i])
		}
		if named {
			left = left[1:]
		}
		if carries {
			insides = insides[1:]
		}
	}
	b.packets, b.payloads.List = packets, payloads
}

// settle counts the repeats of the batch, after the packets that they repeat.
func (o *once) settle(table *flows.Table) {
	for i := range o.again {
		table.AddRepeat(&o.again[i].packet, o.again[i].kind)
	}
	for i := range o.excess {
		table.Reduce(&o.excess[i])
	}
	o.again, o.excess = o.again[:0], o.excess[:0]
}

// carry takes what encrypted tunnels carried out of the flows that carried it, as far as that is known.
func (o *once) carry(table *flows.Table, over bool) {
	if o.carriers == nil {
		return
	}
	found, unmatched := o.carriers.Found(over)
	for i := range found {
		table.Reduce(&found[i])
	}
	table.Unmatched(unmatched)
}

// hostAddrs are the addresses of the host that captured.
func (o *owner) hostAddrs() flows.Local {
	if o.config.Session == nil {
		return o.host
	}
	if local, _ := o.config.Session.Local(); len(local) != len(o.local) {
		o.local, o.host = local, flows.NewLocal(local)
	}
	return o.host
}
