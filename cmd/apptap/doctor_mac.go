package main

import (
	"fmt"
	"strconv"

	"apptap/capture/live"
	"apptap/pidmap"
)

// macReport is what only a Mac has to say. Its JSON is a contract (docs/scripting.md).
type macReport struct {
	System    map[string]string `json:"system"`
	Sources   []macSource       `json:"sources"`
	Agreement []macAgreement    `json:"agreement"`
	Fixture   macFixture        `json:"fixture"`
	Ntstat    *macAnswer        `json:"ntstat"`
	// Responsible is for how many processes the system holds whom responsible.
	Responsible map[string]int `json:"responsible"`
	Tap         *macTap        `json:"tap"`
}

// macAnswer is what the statistics control did; null if it cannot be heard.
type macAnswer struct {
	Parts     int            `json:"parts"`
	Datagrams int            `json:"datagrams"`
	Bytes     int            `json:"bytes"`
	Flows     map[string]int `json:"flows"`
	Life      []string       `json:"life"`
}

// macTap is what came of a packet tap on the loopback interface.
type macTap struct {
	OK       bool           `json:"ok"`
	Detail   string         `json:"detail,omitempty"`
	LinkType int            `json:"link_type"`
	Packets  int            `json:"packets"`
	Unknown  int            `json:"unknown"` // packets without a header that is known
	Own      int            `json:"own"`     // packets that name this process
	Nobody   int            `json:"nobody"`
	Headers  map[string]int `json:"headers"`
	Samples  []string       `json:"samples"` // headers, hexadecimal
}

type macSource struct {
	Name    string         `json:"name"`
	OK      bool           `json:"ok"`
	Detail  string         `json:"detail,omitempty"`
	Sockets int            `json:"connected_sockets"`
	Lengths map[string]int `json:"lengths"` // bytes
	Took    float64        `json:"milliseconds"`
}

type macAgreement struct {
	A      string `json:"a"`
	B      string `json:"b"`
	Same   int    `json:"same_process"`
	Differ int    `json:"other_process"`
	OnlyA  int    `json:"only_a"`
	OnlyB  int    `json:"only_b"`
}

// macFixture is what of a Mac can become a test: it names nobody.
type macFixture struct {
	Schema string   `json:"schema"`
	Ntstat []string `json:"ntstat"` // messages, hexadecimal
}

// macReportOf is nil where there is no Mac.
func macReportOf(x *pidmap.MacExamination) *macReport {
	if x == nil {
		return nil
	}
	r := &macReport{System: x.System, Sources: []macSource{}, Agreement: []macAgreement{}, Fixture: macFixture{"apptap.mac-fixture/1", x.Messages},
		Responsible: x.Responsible}
	if a := x.Answer; a != nil {
		r.Ntstat = &macAnswer{a.Parts, a.Datagrams, a.Bytes, a.Flows, append([]string{}, a.Life...)}
	}
	for _, s := range x.Sources {
		source := macSource{s.Name, s.Err == nil, "", s.Sockets, s.Lengths, float64(s.Took.Microseconds()) / 1000}
		if s.Err != nil {
			source.Detail = oneLine(s.Err)
		}
		r.Sources = append(r.Sources, source)
	}
	for _, g := range x.Agreement {
		r.Agreement = append(r.Agreement, macAgreement{g.A, g.B, g.Same, g.Differ, g.OnlyA, g.OnlyB})
	}
	return r
}

// findings are the same in lines for people: each source, and how far they agree.
func (r *macReport) findings() (list []finding) {
	if r == nil {
		return nil
	}
	if f, ok := smallBuffer(r.System); ok {
		list = append(list, f)
	}
	for _, g := range r.Agreement {
		list = append(list, finding{Area: "owners", Name: g.A + " beside " + g.B, OK: g.Differ == 0, Detail: fmt.Sprintf(
			"%d connected sockets of the same process, %d of another, %d only %s, %d only %s", g.Same, g.Differ, g.OnlyA, g.A, g.OnlyB, g.B)})
	}
	return list
}

// smallBuffer is what there is to say of BPF's buffers on macOS 11 and 12, which give no more than a sysctl says, without a word (bsd/net/bpf.c,
// BIOCSBLEN). Since macOS 13 there is another limit, which has a sysctl of its own and bounds nothing that is asked for.
func smallBuffer(system map[string]string) (f finding, ok bool) {
	most, err := strconv.ParseUint(system["debug.bpf_maxbufsize"], 10, 32)
	if err != nil || system["debug.bpf_bufsize_cap"] != "" || most >= live.DefaultBufferBytes {
		return f, false
	}
	return finding{Area: "capture", Name: "capture buffer (BPF)", Detail: fmt.Sprintf("%d KiB at most: a busy link may fill them before they are read", most>>10),
		Mend: fmt.Sprintf("sudo sysctl debug.bpf_maxbufsize=%d (until the next start)", live.DefaultBufferBytes)}, true
}
