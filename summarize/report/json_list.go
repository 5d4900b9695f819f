package report

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"apptap/flows"
	"apptap/summarize"
)

// What the encoder makes of empty lists whose elements are written later. A string of the report cannot contain them: its quotes
// would be escaped.
const (
	noDestinations = `"destinations": []`
	noLookups      = `"lookups": []`
)

// spliceLists writes text, in which all lists of destinations and that of look-ups are empty, with these lists in their
// place. It returns what follows the last.
func spliceLists(out io.Writer, text []byte, s *summarize.Summary) (rest []byte, err error) {
	for i := range len(s.Apps) + 1 {
		list := s.Unattributed.Destinations
		if i < len(s.Apps) {
			list = s.Apps[i].Destinations
		}
		if text, err = splice(out, text, noDestinations, list, writeDestination); err != nil {
			return nil, err
		}
	}
	return splice(out, text, noLookups, s.Lookups, writeLookup)
}

// splice writes text up to the first place of empty, and list there.
func splice[T any](out io.Writer, text []byte, empty string, list []T, write func(*objects, *T)) (rest []byte, err error) {
	at := bytes.Index(text, []byte(empty))
	end := at + len(empty)
	if _, err = out.Write(text[:end-len("]")]); err != nil {
		return nil, err
	}
	o := objects{depth: at - bytes.LastIndexByte(text[:at], '\n') - 1}
	return text[end:], writeList(out, &o, list, write)
}

// writeList writes what follows the [ of a list whose field stands behind o.depth spaces.
func writeList[T any](out io.Writer, o *objects, list []T, write func(*objects, *T)) error {
	const flushed = 64 << 10
	o.depth += 2
	for i := range list {
		o.item(i)
		write(o, &list[i])
		if len(o.b) < flushed {
			continue
		}
		if _, err := out.Write(o.b); err != nil {
			return err
		}
		o.b = o.b[:0]
	}
	o.endList(len(list))
	_, err := out.Write(o.b)
	return err
}

// writeDestination appends what encoding/json makes of a jsonDestination.
func writeDestination(o *objects, d *summarize.Destination) {
	o.begin()
	writeName(o, d.Name)
	o.text("name_source", d.NameSource)
	o.list("addresses")
	for i, a := range d.Addresses {
		o.item(i)
		o.b = appendText(o.b, a.String())
	}
	o.endList(len(d.Addresses))
	o.text("proto", d.Proto.String())
	o.number("port", uint64(d.Port))
	o.text("service", d.Service)
	o.flag("inbound", d.Inbound)
	o.text("peer_app", d.PeerApp)
	o.number("tx_packets", d.TxPackets)
	o.number("tx_bytes", d.TxBytes)
	o.number("tx_payload", d.TxPayload)
	o.number("rx_packets", d.RxPackets)
	o.number("rx_bytes", d.RxBytes)
	o.number("rx_payload", d.RxPayload)
	o.count("flows", d.Flows)
	writeTimes(o, "times", d.Times)
	o.end()
}

// writeName appends a name, and how it reads if it is internationalised.
func writeName(o *objects, name string) {
	o.text("name", name)
	if reading := flows.Reading(name); reading != "" {
		o.text("name_unicode", reading)
	}
}

// writeTimes appends a field that encoding/json would make of jsonTimesOf(t).
func writeTimes(o *objects, name string, t *summarize.Times) {
	if t == nil {
		o.null(name)
		return
	}
	o.key(name)
	o.begin()
	writeSpreads(o, t)
	o.number("exchanges", t.Exchanges)
	o.number("wait_us", t.Wait)
	o.number("transferred_us", t.Transferred)
	o.number("tx_retransmit_bytes", t.TxRetransmitBytes)
	o.number("rx_retransmit_bytes", t.RxRetransmitBytes)
	o.number("tx_late_bytes", t.TxLateBytes)
	o.number("rx_late_bytes", t.RxLateBytes)
	o.number("tx_zero_window_us", t.TxShut)
	o.number("rx_zero_window_us", t.RxShut)
	o.key("handshakes")
	o.begin()
	o.count("done", t.Done)
	o.count("unanswered", t.Unanswered)
	o.count("refused", t.Refused)
	o.count("half", t.Half)
	o.end()
	o.count("tx_resets", t.TxResets)
	o.count("rx_resets", t.RxResets)
	o.count("unanswered", t.Waiting)
	writeFailed(o, &t.Failed)
	writeSessions(o, t)
	o.end()
}

// writeSessions is what is known of TLS's sessions.
func writeSessions(o *objects, t *summarize.Times) {
	writeSpread(o, "tls_full_us", &t.TLSFull)
	writeSpread(o, "tls_resumed_us", &t.TLSResumed)
	o.key("tls_sessions")
	o.begin()
	o.count("full", t.Full)
	o.count("resumed", t.Resumed)
	o.end()
	o.count("early_data", t.EarlyData)
}

func writeSpread(o *objects, name string, d *summarize.Distribution) {
	if d.Count == 0 {
		o.null(name)
		return
	}
	o.key(name)
	o.begin()
	o.number("count", d.Count)
	o.number("median", d.Median)
	o.number("p95", d.P95)
	o.number("max", d.Max)
	o.number("sum", d.Sum)
	o.end()
}

func writeSpreads(o *objects, t *summarize.Times) {
	spread := func(name string, d *summarize.Distribution) { writeSpread(o, name, d) }
	spread("dns_us", &t.DNS)
	spread("syn_rtt_us", &t.SYNRTT)
	spread("connect_us", &t.Connect)
	spread("ack_rtt_us", &t.ACKRTT)
	spread("tls_us", &t.TLS)
	spread("quic_us", &t.QUIC)
	spread("ttfb_us", &t.TTFB)
	spread("transfer_us", &t.Transfer)
	spread("rtt_us", &t.RTT)
	spread("rtt_min_us", &t.RTTMin)
	spread("first_answer_us", &t.First)
	spread("later_answer_us", &t.Later)
}

func writeFailed(o *objects, f *summarize.Failed) {
	o.key("failed")
	o.begin()
	o.count("flows", f.Flows)
	o.number("bytes", f.Bytes())
	o.number("took_us", f.Took)
	o.count("retries", f.Retries)
	o.number("retry_bytes", f.RetryBytes)
	for way, n := range f.Ways {
		o.count(summarize.Failure(way).String(), n)
	}
	if f.Flows > 0 {
		o.text("first", rfc3339(f.First))
		o.text("last", rfc3339(f.Last))
	} else {
		o.null("first")
		o.null("last")
	}
	o.end()
}

// writeLookup appends what encoding/json makes of jsonLookupOf(l).
func writeLookup(o *objects, l *flows.Lookup) {
	o.begin()
	o.text("client", l.Client.String())
	writeName(o, l.Name)
	o.number("queries", l.Queries)
	o.number("answers", l.Answers)
	o.number("timed_out", l.TimedOut)
	o.number("addressed", l.Addressed)
	o.number("no_address", l.NoAddress)
	o.key("failures")
	o.begin()
	for _, code := range failuresByName(l) {
		o.number(responseCode(code), uint64(l.Failures[code]))
	}
	o.end()
	if l.Times.Samples == 0 {
		o.null("time")
	} else {
		o.key("time")
		o.begin()
		o.number("samples", uint64(l.Times.Samples))
		o.number("min_us", uint64(l.Times.Min))
		o.number("mean_us", l.Times.Sum/uint64(l.Times.Samples))
		o.number("max_us", uint64(l.Times.Max))
		o.end()
	}
	o.number("flows", l.Flows)
	o.end()
}

// failuresByName are the codes of failures that there were.
func failuresByName(l *flows.Lookup) (codes []int) {
	for code, n := range l.Failures {
		if n > 0 {
			codes = append(codes, code)
		}
	}
	slices.SortFunc(codes, func(a, b int) int { return strings.Compare(responseCode(a), responseCode(b)) })
	return codes
}
