package flows

import "apptap/capture"

// Inside is a packet that a tunnel over UDP carries.
type Inside struct {
	Packet int // index of the carrier in its batch
	inner  Observation
	trace  Trace
}

// Inside decodes what the packet o of an outer flow carries, with the carrier's index in its batch; false says that it
// carries no packet of a flow that can be read.
func (t Tunnels) Inside(p *capture.Packet, o *Observation, index int) (in Inside, ok bool) {
	if t == Inner || !o.MayCarry() {
		return in, false
	}
	in.Packet = index
	_, in.trace = Inner.DecodeTraced(p, &in.inner)
	return in, in.inner.Kind.Decoded() && !in.inner.Snapped && !in.inner.FragLater && in.inner.marks&markCarried == 0 && in.inner.pair() != o.pair()
}

// MayCarry says that a packet that Outer has decoded has a port of a tunnel over UDP: Inner may find another flow in it.
func (o *Observation) MayCarry() bool {
	return o.Proto == UDP && o.Kind.Decoded() && (tunnelPort(o.Src.Port) || tunnelPort(o.Dst.Port))
}

func tunnelPort(port uint16) bool {
	switch port {
	case portVXLAN, portVXLANLinux, portVXLANGPE, portGENEVE, portGTPU, portTeredo, portMPLS, portGRE, portAYIYA, portL2TP, portLISP, portCAPWAP:
		return true
	}
	return false
}

// Inside says what a carrier that counts has too much because the packet inside counts by itself. It is to be asked after
// Frame has said that the carrier was not seen before.
func (r *Repeats) Inside(o *Observation, t Trace, in *Inside) (excess []Excess) {
	r.excess = r.excess[:0]
	bit := r.place(o, t)
	if bit == 0 {
		return nil
	}
	key := contentOf(&in.inner, in.trace)
	for _, g := range [...]*generation{&r.old, &r.young} {
		for _, s := range g.seen[key] {
			if s.on&bit == 0 && near(s.time, o.Time) && s.fromLow == in.inner.fromLow && s.flow.of(&in.inner) {
				return append(r.excess, carriedBy(o.pair(), o.fromLow, s.frame))
			}
		}
	}
	waiting := r.young.carried[key]
	if len(waiting) == maxAlike {
		copy(waiting, waiting[1:])
		waiting = waiting[:maxAlike-1]
	} else {
		r.sightings++
	}
	r.young.carried[key] = append(waiting, carrier{o.Time, bit, o.pair(), in.inner.pair(), o.fromLow, in.inner.fromLow})
	return nil
}

func carriedBy(flow pair, fromLow bool, frame uint32) Excess {
	return Excess{flow: flow, fromLow: fromLow, frame: uint64(frame), ip: uint64(frame), kind: Carried}
}

// uncarry finds the carriers of a packet that came before it. Each was a packet of its own, which counts for what it adds.
func (r *Repeats) uncarry(key content, o *Observation, bit uint64) {
	for _, g := range [...]*generation{&r.old, &r.young} {
		list := g.carried[key]
		left := list[:0]
		for _, c := range list {
			if c.on&bit == 0 && near(c.time, o.Time) && c.innerIsFrom == o.fromLow && c.inner.of(o) {
				r.excess = append(r.excess, carriedBy(c.flow, c.fromLow, o.Frame))
				continue
			}
			left = append(left, c)
		}
		if len(list) > 0 {
			g.carried[key] = left
		}
	}
}
