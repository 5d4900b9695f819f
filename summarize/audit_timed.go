package summarize

import (
	"slices"

	"apptap/flows"
	"apptap/pidmap"
)

// clockSkew is how far apart the times of the same moment may be in the capture and in kernel events. Nanoseconds.
const clockSkew = 1_000_000

// straggling bounds how long after its socket's end a connection may still have packets: twice the longest life of a segment
// (RFC 9293, section 3.4.2). Nanoseconds.
const straggling = 240_000_000_000

// timed pairs the sides and the lives of one 5-tuple by time, where kernel events told when each socket was made and when it
// ended; false if they did not. Each life goes to the flow that it shares the most time with, one with payload before others.
// Where the capture lost the SYN between two of them one flow has both, and a life that shares no time with any was lost as a
// whole, but perhaps for what came after its end.
func (p *pairing) timed(sides []side, lives []*socketLife) bool {
	if slices.ContainsFunc(lives, func(l *socketLife) bool { return l.since == 0 && !l.hasStart }) {
		return false
	}
	of := make([][]*socketLife, len(sides))
	for _, l := range lives {
		i := p.sharing(sides, l)
		if i < 0 {
			i = slices.IndexFunc(sides, func(s side) bool { return p.straggles(s, l) && p.lives[s] == nil })
		}
		if i >= 0 {
			of[i] = append(of[i], l)
		}
	}
	for i, s := range sides {
		switch len(of[i]) {
		case 0:
			p.attempt(s, lives)
		case 1:
			p.lives[s] = of[i][0]
		default:
			p.lives[s] = merged(of[i])
			p.parts = append(p.parts, of[i]...)
		}
	}
	return true
}

// sharing is the side that a life shares the most time with, -1 for none.
func (p *pairing) sharing(sides []side, l *socketLife) int {
	best, most, moves := -1, int64(0), false
	for i, s := range sides {
		f := p.flow(s)
		shared, carries := l.shares(f), f.TxPayload+f.RxPayload > 0
		if shared <= -clockSkew || !l.mayCarry(f) {
			continue
		}
		if best < 0 || carries && !moves || carries == moves && shared > most {
			best, most, moves = i, shared, carries
		}
	}
	return best
}

// shares is how long a life and a flow were there at the same time, nanoseconds; less than 0 if they never were.
func (l *socketLife) shares(f *flows.Flow) int64 {
	return min(l.last.Time, f.Last) - max(l.since, f.First)
}

// straggles says that a flow is what may come after the end of a life: acknowledgements, a FIN, a RST.
func (p *pairing) straggles(s side, l *socketLife) bool {
	f := p.flow(s)
	after := f.First - l.last.Time
	return after >= 0 && after < straggling && f.TxPayload+f.RxPayload == 0 && !f.TxSawSYN && !f.RxSawSYN
}

// attempt pairs a flow without payload that no life has been found for: a SYN that was sent again much later is another flow, and
// so is what straggles behind the end. Its life is compared with the flow that carried its bytes.
func (p *pairing) attempt(s side, lives []*socketLife) {
	f := p.flow(s)
	if f.TxPayload+f.RxPayload > 0 {
		return
	}
	for _, l := range slices.Backward(lives) {
		if l.shares(f) > -clockSkew || p.straggles(s, l) {
			p.lives[s] = l.emptied()
			return
		}
	}
}

// emptied is a life that has counted nothing.
func (l *socketLife) emptied() *socketLife {
	e := *l
	e.last.BytesSent, e.last.BytesRetrans, e.last.BytesReceived, e.last.BytesAcked = 0, 0, 0, 0
	e.start, e.hasStart, e.packets = SocketCounters{}, false, nil
	return &e
}

// merged is one life that has counted what several have.
func merged(lives []*socketLife) *socketLife {
	all := *lives[0]
	all.joined = true
	for _, l := range lives[1:] {
		all.last.BytesSent += l.last.BytesSent
		all.last.BytesRetrans += l.last.BytesRetrans
		all.last.BytesReceived += l.last.BytesReceived
		all.last.FINKnown = all.last.FINKnown && l.last.FINKnown
		all.last.Incomplete = all.last.Incomplete || l.last.Incomplete
		all.last.Time = max(all.last.Time, l.last.Time)
		if l.last.Moment == AtEnd {
			all.last.Moment = AtEnd
		}
		all.packets = addPackets(all.packets, l.packets)
	}
	return &all
}

// addPackets is nil where one of them is not known. Interfaces are told apart by name.
func addPackets(a, b *pidmap.Datagrams) *pidmap.Datagrams {
	if a == nil || b == nil {
		return nil
	}
	sum := *a
	sum.Odd = a.Odd || b.Odd
	for _, i := range b.Each() {
		to := &sum.Others
		for j := range sum.Interfaces {
			if sum.Interfaces[j].Name == i.Name {
				to = &sum.Interfaces[j]
				break
			}
		}
		to.Tx, to.Rx, to.TxPackets, to.RxPackets = to.Tx+i.Tx, to.Rx+i.Rx, to.TxPackets+i.TxPackets, to.RxPackets+i.RxPackets
		to.TxIP, to.RxIP = to.TxIP+i.TxIP, to.RxIP+i.RxIP
	}
	return &sum
}
