package report

import "apptap/summarize"

// jsonMissed is what the kernel counted and the capture lost.
type jsonMissed struct {
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxPayload uint64 `json:"tx_payload"`
	TxStream  uint64 `json:"tx_stream"`
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	RxPayload uint64 `json:"rx_payload"`
	RxStream  uint64 `json:"rx_stream"`
	Flows     int    `json:"flows"`
	Uncounted int    `json:"uncounted_flows"`
}

func jsonMissedOf(m *summarize.Missed) *jsonMissed {
	if m == nil {
		return nil
	}
	return &jsonMissed{
		m.TxPackets, m.TxBytes, m.TxPayload, m.TxStream, m.RxPackets, m.RxBytes, m.RxPayload, m.RxStream, m.Flows, m.Uncounted,
	}
}

// missedRows is the row beneath an app that says what the capture lost of it.
func missedRows(m *summarize.Missed) []row {
	if m == nil {
		return nil
	}
	r := row{Kind: rowMissed, Name: "missed: " + grouped(m.Payload()) + " B of payload", Shorter: []string{"missed"}}
	if m.Uncounted == 0 {
		r.Name = "missed by the capture"
		r.Sent, r.Received, r.Total, r.Packets = more(m.TxBytes), more(m.RxBytes), more(m.Bytes()), more(m.TxPackets+m.RxPackets)
	}
	return []row{r}
}

func more(n uint64) figure { return figure{n: n, known: true, more: true} }

// missedNotes say what the totals would be if nothing had been lost.
func missedNotes(s *summarize.Summary) []note {
	m := s.Missed
	if m == nil {
		return nil
	}
	text := "missed: the kernel counted " + grouped(m.Payload()) + " B of payload more than were captured, " +
		"which stand beneath those who lost them"
	if m.Uncounted == 0 {
		text = "missed: the kernel counted " + grouped(m.Bytes()) + " B in " + counted(m.TxPackets+m.RxPackets, "packet") +
			" (" + grouped(m.Payload()) + " B of payload) more than were captured, which stand beneath those who lost them; with them " +
			grouped(s.Totals.Bytes()+s.Undecoded.Bytes+m.Bytes()) + " B in all"
	}
	return []note{{warn, text}}
}

// csvMissed are the last columns of both tables.
func csvMissed(m *summarize.Missed) []string {
	if m == nil {
		return make([]string, 4)
	}
	return []string{number(m.TxBytes), number(m.TxPayload), number(m.RxBytes), number(m.RxPayload)}
}

// csvMissedRow is a row of its own: what was not captured is in no other.
func csvMissedRow(u csvUse, m *summarize.Missed) [][]string {
	if m == nil {
		return nil
	}
	u.totals, u.row, u.bytes, u.packets, u.missed = nil, "missed", "0", "0", m
	return [][]string{u.record()}
}
