package report

import (
	"strconv"

	"apptap/flows"
)

// jsonTimes are a destination's times; a distribution without a value is null.
type jsonTimes struct {
	DNS         *jsonSpread    `json:"dns_us"`
	SYNRTT      *jsonSpread    `json:"syn_rtt_us"`
	Connect     *jsonSpread    `json:"connect_us"`
	ACKRTT      *jsonSpread    `json:"ack_rtt_us"`
	TLS         *jsonSpread    `json:"tls_us"`
	QUIC        *jsonSpread    `json:"quic_us"`
	TTFB        *jsonSpread    `json:"ttfb_us"`
	Transfer    *jsonSpread    `json:"transfer_us"`
	RTT         *jsonSpread    `json:"rtt_us"`
	RTTMin      *jsonSpread    `json:"rtt_min_us"`
	First       *jsonSpread    `json:"first_answer_us"`
	Later       *jsonSpread    `json:"later_answer_us"`
	Exchanges   uint64         `json:"exchanges"`
	Wait        uint64         `json:"wait_us"`
	Transferred uint64         `json:"transferred_us"`
	TxAgain     uint64         `json:"tx_retransmit_bytes"`
	RxAgain     uint64         `json:"rx_retransmit_bytes"`
	TxLate      uint64         `json:"tx_late_bytes"`
	RxLate      uint64         `json:"rx_late_bytes"`
	TxShut      uint64         `json:"tx_zero_window_us"`
	RxShut      uint64         `json:"rx_zero_window_us"`
	Handshakes  jsonHandshakes `json:"handshakes"`
	TxResets    int            `json:"tx_resets"`
	RxResets    int            `json:"rx_resets"`
	Waiting     int            `json:"unanswered"`
	Failed      jsonFailed     `json:"failed"`
	TLSFull     *jsonSpread    `json:"tls_full_us"`
	TLSResumed  *jsonSpread    `json:"tls_resumed_us"`
	Sessions    jsonSessions   `json:"tls_sessions"`
	EarlyData   int            `json:"early_data"`
}

type jsonSpread struct {
	Count  uint64 `json:"count"`
	Median uint64 `json:"median"`
	P95    uint64 `json:"p95"`
	Max    uint64 `json:"max"`
	Sum    uint64 `json:"sum"`
}

type jsonSessions struct {
	Full    int `json:"full"`
	Resumed int `json:"resumed"`
}

type jsonHandshakes struct {
	Done       int `json:"done"`
	Unanswered int `json:"unanswered"`
	Refused    int `json:"refused"`
	Half       int `json:"half"`
}

type jsonFailed struct {
	Flows   int     `json:"flows"`
	Bytes   uint64  `json:"bytes"`
	Took    uint64  `json:"took_us"`
	Retries int     `json:"retries"`
	Again   uint64  `json:"retry_bytes"`
	SYN     int     `json:"unanswered"`
	Refused int     `json:"refused"`
	Reset   int     `json:"reset"`
	Mute    int     `json:"mute"`
	ICMP    int     `json:"unreachable"`
	First   *string `json:"first"`
	Last    *string `json:"last"`
}

// jsonRoundTrips is null without a sample.
type jsonRoundTrips struct {
	Samples uint32 `json:"samples"`
	Min     uint32 `json:"min_us"`
	Mean    uint64 `json:"mean_us"`
	Max     uint32 `json:"max_us"`
}

type jsonLookup struct {
	Client    string            `json:"client"`
	Name      string            `json:"name"`
	Reading   string            `json:"name_unicode,omitempty"`
	Queries   uint64            `json:"queries"`
	Answers   uint64            `json:"answers"`
	TimedOut  uint64            `json:"timed_out"`
	Addressed uint64            `json:"addressed"`
	NoAddress uint64            `json:"no_address"`
	Failures  map[string]uint64 `json:"failures"`
	Time      *jsonRoundTrips   `json:"time"`
	Flows     uint64            `json:"flows"`
}

// jsonFlowTiming is the part of a flow that is about time. Durations that were not seen whole are null.
type jsonFlowTiming struct {
	Connect    *int64          `json:"connect_us"`
	Handshake  string          `json:"handshake"`
	TxReset    bool            `json:"tx_reset"`
	RxReset    bool            `json:"rx_reset"`
	TxICMP     bool            `json:"tx_unreachable"`
	RxICMP     bool            `json:"rx_unreachable"`
	Order      string          `json:"lookup_order"`
	DNS        *int64          `json:"dns_us"`
	SinceDNS   *int64          `json:"since_dns_us"`
	TLS        *int64          `json:"tls_us"`
	Resumption string          `json:"tls_session"`
	EarlyData  bool            `json:"early_data"`
	QUIC       *int64          `json:"quic_us"`
	QUICAnswer *int64          `json:"quic_answer_us"`
	Exchanges  uint32          `json:"exchanges"`
	TTFB       *int64          `json:"ttfb_us"`
	Wait       *int64          `json:"wait_us"`
	Transfer   *int64          `json:"transfer_us"`
	Waiting    *int64          `json:"unanswered_us"`
	TxAgain    uint64          `json:"tx_retransmit_bytes"`
	RxAgain    uint64          `json:"rx_retransmit_bytes"`
	TxLate     uint64          `json:"tx_late_bytes"`
	RxLate     uint64          `json:"rx_late_bytes"`
	TxShut     int64           `json:"tx_zero_window_us"`
	RxShut     int64           `json:"rx_zero_window_us"`
	RTT        *jsonRoundTrips `json:"rtt"`
	Answer     *jsonRoundTrips `json:"answer_rtt"`
	Spin       *jsonRoundTrips `json:"spin_rtt"`
}

func jsonRoundTripsOf(r flows.RoundTrips) *jsonRoundTrips {
	if r.Samples == 0 {
		return nil
	}
	return &jsonRoundTrips{r.Samples, r.Min, r.Sum / uint64(r.Samples), r.Max}
}

// responseCode is the name of a DNS response code (RFC 6895 §2.3).
func responseCode(code int) string {
	names := [...]string{"noerror", "formerr", "servfail", "nxdomain", "notimp", "refused", "yxdomain", "yxrrset", "nxrrset", "notauth", "notzone"}
	if code < len(names) {
		return names[code]
	}
	return "rcode" + strconv.Itoa(code)
}

func jsonFlowTimingOf(f *flows.Flow) jsonFlowTiming {
	j := jsonFlowTiming{Connect: micros(f.Connect), Handshake: f.Handshake().String(), TxReset: f.TxSawRST, RxReset: f.RxSawRST, Order: flows.OrderUnknown.String(), Resumption: flows.ResumptionUnknown.String()}
	j.TxICMP, j.RxICMP = f.TxUnreachable, f.RxUnreachable
	m := f.Timing
	if m == nil {
		return j
	}
	j.Resumption, j.EarlyData = m.Resumption.String(), m.EarlyData
	j.Order, j.Exchanges = m.Order.String(), m.Exchanges
	j.DNS, j.SinceDNS, j.TLS, j.QUIC, j.QUICAnswer = micros(m.DNS), micros(m.SinceDNS), micros(m.TLS), micros(m.QUIC), micros(m.QUICAnswer)
	j.TTFB, j.Wait, j.Transfer, j.Waiting = micros(m.TTFB), micros(m.Wait), micros(m.Transfer), micros(m.Waiting)
	j.TxLate, j.RxLate = m.TxLateBytes, m.RxLateBytes
	j.TxAgain, j.RxAgain, j.TxShut, j.RxShut = m.TxRetransmitBytes, m.RxRetransmitBytes, m.TxShut/1000, m.RxShut/1000
	j.RTT, j.Answer, j.Spin = jsonRoundTripsOf(m.RTT), jsonRoundTripsOf(m.Answer), jsonRoundTripsOf(m.Spin)
	return j
}
