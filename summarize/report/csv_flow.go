package report

import (
	"strconv"
	"strings"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// csvFlowHeader: docs/scripting.md says what each column holds. Columns may be added at the end.
var csvFlowHeader = []string{
	"row", "proto", "local", "remote", "initiator", "interface", "first", "last", "app_id", "app_name", "pid", "process",
	"method", "reason", "verdict", "end", "bytes", "packets",
	"tx_bytes", "tx_packets", "tx_payload", "rx_bytes", "rx_packets", "rx_payload",
	"tx_stream", "rx_stream", "tx_retransmits", "rx_retransmits", "syn_rtt_us", "ack_rtt_us",
	"tls_sni", "quic_sni", "http_host", "dns_name", "alpn",
	"handshake", "dns_us", "tls_us", "quic_us", "ttfb_us", "transfer_us", "rtt_us", "tx_retransmit_bytes", "rx_retransmit_bytes",
	"name_unicode", "authorities", "missed_tx_bytes", "missed_tx_payload", "missed_rx_bytes", "missed_rx_payload",
}

func csvFlows(s *summarize.Summary) [][]string {
	var records [][]string
	for i := range s.Flows {
		records = append(records, csvFlow(&s.Flows[i]))
	}
	for _, k := range csvKinds(s.Undecoded) {
		record := make([]string, len(csvFlowHeader))
		record[0], record[13], record[16], record[17] = "undecoded", cell(k.Kind), number(k.Bytes), number(k.Packets)
		records = append(records, record)
	}
	return records
}

func csvFlow(use *summarize.FlowUse) []string {
	f, owner := use.Flow, use.Owner
	record := []string{
		"flow", f.Key.Proto.String(), f.Key.LocalAddr().String(), f.Key.RemoteAddr().String(),
		f.Initiator.String(), cell(use.Interface), rfc3339(f.First), rfc3339(f.Last),
		cell(owner.App.ID), cell(owner.App.Name), csvPID(owner), cell(owner.Process.Name),
		cell(string(owner.Method)), cell(string(owner.Reason)), string(verdict(use.Verdict)), f.End.String(),
		number(f.Bytes()), number(f.Packets()),
	}
	record = append(record, csvCounts(f.Counts)...)
	record = append(record, number(f.TxStream), number(f.RxStream), number(f.TxRetransmits), number(f.RxRetransmits),
		csvMicros(f.SYNRTT), csvMicros(f.ACKRTT),
		cell(f.Names.TLS), cell(f.Names.QUIC), cell(f.Names.HTTP), cell(f.Names.DNS), cell(f.Names.ALPN))
	name, _ := f.Names.Best()
	record = append(append(record, csvFlowTiming(&f)...), cell(flows.Reading(name)), cell(strings.ReplaceAll(f.Names.Authorities, ",", " ")))
	return append(record, csvMissed(use.Missed)...)
}

func csvPID(owner pidmap.Attribution) string {
	if !owner.Known() {
		return ""
	}
	return strconv.Itoa(int(owner.Process.Key.PID))
}

func csvMicros(nanos int64) string {
	us := micros(nanos)
	if us == nil {
		return ""
	}
	return strconv.FormatInt(*us, 10)
}
