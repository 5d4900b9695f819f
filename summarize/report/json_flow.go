package report

import (
	"strings"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

type jsonFlow struct {
	Proto         string          `json:"proto"`
	Local         string          `json:"local"`
	Remote        string          `json:"remote"`
	Initiator     string          `json:"initiator"`
	Interface     string          `json:"interface"`
	Tunnel        string          `json:"tunnel"`
	First         string          `json:"first"`
	Last          string          `json:"last"`
	TxPackets     uint64          `json:"tx_packets"`
	TxBytes       uint64          `json:"tx_bytes"`
	TxPayload     uint64          `json:"tx_payload"`
	RxPackets     uint64          `json:"rx_packets"`
	RxBytes       uint64          `json:"rx_bytes"`
	RxPayload     uint64          `json:"rx_payload"`
	TxStream      uint64          `json:"tx_stream"`
	RxStream      uint64          `json:"rx_stream"`
	TxIPBytes     uint64          `json:"tx_ip_bytes"`
	RxIPBytes     uint64          `json:"rx_ip_bytes"`
	TxRetransmits uint64          `json:"tx_retransmits"`
	RxRetransmits uint64          `json:"rx_retransmits"`
	SYNRTT        *int64          `json:"syn_rtt_us"`
	ACKRTT        *int64          `json:"ack_rtt_us"`
	TLSSNI        string          `json:"tls_sni"` // the names are "" where there are none
	QUICSNI       string          `json:"quic_sni"`
	HTTPHost      string          `json:"http_host"`
	DNSName       string          `json:"dns_name"`
	Reading       string          `json:"name_unicode,omitempty"`
	Authorities   []string        `json:"authorities,omitempty"`
	ALPN          string          `json:"alpn"`
	End           string          `json:"end"`
	App           string          `json:"app"`
	PID           *int32          `json:"pid"` // null where the owner is not known: 0 is a process on macOS
	PIDStart      *string         `json:"pid_start"`
	Method        string          `json:"method"`
	Reason        string          `json:"reason"`
	SocketLocal   string          `json:"socket_local,omitempty"` // the socket's own 5-tuple, of a flow that is forwarded under another
	SocketRemote  string          `json:"socket_remote,omitempty"`
	Candidates    []jsonCandidate `json:"candidates"`
	Shares        []jsonShare     `json:"shares,omitempty"` // where several processes moved the bytes
	Parts         []jsonPart      `json:"parts,omitempty"`  // where several sockets had the 5-tuple one after another
	PeerAppID     string          `json:"peer_app_id"`
	Kernel        *jsonFlowKernel `json:"kernel"`
	ECH           bool            `json:"ech"`
	Outer         bool            `json:"ech_outer,omitempty"`
	Unavailable   string          `json:"unavailable"` // why kernel is null
	jsonFlowTiming
}

// jsonCandidate is a process that may own a flow whose owner is ambiguous.
type jsonCandidate struct {
	PID   int32   `json:"pid"`
	Start *string `json:"start"`
	Name  string  `json:"name"`
	Path  string  `json:"path"`
}

// jsonShare is what one of several processes moved of a flow: payload by the return values of its system calls, which
// the flow's bytes are divided by.
type jsonShare struct {
	App string `json:"app"`
	jsonCandidate
	TxPayload uint64 `json:"tx_payload"`
	RxPayload uint64 `json:"rx_payload"`
}

func jsonShareOf(s pidmap.Share) jsonShare {
	return jsonShare{s.App.ID, jsonCandidateOf(s.Process), s.Tx, s.Rx}
}

// jsonPart is what one owner had of a flow whose 5-tuple went from one program's socket to another's, or what nobody is known to have had of it.
type jsonPart struct {
	App      string  `json:"app"`
	PID      *int32  `json:"pid"`
	PIDStart *string `json:"pid_start"`
	Method   string  `json:"method"`
	Reason   string  `json:"reason"`
	jsonTotals
}

func jsonPartsOf(use *summarize.FlowUse) []jsonPart {
	if len(use.Owner.Shares) > 0 {
		return nil // they say it
	}
	return each(use.Parts, func(p summarize.Part) jsonPart {
		r := jsonPart{Method: string(p.Owner.Method), Reason: string(p.Owner.Reason), jsonTotals: jsonTotalsOf(p.Totals)}
		if p.Owner.Known() {
			r.App, r.PID, r.PIDStart = p.Owner.App.ID, &p.Owner.Process.Key.PID, jsonTime(p.Owner.Process.StartTime)
		}
		return r
	})
}

type jsonFlowKernel struct {
	jsonKernel
	Verdict string      `json:"verdict"`
	Causes  []jsonCause `json:"causes"`
	Missed  *jsonMissed `json:"missed"`
}

func jsonFlowOf(use summarize.FlowUse) jsonFlow {
	f := use.Flow
	name, _ := f.Names.Best()
	r := jsonFlow{
		Proto: f.Key.Proto.String(), Local: f.Key.LocalAddr().String(), Remote: f.Key.RemoteAddr().String(),
		Initiator: f.Initiator.String(), Interface: use.Interface,
		First: rfc3339(f.First), Last: rfc3339(f.Last),
		TxPackets: f.TxPackets, TxBytes: f.TxBytes, TxPayload: f.TxPayload,
		RxPackets: f.RxPackets, RxBytes: f.RxBytes, RxPayload: f.RxPayload,
		TxStream: f.TxStream, RxStream: f.RxStream, TxIPBytes: f.TxIPBytes, RxIPBytes: f.RxIPBytes,
		TxRetransmits: f.TxRetransmits, RxRetransmits: f.RxRetransmits,
		SYNRTT: micros(f.SYNRTT), ACKRTT: micros(f.ACKRTT),
		TLSSNI: f.Names.TLS, QUICSNI: f.Names.QUIC, HTTPHost: f.Names.HTTP, DNSName: f.Names.DNS, Reading: flows.Reading(name), ALPN: f.Names.ALPN, ECH: f.Names.ECH, Outer: f.Names.Outer,
		End:        f.End.String(),
		Candidates: each(use.Owner.Candidates, jsonCandidateOf), Shares: each(use.Owner.Shares, jsonShareOf), Parts: jsonPartsOf(&use),
		PeerAppID: use.Peer.App.ID, Kernel: jsonFlowKernelOf(use), Unavailable: use.Unavailable,
		jsonFlowTiming: jsonFlowTimingOf(&f),
	}
	if f.Names.Authorities != "" {
		r.Authorities = strings.Split(f.Names.Authorities, ",")
	}
	r.setOwner(use.Owner)
	return r
}

func (r *jsonFlow) setOwner(owner pidmap.Attribution) {
	r.Reason, r.Method = string(owner.Reason), string(owner.Method)
	if owner.Translated != (flows.Key{}) {
		r.SocketLocal, r.SocketRemote = owner.Translated.LocalAddr().String(), owner.Translated.RemoteAddr().String()
	}
	if !owner.Known() {
		return
	}
	r.App, r.PID, r.PIDStart = owner.App.ID, &owner.Process.Key.PID, jsonTime(owner.Process.StartTime)
}

// micros is a round trip in whole microseconds, null if it was not seen whole.
func micros(nanos int64) *int64 {
	if nanos == flows.NoRTT {
		return nil
	}
	us := nanos / 1000
	return &us
}

func jsonCandidateOf(p pidmap.Process) jsonCandidate {
	return jsonCandidate{p.Key.PID, jsonTime(p.StartTime), p.Name, p.Path}
}

func jsonFlowKernelOf(use summarize.FlowUse) *jsonFlowKernel {
	if use.Kernel == nil {
		return nil
	}
	return &jsonFlowKernel{*jsonKernelOf(use.Kernel), string(verdict(use.Verdict)), each(use.Causes, jsonCauseOf), jsonMissedOf(use.Missed)}
}
