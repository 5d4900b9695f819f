package pipeline

import (
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// appendTotals appends the counters that events tell of TCP sockets. On Linux they are of sockets that ended, and those that
// INET_DIAG tells of too, but read before anything wipes them, in every network namespace, and with the peer's FIN left out. On macOS
// there are no others. Those of the packets alone are of sockets that are open.
func appendTotals(dst []summarize.SocketCounters, events []pidmap.Event) []summarize.SocketCounters {
	for i := range events {
		e := &events[i]
		moment, tells := momentOf(e.Kind)
		if !tells || e.Socket.Key.Proto != flows.TCP || e.Socket.Key.Remote.Port == 0 {
			continue
		}
		if !e.Totals.Known && !e.Totals.Lost {
			if e.Kind != pidmap.SocketCounted || e.Datagrams == nil {
				continue
			}
			moment = summarize.AtCount
		}
		dst = append(dst, summarize.SocketCounters{
			Key:            e.Socket.Key,
			Cookie:         e.Socket.Cookie,
			Time:           e.Time,
			Moment:         moment,
			BytesSent:      e.Totals.Sent,
			BytesRetrans:   e.Totals.Retrans,
			BytesReceived:  e.Totals.Received,
			Payload:        e.Totals.Payload,
			BytesDuplicate: e.Totals.Duplicate,
			Interface:      e.Totals.Interface,
			Lost:           e.Totals.Lost,
			FINKnown:       moment != summarize.AtCount,
			Since:          e.NotBefore,
			Packets:        e.Datagrams,
			Accepted:       e.Accepted,
			Foreign:        e.Socket.Foreign,
		})
	}
	return dst
}

// momentOf is when the Totals of an event were read.
func momentOf(kind pidmap.EventKind) (m summarize.Moment, tells bool) {
	switch kind {
	case pidmap.SocketSeen:
		return summarize.AtStart, true
	case pidmap.SocketClosed:
		return summarize.AtClose, true
	case pidmap.SocketCounted:
		return summarize.AtEnd, true
	}
	return 0, false
}
