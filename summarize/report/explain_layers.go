package report

import (
	"fmt"

	"apptap/summarize"
)

// layerWords are what is said of a layer.
type layerWords struct {
	name, took     string
	evidence, next func(*summarize.Explanation) string
}

// layers has the words by summarize.Layer.
var layers = [...]layerWords{
	summarize.LayerLookup: {"look-up", "the largest part was spent on asking DNS for the address", lookupEvidence, fixed(
		"the resolver that this host asks, and whether it keeps answers (resolvectl statistics; scutil --dns on a Mac)")},
	summarize.LayerPath:     {"path", "the largest part was the way there and back", pathEvidence, pathNext},
	summarize.LayerConnect:  {"connect", "the largest part was spent on opening connections", connectEvidence, fixed("whether connections are kept and used again: each new one costs a round trip before it can ask")},
	summarize.LayerTLS:      {"TLS", "the largest part was spent on securing connections", tlsEvidence, tlsNext},
	summarize.LayerServer:   {"server", "the largest part was the server's answer in the making", serverEvidence, fixed("the server's own log or trace of these requests: nothing on the way took that long")},
	summarize.LayerTransfer: {"transfer", "the largest part was the answers' arriving", transferEvidence, transferNext},
	summarize.LayerNothing:  {"failed", "the largest part was spent on attempts that came to nothing", failedEvidence, failedNext},
}

func fixed(text string) func(*summarize.Explanation) string {
	return func(*summarize.Explanation) string { return text }
}

// spread is "median 24.0 ms, 95 % within 48.0 ms, at most 72.0 ms"; of one value just that.
func spread(d summarize.Distribution) string {
	if d.Count == 1 || duration(d.Median) == duration(d.Max) {
		return duration(d.Max)
	}
	return fmt.Sprintf("median %s, 95 %% within %s, at most %s", duration(d.Median), duration(d.P95), duration(d.Max))
}

func lookupEvidence(e *summarize.Explanation) string {
	d := e.Destination.Times.DNS
	return fmt.Sprintf("%s: %s", counted(d.Count, "look-up"), spread(d))
}

func pathEvidence(e *summarize.Explanation) string {
	t := e.Destination.Times
	text := fmt.Sprintf("round trip %s, %s", duration(e.RoundTrip), counted(t.Exchanges, "request"))
	if lost := t.Connect.Sum - min(t.SYNRTT.Sum, t.Connect.Sum); lost > 0 {
		text += fmt.Sprintf("; lost SYNs cost %s", duration(lost))
	}
	return text + resent(t)
}

// resent is about segments that were sent again.
func resent(t *summarize.Times) (text string) {
	for _, way := range []struct {
		who                      string
		segments, bytes, payload uint64
	}{{"this side", t.TxRetransmits, t.TxRetransmitBytes, t.TxPayload}, {"the other side", t.RxRetransmits, t.RxRetransmitBytes, t.RxPayload}} {
		if way.bytes > 0 { // else SYNs or FINs: what they cost is the connect's
			text += fmt.Sprintf("; %s sent %s again, %s (%s)", way.who, counted(way.segments, "segment"), counted(way.bytes, "byte"), share(way.bytes, way.payload))
		}
	}
	if late := t.TxLateBytes + t.RxLateBytes; late > 0 {
		text += fmt.Sprintf("; %s came behind later ones (%s)", counted(late, "byte"), share(late, t.TxPayload+t.RxPayload))
	}
	return text
}

// share is part of whole in percent.
func share(part, whole uint64) string {
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(max(whole, 1)))
}

// lossy says that so much was sent again, or filled a gap, that it slows a transfer down: one in a hundred.
func lossy(t *summarize.Times) bool {
	bytes := t.TxRetransmitBytes + t.RxRetransmitBytes + t.TxLateBytes + t.RxLateBytes
	return bytes > 0 && bytes*100 >= t.TxPayload+t.RxPayload
}

const lossNext = "the link: radio signal, a full uplink, a bad cable or a policer on the way lose packets"

func pathNext(e *summarize.Explanation) string {
	t := e.Destination.Times
	if lossy(t) || t.Connect.Sum > t.SYNRTT.Sum {
		return lossNext
	}
	if t.RTT.Median > 3*e.RoundTrip {
		return "queues on the way: the round trip is several times its least, as where an upload fills a modem's buffer"
	}
	return "the distance: fewer requests one after another, or a server that is nearer"
}

func connectEvidence(e *summarize.Explanation) string {
	d := e.Destination.Times.SYNRTT
	return fmt.Sprintf("%s: %s", counted(d.Count, "handshake"), spread(d))
}

func tlsEvidence(e *summarize.Explanation) string {
	t := e.Destination.Times
	d := t.TLS
	if t.QUIC.Count > d.Count {
		d = t.QUIC
	}
	text := fmt.Sprintf("%s: %s", counted(d.Count, "handshake"), spread(d))
	if e.RoundTrip > 0 && d.Count > 0 {
		text += fmt.Sprintf(", %s round trips", threeDigits(float64(d.Median)/float64(e.RoundTrip)))
	}
	return text
}

func tlsNext(e *summarize.Explanation) string {
	if t := e.Destination.Times; max(t.TLS.Median, t.QUIC.Median) > 3*e.RoundTrip {
		return "the other side's processor, or a proxy there that first opens a connection of its own: it took far longer than the round trips"
	}
	return "session resumption, TLS 1.3, and the length of the server's certificate chain: round trips took it"
}

func serverEvidence(e *summarize.Explanation) string {
	t := e.Destination.Times
	return fmt.Sprintf("%s; first byte of the first answer: %s; %s of each is the path's", counted(t.Exchanges, "request"), spread(t.TTFB), duration(e.RoundTrip))
}

func transferEvidence(e *summarize.Explanation) string {
	t := e.Destination.Times
	text := fmt.Sprintf("%s of payload arrived, %s left", counted(t.RxPayload, "byte"), counted(t.TxPayload, "byte"))
	if t.Transferred > 0 && !e.Destination.Inbound {
		text += fmt.Sprintf(": %s Mbit/s", threeDigits(8*float64(t.RxPayload)/float64(t.Transferred)))
	}
	if t.TxShut > 0 {
		text += fmt.Sprintf("; this side had no room for %s", duration(t.TxShut))
	}
	if t.RxShut > 0 {
		text += fmt.Sprintf("; the other side had no room for %s", duration(t.RxShut))
	}
	return text + resent(t)
}

func transferNext(e *summarize.Explanation) string {
	t := e.Destination.Times
	switch {
	case 4*t.TxShut > t.Transferred:
		return "the program here: data waits because it does not read, so its disk or its processor"
	case 4*t.RxShut > t.Transferred:
		return "the program at the other end: data waits because it does not read"
	case lossy(t):
		return lossNext
	}
	return "the link's rate, and whether the answer is made while it is sent: packets show the pace, not who sets it"
}

func failedEvidence(e *summarize.Explanation) string {
	f := e.Destination.Times.Failed
	return fmt.Sprintf("%s (%s)", counted(f.Flows, "flow"), failures(&f))
}

func failedNext(e *summarize.Explanation) string {
	most, ways := summarize.FailureUnanswered, e.Destination.Times.Failed.Ways
	for way, n := range ways {
		if n > ways[most] {
			most = summarize.Failure(way)
		}
	}
	switch most {
	case summarize.FailureUnanswered:
		return "a firewall, a route or a host that is down: SYNs left and nothing came back"
	case summarize.FailureRefused:
		return "whether the service runs there and listens on this port"
	case summarize.FailureMute:
		return "whether something on the way drops UDP to this port, or the server is down: datagrams left and nothing came back"
	case summarize.FailureUnreachable:
		return "who sent the ICMP errors: the host itself (nothing listens on this port) or a router (no route, or a firewall that says so)"
	}
	return "the server's log, or a proxy before it: it reset what it had accepted"
}
