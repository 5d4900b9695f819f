package pidmap

import (
	"fmt"
	"slices"
	"time"

	"apptap/flows"
)

// Tapped is what a packet of a live capture says itself of its owner, in a PKTAP header.
type Tapped struct {
	Key            flows.Key // local -> remote
	Time           int64     // of the packet, nanoseconds since 1970 UTC
	PID, Effective int32     // who has the socket, and on whose behalf; 0 = nobody's but its own
	Name           string    // of PID, up to 16 bytes
	EffectiveName  string
}

const (
	// maxTapped bounds the flows kept of what packets say.
	maxTapped = 1 << 16
	// tapIdle is how long after its last packet a flow's owner is taken for gone: its port may be another's by then.
	tapIdle = time.Minute
	// tapCookie makes the numbers of such flows no number of the kernel's.
	tapCookie = 1 << 63
)

// macTap turns what packets say into events. The kernel's word on a whole flow comes before it.
type macTap struct {
	flows map[flows.Key]*tappedFlow
	begun uint64
}

type tappedFlow struct {
	said Tapped // last
	open Event
}

// step tells of flows that are new or in other hands, and closes those that knows says are told of better, or that are idle.
func (m *macTap) step(dst []Event, said map[flows.Key]Tapped, procs *macProcs, knows func(flows.Key) bool, now int64) []Event {
	start := len(dst)
	for key, s := range said {
		t := m.flows[key]
		switch {
		case knows(key), t == nil && len(m.flows) >= maxTapped:
			continue
		case t != nil && t.said.PID == s.PID && t.said.Effective == s.Effective:
			t.said = s
			continue
		}
		if t != nil {
			dst = append(dst, t.closed(s.Time))
		}
		m.begun++
		t = &tappedFlow{said: s, open: Event{Kind: SocketSeen, Time: s.Time, Method: MethodPKTAP, Socket: Socket{Key: key, Cookie: tapCookie + m.begun},
			Holders: []Process{procs.acting(macProcess{pid: s.PID, name: s.Name}, macProcess{pid: s.Effective, name: s.EffectiveName})}}}
		m.flows[key] = t
		dst = append(dst, t.open)
	}
	for key, t := range m.flows {
		if known := knows(key); known || now-t.said.Time > int64(tapIdle) {
			dst = append(dst, t.closed(now))
			delete(m.flows, key)
		}
	}
	slices.SortStableFunc(dst[start:], func(a, b Event) int { return a.Socket.Key.Compare(b.Socket.Key) })
	return dst
}

func (t *tappedFlow) closed(now int64) Event {
	return Event{Kind: SocketClosed, Time: now, Method: MethodPKTAP, Socket: t.open.Socket, LastSeen: t.said.Time}
}

// actsFor is p with its first reason: that process pid, has, acts on its behalf.
func actsFor(pid int32, has, p Process) Process {
	app := *p.Bundle
	app.Why = append([]string{fmt.Sprintf("process %d, %s, acts on its behalf", pid, has.shortName())}, app.Why...)
	p.Bundle = &app
	return p
}

// shortName is what to call a process in a sentence.
func (p *Process) shortName() string {
	if p.Name == "" {
		return "of a name that is not known"
	}
	return p.Name
}
