package pipeline

import (
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// appendTotals appends the counters that kernel events tell of TCP sockets that ended. They are those that INET_DIAG tells of
// too, but read before anything wipes them, in every network namespace, and with the peer's FIN left out.
func appendTotals(dst []summarize.SocketCounters, events []pidmap.Event) []summarize.SocketCounters {
	for i := range events {
		e := &events[i]
		if e.Kind != pidmap.SocketClosed || !e.Totals.Known || e.Socket.Key.Proto != flows.TCP || e.Socket.Key.Remote.Port == 0 {
			continue
		}
		dst = append(dst, summarize.SocketCounters{
			Key:           e.Socket.Key,
			Cookie:        e.Socket.Cookie,
			Time:          e.Time,
			Moment:        summarize.AtClose,
			BytesSent:     e.Totals.Sent,
			BytesRetrans:  e.Totals.Retrans,
			BytesReceived: e.Totals.Received,
			FINKnown:      true,
			Foreign:       e.Socket.Foreign,
		})
	}
	return dst
}
