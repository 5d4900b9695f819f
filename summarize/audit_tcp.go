package summarize

import "apptap/flows"

// A captured TCP flow and the counters of its socket are held against each other in three relations on Linux. Each compares another set
// of bytes, so no byte's absence shows up in two of them, and the absolute differences add up: they are
// what the causes and the unexplained bytes of a flow sum to.
//
//	sent first:  bytes_sent - bytes_retrans == captured tx stream
//	sent again:  bytes_retrans              == captured tx payload - tx stream
//	received:    bytes_received - FIN       == captured rx stream
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
	rx         bool
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
	e := evidence{circumstances: c, flow: f, life: life}
	for _, r := range relations(f, life, use.Kernel) {
		causes, unexplained := e.explain(r)
		use.Causes = append(use.Causes, causes...)
		use.Kernel.UnexplainedBytes += magnitude(unexplained)
	}
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
func relations(f *flows.Flow, life *socketLife, k *KernelUse) []relation {
	if k.RxPayloadKnown {
		return []relation{
			{difference: difference(k.TxPayload, f.TxPayload), gap: f.TxGap, wholeLife: f.TxSawSYN},
			{difference: difference(k.RxPayload, f.RxPayload), gap: f.RxGap, rx: true, wholeLife: f.RxSawSYN},
		}
	}
	again := difference(k.TxPayload-k.TxStream, f.TxPayload-f.TxStream)
	tx := relation{difference: difference(k.TxStream, f.TxStream), gap: f.TxGap, wholeLife: f.TxSawSYN}
	rx := relation{difference: difference(k.RxStream, f.RxStream), gap: f.RxGap, rx: true, wholeLife: f.RxSawSYN}
	if !f.TxSawSYN && !life.baseline(f) {
		tx.difference += again
		return []relation{tx, rx}
	}
	return []relation{tx, {difference: again, wholeLife: f.TxSawSYN}, rx}
}

// difference is kernel - captured. Both are far below 2^63 in any run that ends.
func difference(kernel, captured uint64) int64 { return int64(kernel - captured) }
