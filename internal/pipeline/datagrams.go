package pipeline

import (
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// datagramCounters are the counters of UDP sockets that kernel events told of.
type datagramCounters struct {
	sockets []summarize.DatagramCounters
	counted bool // those that were open at the end too
	lost    bool // events were: perhaps the end of a socket
}

// add takes in what events tell of UDP sockets.
func (d *datagramCounters) add(events []pidmap.Event) {
	for i := range events {
		switch e := &events[i]; {
		case e.Kind == pidmap.EventsLost:
			d.lost = true
		case e.Kind == pidmap.SocketsCounted:
			d.counted = true
		case e.Datagrams != nil && e.Socket.Key.Proto == flows.UDP:
			d.sockets = append(d.sockets, summarize.DatagramCounters{
				Key: e.Socket.Key, Cookie: e.Socket.Cookie, Since: e.NotBefore, Until: e.Time,
				Open: e.Kind == pidmap.SocketCounted, Foreign: e.Socket.Foreign, Counted: e.Datagrams,
			})
		}
	}
}

// whole says that no socket's counters are missing.
func (d *datagramCounters) whole() bool { return d.counted && !d.lost }
