package summarize

import "apptap/flows"

// Failed are flows that came to nothing: no handshake, or no answer to what was asked.
type Failed struct {
	Totals
	Ways        [failureWays]int // flows, by Failure
	Took        uint64           // microseconds, summed
	First, Last int64            // when the first and the last of them began, nanoseconds since 1970 UTC

	// Retries are those that began within RetryWindow of another's end, with their frame bytes: see attempts.
	Retries    int
	RetryBytes uint64
}

// Failure is the way in which a flow came to nothing.
type Failure uint8

// The failures.
const (
	FailureUnanswered  Failure = iota // TCP: SYNs, and no packet of the other side
	FailureRefused                    // TCP: a reset answered the SYN
	FailureReset                      // TCP: reset before any answer
	FailureMute                       // UDP: queries of DNS or Initials of QUIC, and no datagram of the other side
	FailureUnreachable                // an ICMP error, and no packet of the other side
	failureWays
)

// String is the report's word.
func (w Failure) String() string {
	return [...]string{"unanswered", "refused", "reset", "mute", "unreachable"}[w%failureWays]
}

// failureOf says that a flow came to nothing, and how. One that the capture's end cut off may yet come to something.
func failureOf(f *flows.Flow) (how Failure, failed bool) {
	asked := *f
	if f.Initiator == flows.InitiatorRemote {
		asked.RxPackets, asked.RxPayload, asked.RxSawRST = f.TxPackets, f.TxPayload, f.TxSawRST
		asked.TxUnreachable, asked.Key.Remote.Port = f.RxUnreachable, f.Key.Local.Port
	}
	switch {
	case f.Initiator == flows.InitiatorUnknown:
		return 0, false
	case asked.TxUnreachable && asked.RxPackets == 0:
		return FailureUnreachable, true
	case f.Key.Proto == flows.UDP:
		return FailureMute, asked.RxPackets == 0 && (asked.Key.Remote.Port == 53 || f.Timing != nil && f.Timing.Waiting != flows.NoRTT)
	}
	return failureOfTCP(f.Handshake(), &asked)
}

func failureOfTCP(handshake flows.Handshake, f *flows.Flow) (how Failure, failed bool) {
	switch handshake {
	case flows.HandshakeUnanswered:
		return FailureUnanswered, true
	case flows.HandshakeRefused:
		return FailureRefused, true
	case flows.HandshakeHalf:
		return FailureReset, f.End == flows.EndRST
	}
	return FailureReset, f.RxPayload == 0 && f.RxSawRST
}

func (y *Failed) add(f *flows.Flow, how Failure) {
	if y.Flows == 0 || f.First < y.First {
		y.First = f.First
	}
	if y.Flows == 0 || f.First > y.Last {
		y.Last = f.First
	}
	y.Ways[how]++
	y.Took += uint64(max(f.Last-f.First, 0) / 1000)
	y.Totals.add(&Totals{f.Counts, 1})
}

// merge leaves the retries, which do not add up.
func (y *Failed) merge(o *Failed) {
	if o.Flows == 0 {
		return
	}
	if y.Flows == 0 || o.First < y.First {
		y.First = o.First
	}
	if y.Flows == 0 || o.Last > y.Last {
		y.Last = o.Last
	}
	for i := range y.Ways {
		y.Ways[i] += o.Ways[i]
	}
	y.Took += o.Took
	y.Totals.add(&o.Totals)
}
