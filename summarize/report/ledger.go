package report

import (
	"strings"

	"apptap/summarize"
)

type jsonLedger struct {
	KernelBytes   *uint64     `json:"kernel_bytes"` // null with the residual where an interface has no counters
	CapturedBytes uint64      `json:"captured_bytes"`
	Apps          uint64      `json:"apps"`
	Unattributed  uint64      `json:"unattributed"`
	Missed        uint64      `json:"missed"`
	Undecoded     uint64      `json:"undecoded"`
	SeenBefore    uint64      `json:"seen_before"`
	FilteredOut   uint64      `json:"filtered_out"`
	Causes        []jsonCause `json:"causes"`
	ResidualBytes *int64      `json:"residual_bytes"`
	Unavailable   string      `json:"unavailable"`
}

func jsonLedgerOf(l summarize.Ledger) jsonLedger {
	r := jsonLedger{
		CapturedBytes: l.CapturedBytes, Apps: l.Apps, Unattributed: l.Unattributed, Undecoded: l.Undecoded,
		SeenBefore: l.SeenBefore, Missed: l.Missed, FilteredOut: l.FilteredOut, Causes: each(l.Causes, jsonCauseOf), Unavailable: l.Unavailable,
	}
	if l.Unavailable == "" {
		r.KernelBytes, r.ResidualBytes = &l.KernelBytes, &l.ResidualBytes
	}
	return r
}

// ledgerNotes say in a line where the kernel's bytes went: with verbose, and where they do not add up.
func ledgerNotes(l summarize.Ledger, verbose bool) []note {
	if l.Unavailable != "" || l.KernelBytes == 0 || !verbose && l.ResidualBytes == 0 {
		return nil
	}
	parts := []string{grouped(l.Apps) + " of apps"}
	for _, part := range []struct {
		bytes uint64
		what  string
	}{
		{l.Unattributed, "unattributed"}, {l.Missed, "missed"}, {l.Undecoded, "undecoded"}, {l.SeenBefore, "seen before"}, {l.FilteredOut, "filtered out"},
	} {
		if part.bytes > 0 {
			parts = append(parts, grouped(part.bytes)+" "+part.what)
		}
	}
	if len(l.Causes) > 0 {
		parts = append(parts, causeWords(l.Causes, true, signed))
	}
	tone := quiet
	if l.ResidualBytes != 0 {
		tone = warn
	}
	return []note{{tone, "ledger: kernel " + grouped(l.KernelBytes) + " B = " + strings.Join(parts, " + ") + "; residual " + signed(l.ResidualBytes) + " B"}}
}
