package report

import (
	"apptap/flows"
	"apptap/summarize"
)

// csvTimesColumns is how many columns of csvHeader are for times.
const csvTimesColumns = 22

// csvTimes are the cells of these columns, of each distribution median, p95 and maximum; empty where nothing is known.
func csvTimes(t *summarize.Times) []string {
	if t == nil {
		return make([]string, csvTimesColumns)
	}
	var cells []string
	for _, d := range []summarize.Distribution{t.DNS, t.SYNRTT, t.TLS, t.TTFB, t.Transfer, t.RTT} {
		if d.Count == 0 {
			cells = append(cells, "", "", "")
			continue
		}
		cells = append(cells, number(d.Median), number(d.P95), number(d.Max))
	}
	return append(cells, number(t.TxRetransmitBytes), number(t.RxRetransmitBytes), number(uint64(t.Failed.Flows)), number(t.Failed.Bytes()))
}

func csvRetries(t *summarize.Times) []string {
	if t == nil {
		return []string{"", ""}
	}
	return []string{number(uint64(t.Failed.Retries)), number(t.Failed.RetryBytes)}
}

// csvFlowTiming are the cells of csvFlowHeader from the handshake on.
func csvFlowTiming(f *flows.Flow) []string {
	m := f.Timing
	if m == nil {
		return append([]string{f.Handshake().String()}, make([]string, 8)...)
	}
	return []string{
		f.Handshake().String(), csvMicros(m.DNS), csvMicros(m.TLS), csvMicros(m.QUIC), csvMicros(m.TTFB), csvMicros(m.Transfer),
		csvMicros(m.RTT.Mean()), number(m.TxRetransmitBytes), number(m.RxRetransmitBytes),
	}
}
