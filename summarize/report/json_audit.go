package report

import "apptap/summarize"

type jsonKernel struct {
	TxPayload        uint64  `json:"tx_payload"`
	RxPayload        *uint64 `json:"rx_payload"` // null on Linux without eBPF: a TCP socket counts received bytes as stream only
	TxStream         uint64  `json:"tx_stream"`
	RxStream         uint64  `json:"rx_stream"`
	FlowsChecked     int     `json:"flows_checked"`
	FlowsExact       int     `json:"flows_exact"`
	UnexplainedBytes uint64  `json:"unexplained_bytes"`
	// Wire is null where the kernel counted no packets of sockets.
	Wire *jsonWire `json:"wire"`
}

// jsonWire is what the kernel counted of the packets of sockets.
type jsonWire struct {
	Flows     int    `json:"flows"`
	TxPackets uint64 `json:"tx_packets"`
	TxIPBytes uint64 `json:"tx_ip_bytes"`
	TxPayload uint64 `json:"tx_payload"`
	RxPackets uint64 `json:"rx_packets"`
	RxIPBytes uint64 `json:"rx_ip_bytes"`
	RxPayload uint64 `json:"rx_payload"`
}

type jsonAudit struct {
	Verdict          string               `json:"verdict"`
	Flows            jsonAuditFlows       `json:"flows"`
	Explained        map[string]uint64    `json:"explained"`
	UnexplainedBytes uint64               `json:"unexplained_bytes"`
	Interfaces       []jsonInterfaceAudit `json:"interfaces"`
	Ledger           jsonLedger           `json:"ledger"`
}

type jsonAuditFlows struct {
	Checked     int `json:"checked"`
	Exact       int `json:"exact"`
	Explained   int `json:"explained"`
	Unexplained int `json:"unexplained"`
	Unavailable int `json:"unavailable"`
}

type jsonInterfaceAudit struct {
	Name             string            `json:"name"`
	CapturedPackets  uint64            `json:"captured_packets"`
	CapturedBytes    uint64            `json:"captured_bytes"`
	KernelPackets    *uint64           `json:"kernel_packets"` // these three are null where there were no counters
	KernelBytes      *uint64           `json:"kernel_bytes"`
	FilteredOut      uint64            `json:"filtered_out"`
	DroppedKernel    uint64            `json:"dropped_kernel"`
	DroppedInterface uint64            `json:"dropped_interface"`
	Explained        map[string]uint64 `json:"explained"`
	Causes           []jsonCause       `json:"causes"`
	ResidualBytes    *int64            `json:"residual_bytes"`
	Unavailable      string            `json:"unavailable"`
}

// jsonCause is a class of difference with its sign: kernel minus captured.
type jsonCause struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

func jsonKernelOf(k *summarize.KernelUse) *jsonKernel {
	if k == nil {
		return nil
	}
	r := &jsonKernel{
		TxPayload: k.TxPayload, TxStream: k.TxStream, RxStream: k.RxStream,
		FlowsChecked: k.FlowsChecked, FlowsExact: k.FlowsExact, UnexplainedBytes: k.UnexplainedBytes,
	}
	if w := k.Wire; w.Flows > 0 {
		r.Wire = &jsonWire{w.Flows, w.TxPackets, w.TxIPBytes, w.TxPayload, w.RxPackets, w.RxIPBytes, w.RxPayload}
	}
	if k.RxPayloadKnown {
		r.RxPayload = &k.RxPayload
	}
	return r
}

func jsonAuditOf(a summarize.Audit) jsonAudit {
	return jsonAudit{
		Verdict:          string(verdict(a.Verdict)),
		Flows:            jsonAuditFlows{a.Checked, a.Exact, a.Explained, a.Unexplained, a.Unavailable},
		Explained:        explained(a.Causes),
		UnexplainedBytes: a.UnexplainedBytes,
		Interfaces:       each(a.Interfaces, jsonInterfaceAuditOf),
		Ledger:           jsonLedgerOf(a.Ledger),
	}
}

// verdict is v, where a Summary that was never audited says nothing.
func verdict(v summarize.Verdict) summarize.Verdict {
	if v == "" {
		return summarize.VerdictUnavailable
	}
	return v
}

func jsonInterfaceAuditOf(a summarize.InterfaceAudit) jsonInterfaceAudit {
	r := jsonInterfaceAudit{
		Name: a.Name, CapturedPackets: a.CapturedPackets, CapturedBytes: a.CapturedBytes,
		FilteredOut: a.FilteredOut, DroppedKernel: a.DroppedKernel, DroppedInterface: a.DroppedInterface,
		Explained: explained(a.Causes), Causes: each(a.Causes, jsonCauseOf), Unavailable: a.Unavailable,
	}
	if a.Unavailable == "" {
		r.KernelPackets, r.KernelBytes, r.ResidualBytes = &a.KernelPackets, &a.KernelBytes, &a.ResidualBytes
	}
	return r
}

func jsonCauseOf(c summarize.Cause) jsonCause { return jsonCause{c.Name, c.Bytes} }

// explained is causes without their sign, by name.
func explained(causes []summarize.Cause) map[string]uint64 {
	all := make(map[string]uint64, len(causes))
	for _, c := range causes {
		bytes := uint64(c.Bytes)
		if c.Bytes < 0 {
			bytes = -bytes // wraps to the absolute value, of the least int64 too
		}
		all[c.Name] += bytes
	}
	return all
}
