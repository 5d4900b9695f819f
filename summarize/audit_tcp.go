package summarize

import "apptap/flows"

// A captured TCP flow and the counters of its socket are held against each other in four relations on Linux. Each compares another set
// of bytes, so no byte's absence shows up in two of them, and the absolute differences add up: they are
// what the causes and the unexplained bytes of a flow sum to.
//
//	sent first:  bytes_sent - bytes_retrans == captured tx stream
//	sent again:  bytes_retrans              == captured tx payload - tx stream
//	received:    bytes_received - FIN       == captured rx stream
//	rcvd. again: payload of its packets in - bytes_received + FIN == captured rx payload - rx stream
//
// The last is of the packets that a kernel event counted for the socket, and only where one did. Those counters tell too how
// much of a difference took an interface that was not captured, or never became a packet.
//
// Together the first two say bytes_sent == captured tx payload. FIN is 0 or 1: bytes_received counts the peer's FIN if
// the full socket took it in, and not if its TIME_WAIT remnant did (net/ipv4/tcp_input.c, tcp_fin). Kernel events tell
// which, and so does the state of a socket that lives. INET_DIAG does not at a socket's end: there both pass, where the
// capture saw that FIN. bytes_acked is not compared: it
// counts SYN and FIN too, and misses acknowledgements that travel in a RST.
//
// macOS counts payload, whatever is sent or arrives again in it. There are two relations then:
//
//	sent:      txbytes == captured tx payload
//	received:  rxbytes == captured rx payload
type relation struct {
	difference int64  // kernel - captured, bytes
	gap        uint64 // stream bytes of this relation that the capture's sequence numbers show missing
	rx, again  bool
	wholeLife  bool // the direction's SYN was captured
}

// check compares one flow with its socket.
func check(use *FlowUse, life *socketLife, c circumstances) {
	f := &use.Flow
	counted := life.during(f)
	fin := finOf(&counted, f)
	use.Kernel = &KernelUse{
		TxPayload:    counted.BytesSent,
		TxStream:     counted.BytesSent - min(counted.BytesSent, counted.BytesRetrans),
		RxStream:     counted.BytesReceived - fin,
		FlowsChecked: 1,
	}
	if counted.Payload {
		use.Kernel.RxPayload, use.Kernel.RxPayloadKnown = counted.BytesReceived, true
		use.Kernel.RxStream = counted.BytesReceived - min(counted.BytesReceived, counted.BytesDuplicate)
	}
	e := evidence{circumstances: c, flow: f, life: life, wire: life.wire(c.captured)}
	e.thirdNumber(use.Kernel)
	var txLost, rxLost, rxAgain uint64
	for _, r := range e.relations(use.Kernel) {
		causes, unexplained := e.explain(r)
		use.Causes = append(use.Causes, causes...)
		use.Kernel.UnexplainedBytes += magnitude(unexplained)
		switch lost := lostOf(causes); {
		case !r.rx:
			txLost += lost
		case r.again:
			rxAgain += lost
		default:
			rxLost += lost
		}
	}
	use.Missed = e.missed(use.Kernel, txLost, rxLost, rxAgain)
	switch {
	case use.Kernel.UnexplainedBytes > 0:
		use.Verdict = VerdictUnexplained
	case len(use.Causes) > 0:
		use.Verdict = VerdictExplained
	default:
		use.Verdict = VerdictExact
		use.Kernel.FlowsExact = 1
	}
}

// thirdNumber takes in what was counted of the socket's packets.
func (e *evidence) thirdNumber(k *KernelUse) {
	w := &e.wire
	if !w.known {
		return
	}
	k.Wire = w.here.Add(w.there)
	k.RxPayload, k.RxPayloadKnown = k.Wire.RxPayload, true
	e.elsewhereTx, e.elsewhereRx = w.there.TxPayload, w.there.RxPayload
	e.unsent = k.TxPayload - min(k.TxPayload, k.Wire.TxPayload)
}

// lostOf is what the capture lost of a relation.
func lostOf(causes []Cause) (bytes uint64) {
	for _, c := range causes {
		if c.Name == CauseCaptureDrop && c.Bytes > 0 {
			bytes += uint64(c.Bytes)
		}
	}
	return bytes
}

// finOf is the 1 that the peer's FIN adds to bytes_received where that is not known already, if it was seen and the kernel
// has a byte more than the stream.
func finOf(c *SocketCounters, f *flows.Flow) uint64 {
	if !c.FINKnown && f.RxSawFIN && c.BytesReceived > f.RxStream {
		return 1
	}
	return 0
}

// relations are what is left of each relation. Where the stream's start was not captured and the socket's counters at
// that time are not known either, nothing tells a first transmission from a repeated one, so the two are
// compared as one.
func (e *evidence) relations(k *KernelUse) []relation {
	f := e.flow
	again := difference(k.TxPayload-k.TxStream, f.TxPayload-f.TxStream)
	tx := relation{difference: difference(k.TxStream, f.TxStream), gap: f.TxGap, wholeLife: f.TxSawSYN}
	rx := relation{difference: difference(k.RxStream, f.RxStream), gap: f.RxGap, rx: true, wholeLife: f.RxSawSYN}
	if e.life.joined || e.life.last.Payload {
		return e.payloadRelations(k)
	}
	list := []relation{tx}
	if !f.TxSawSYN && !e.life.baseline(f) {
		list[0].difference += again
	} else {
		list = append(list, relation{difference: again, again: true, wholeLife: f.TxSawSYN})
	}
	if list = append(list, rx); k.RxPayloadKnown {
		list = append(list, relation{difference: e.receivedAgain(k, rx.difference), rx: true, again: true, wholeLife: f.RxSawSYN})
	}
	return list
}

// receivedAgain is what is left of the payload that came in packets once that of the stream is taken away. Bytes that came after
// the socket was closed are in the stream's difference already, whether its packets were still counted or not.
func (e *evidence) receivedAgain(k *KernelUse, stream int64) int64 {
	all := difference(k.RxPayload, e.flow.RxPayload)
	if stream >= 0 || all < stream {
		return all - stream
	}
	return max(all, 0)
}

// payloadRelations are what macOS counts, and all that can be compared where one flow has several connections: their sequence
// numbers tell of no stream.
func (e *evidence) payloadRelations(k *KernelUse) []relation {
	f, received := e.flow, k.RxStream
	if k.RxPayloadKnown {
		received = k.RxPayload
	}
	return []relation{
		{difference: difference(k.TxPayload, f.TxPayload), gap: f.TxGap, wholeLife: f.TxSawSYN},
		{difference: difference(received, f.RxPayload), gap: f.RxGap, rx: true, wholeLife: f.RxSawSYN},
	}
}

// difference is kernel - captured. Both are far below 2^63 in any run that ends.
func difference(kernel, captured uint64) int64 { return int64(kernel - captured) }
