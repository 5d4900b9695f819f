package report

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"

	"apptap/flows"
	"apptap/summarize"
)

// writeCSV writes one row a destination of an app, a reason of unknown owners and a kind of undecoded packet; with
// o.Flows one row a flow in place of the first two. Either way the column bytes sums to every byte captured.
func writeCSV(out *bytes.Buffer, s *summarize.Summary, o Options) error {
	records := append([][]string{csvHeader}, csvUses(s)...)
	if o.Flows {
		records = append([][]string{csvFlowHeader}, csvFlows(s)...)
	}
	return csv.NewWriter(out).WriteAll(records) // flushes
}

// csvHeader: docs/scripting.md says what each column holds. Columns may be added at the end.
var csvHeader = []string{
	"row", "app_id", "app_name", "app_kind", "destination", "name_source", "addresses", "proto", "port", "service",
	"inbound", "peer_app", "reason", "bytes", "packets", "flows",
	"tx_bytes", "tx_packets", "tx_payload", "rx_bytes", "rx_packets", "rx_payload",
	"dns_us_median", "dns_us_p95", "dns_us_max", "syn_rtt_us_median", "syn_rtt_us_p95", "syn_rtt_us_max",
	"tls_us_median", "tls_us_p95", "tls_us_max", "ttfb_us_median", "ttfb_us_p95", "ttfb_us_max",
	"transfer_us_median", "transfer_us_p95", "transfer_us_max", "rtt_us_median", "rtt_us_p95", "rtt_us_max",
	"tx_retransmit_bytes", "rx_retransmit_bytes", "failed_flows", "failed_bytes", "destination_unicode",
	"retries", "retry_bytes", "missed_tx_bytes", "missed_tx_payload", "missed_rx_bytes", "missed_rx_payload",
}

// csvUse is one record of csvHeader. The zero value of a column is an empty cell: not known, or not
// meant for such a row.
type csvUse struct {
	row, appID, appName, appKind, destination, nameSource, addresses, proto, port, service string
	inbound, peerApp, reason, bytes, packets                                               string
	totals                                                                                 *summarize.Totals
	times                                                                                  *summarize.Times
	missed                                                                                 *summarize.Missed
}

func (u csvUse) record() []string {
	flowCount, counts := "", make([]string, 6)
	if t := u.totals; t != nil {
		u.bytes, u.packets = number(t.Bytes()), number(t.Packets())
		flowCount, counts = strconv.Itoa(t.Flows), csvCounts(t.Counts)
	}
	record := []string{
		u.row, cell(u.appID), cell(u.appName), cell(u.appKind), cell(u.destination), cell(u.nameSource), cell(u.addresses),
		u.proto, u.port, cell(u.service), u.inbound, cell(u.peerApp), cell(u.reason), u.bytes, u.packets, flowCount,
	}
	record = append(append(append(record, counts...), csvTimes(u.times)...), cell(flows.Reading(u.destination)))
	return append(append(record, csvRetries(u.times)...), csvMissed(u.missed)...)
}

func csvUses(s *summarize.Summary) [][]string {
	var records [][]string
	for _, use := range s.Apps {
		for _, d := range use.Destinations {
			records = append(records, csvDestination(use, d).record())
		}
		switch others := use.OtherDestinations; {
		case others.Flows > 0:
			use.Totals = others.Totals
			fallthrough
		case len(use.Destinations) == 0: // its bytes are not lost for that
			records = append(records, csvApp(use).record())
		}
		records = append(records, csvMissedRow(csvApp(use), use.Missed)...)
	}
	for _, u := range csvReasons(&s.Unattributed) {
		records = append(records, u.record())
	}
	records = append(records, csvMissedRow(csvUse{}, s.Unattributed.Missed)...)
	for _, k := range csvKinds(s.Undecoded) {
		records = append(records, csvUse{row: "undecoded", reason: k.Kind, bytes: number(k.Bytes), packets: number(k.Packets)}.record())
	}
	return records
}

func csvApp(use summarize.AppUse) csvUse {
	return csvUse{row: "app", appID: use.App.ID, appName: use.App.Name, appKind: use.App.Kind, totals: &use.Totals}
}

func csvDestination(use summarize.AppUse, d summarize.Destination) csvUse {
	u := csvApp(use)
	u.destination, u.nameSource, u.addresses = d.Name, d.NameSource, strings.Join(each(d.Addresses, textOf), " ")
	u.proto, u.port, u.service = d.Proto.String(), strconv.Itoa(int(d.Port)), d.Service
	u.inbound, u.peerApp, u.totals = strconv.FormatBool(d.Inbound), d.PeerApp, &d.Totals
	u.times = d.Times
	return u
}

// csvReasons are the unknown owners by reason. A Summary has the direction of all of them together, so only a
// single reason has more than its bytes.
func csvReasons(u *summarize.Unattributed) []csvUse {
	reasons := sortedReasons(u.Reasons)
	if len(reasons) == 1 || len(reasons) == 0 && u.Flows > 0 {
		use := csvUse{row: "unattributed", totals: &u.Totals}
		if len(reasons) == 1 {
			use.reason = string(reasons[0])
		}
		return []csvUse{use}
	}
	var uses []csvUse
	for _, reason := range reasons {
		uses = append(uses, csvUse{row: "unattributed", reason: string(reason), bytes: number(u.Reasons[reason])})
	}
	return uses
}

// csvKinds are the kinds of undecoded packets, or one without a name where there are packets of no kind.
func csvKinds(u summarize.Undecoded) []summarize.KindUse {
	if len(u.Kinds) == 0 && u.Packets > 0 {
		return []summarize.KindUse{{Packets: u.Packets, Bytes: u.Bytes}}
	}
	return u.Kinds
}

func csvCounts(c flows.Counts) []string {
	return []string{
		number(c.TxBytes), number(c.TxPackets), number(c.TxPayload),
		number(c.RxBytes), number(c.RxPackets), number(c.RxPayload),
	}
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// cell is text that a spreadsheet takes for text: control characters spelled out, and a ' before what would
// start a formula (OWASP, CSV injection).
func cell(text string) string {
	text = visible(text)
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}
