package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

const schema = "apptap.report/1"

// writeJSON writes the report of docs/scripting.md. The structs of this file and its neighbours are that
// contract, in its order: fields may be added, none changes or goes away.
//
// Destinations and flows go out one by one: a million flows take a gigabyte as text. Flows come last.
func writeJSON(w io.Writer, s *summarize.Summary, o Options) error {
	out := plainWriter{w}
	var text bytes.Buffer
	if err := indented(&text, "").Encode(jsonReportOf(s, o.ToolVersion)); err != nil {
		return err
	}
	rest, err := spliceLists(out, text.Bytes(), s)
	if err != nil {
		return err
	}
	if !o.Flows {
		_, err = out.Write(rest)
		return err
	}
	text = *bytes.NewBuffer(bytes.TrimSuffix(rest, []byte("\n}\n")))
	text.WriteString(",\n  \"flows\": [")
	if err := writeFlows(out, &text, s.Flows); err != nil {
		return err
	}
	text.WriteString("]\n}\n")
	_, err = text.WriteTo(out)
	return err
}

// writeFlows writes what is in text and the elements of a list behind it.
func writeFlows(out io.Writer, text *bytes.Buffer, list []summarize.FlowUse) error {
	const indent = "    "
	encoder := indented(text, indent)
	for i := range list {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString("\n" + indent)
		if err := encoder.Encode(jsonFlowOf(list[i])); err != nil {
			return err
		}
		text.Truncate(text.Len() - len("\n"))
		if _, err := text.WriteTo(out); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		text.WriteString("\n  ")
	}
	return nil
}

func indented(out io.Writer, prefix string) *json.Encoder {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false) // it is no HTML, and \u0026 in a command line is hard to read
	encoder.SetIndent(prefix, "  ")
	return encoder
}

type jsonReport struct {
	Schema       string           `json:"schema"`
	Tool         jsonTool         `json:"tool"`
	Source       jsonSource       `json:"source"`
	Window       jsonWindow       `json:"window"`
	Totals       jsonTotals       `json:"totals"`
	Missed       *jsonMissed      `json:"missed"` // null where nothing was
	Apps         []jsonApp        `json:"apps"`
	Unattributed jsonUnattributed `json:"unattributed"`
	Undecoded    jsonUndecoded    `json:"undecoded"`
	SeenBefore   *jsonSeenBefore  `json:"seen_before,omitempty"`
	Audit        jsonAudit        `json:"audit"`
	Drops        jsonDrops        `json:"drops"`
	Degraded     []string         `json:"degraded"`
	Incomplete   bool             `json:"incomplete"`
	Folded       jsonTotals       `json:"folded"`
	Lookups      []jsonLookup     `json:"lookups"`
	Owners       []jsonOwned      `json:"owners,omitempty"`
	Flows        []jsonFlow       `json:"flows,omitempty"` // by writeJSON: absent without --flows, [] where there are none
}

type jsonTool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type jsonSource struct {
	Kind       string   `json:"kind"`
	Interfaces []string `json:"interfaces"`
	Files      []string `json:"files"`
	Filter     string   `json:"filter"`
	SnapLen    int      `json:"snaplen"`
	Reader     string   `json:"reader,omitempty"`
	TimeStamps string   `json:"time_stamps,omitempty"`
	Kept       string   `json:"kept,omitempty"`
	Local      []string `json:"local"`
	LocalFrom  string   `json:"local_from"`
}

type jsonWindow struct {
	Start   *string `json:"start"`
	End     *string `json:"end"`
	Seconds float64 `json:"seconds"`
}

type jsonTotals struct {
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxPayload uint64 `json:"tx_payload"`
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	RxPayload uint64 `json:"rx_payload"`
	Flows     int    `json:"flows"`
}

type jsonUnattributed struct {
	jsonTotals
	Reasons      map[string]uint64 `json:"reasons"`
	Destinations []jsonDestination `json:"destinations"`
	Others       jsonOthers        `json:"other_destinations"`
	Hosts        []jsonHost        `json:"hosts,omitempty"`
	OtherHosts   *jsonTotals       `json:"other_hosts,omitempty"`
	Missed       *jsonMissed       `json:"missed"`
}

// jsonHost is what one local address sent and received without a known owner, in a file that names none.
type jsonHost struct {
	Address string `json:"address"`
	jsonTotals
}

func jsonHostOf(h summarize.HostUse) jsonHost {
	return jsonHost{h.Address.String(), jsonTotalsOf(h.Totals)}
}

// jsonOtherHostsOf is there where hosts are: they and it sum to what a file names no owner for.
func jsonOtherHostsOf(u summarize.Unattributed) *jsonTotals {
	if len(u.Hosts) == 0 {
		return nil
	}
	others := jsonTotalsOf(u.OtherHosts)
	return &others
}

type jsonUndecoded struct {
	Packets    uint64            `json:"packets"`
	Bytes      uint64            `json:"bytes"`
	Kinds      map[string]uint64 `json:"kinds"`
	KindsBytes map[string]uint64 `json:"kinds_bytes"`
}

type jsonDrops struct {
	Received         uint64  `json:"received"`
	DroppedKernel    *uint64 `json:"dropped_kernel"`
	DroppedInterface *uint64 `json:"dropped_interface"`
	DroppedUserspace uint64  `json:"dropped_userspace"`
	Known            bool    `json:"known"`
}

func jsonReportOf(s *summarize.Summary, version string) jsonReport {
	return jsonReport{
		Schema:       schema,
		Tool:         jsonTool{"apptap", version},
		Source:       jsonSourceOf(s.Source),
		Window:       jsonWindowOf(s.Window),
		Totals:       jsonTotalsOf(s.Totals),
		Missed:       jsonMissedOf(s.Missed),
		Apps:         each(s.Apps, jsonAppOf),
		Unattributed: jsonUnattributedOf(s.Unattributed),
		Undecoded:    jsonUndecodedOf(s.Undecoded),
		SeenBefore:   jsonSeenBeforeOf(s),
		Audit:        jsonAuditOf(s.Audit),
		Drops:        jsonDropsOf(s.Drops),
		Degraded:     each(s.Degraded, same),
		Incomplete:   s.Incomplete,
		Folded:       jsonTotalsOf(s.Folded),
		Lookups:      []jsonLookup{}, // see spliceLists
		Owners:       each(s.Owners, jsonOwnedOf),
	}
}

// each maps a list; nil becomes [], which JSON tells from null.
func each[T, U any](in []T, f func(T) U) []U {
	out := make([]U, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

func same(text string) string { return text }

func textOf[T interface{ String() string }](v T) string { return v.String() }

// byName is a map with plain keys, which encoding/json sorts; nil becomes {}.
func byName[K ~string](in map[K]uint64) map[string]uint64 {
	out := make(map[string]uint64, len(in))
	for k, n := range in {
		out[string(k)] = n
	}
	return out
}

func jsonSourceOf(src summarize.Source) jsonSource {
	return jsonSource{
		Kind: src.Kind, Interfaces: each(src.Interfaces, same), Files: each(src.Files, same),
		Filter: src.Filter, SnapLen: src.SnapLen, Reader: src.Reader, TimeStamps: src.TimeStamps, Kept: src.Kept,
		Local: each(src.Local, textOf), LocalFrom: src.LocalFrom,
	}
}

func jsonWindowOf(w summarize.Window) jsonWindow {
	if w == (summarize.Window{}) {
		return jsonWindow{}
	}
	start, end := rfc3339(w.Start), rfc3339(w.End)
	return jsonWindow{&start, &end, float64(lasted(w)) / 1e9}
}

// jsonTime is a time, null where it is not known.
func jsonTime(nanos int64) *string {
	if nanos == 0 {
		return nil
	}
	text := rfc3339(nanos)
	return &text
}

func jsonTotalsOf(t summarize.Totals) jsonTotals {
	return jsonTotals{t.TxPackets, t.TxBytes, t.TxPayload, t.RxPackets, t.RxBytes, t.RxPayload, t.Flows}
}

// jsonUnattributedOf leaves the destinations to spliceLists.
func jsonUnattributedOf(u summarize.Unattributed) jsonUnattributed {
	return jsonUnattributed{
		jsonTotalsOf(u.Totals), byName(u.Reasons), []jsonDestination{}, jsonOthersOf(u.OtherDestinations),
		each(u.Hosts, jsonHostOf), jsonOtherHostsOf(u), jsonMissedOf(u.Missed),
	}
}

// jsonSeenBefore is there where packets were captured on several interfaces.
type jsonSeenBefore struct {
	Packets   uint64            `json:"packets"`
	Bytes     uint64            `json:"bytes"`
	Kinds     map[string]uint64 `json:"kinds"`
	Unmatched uint64            `json:"unmatched_bytes"`
}

func jsonSeenBeforeOf(s *summarize.Summary) *jsonSeenBefore {
	if s.SeenBefore.Bytes == 0 {
		return nil
	}
	seen := &jsonSeenBefore{s.SeenBefore.Packets, s.SeenBefore.Bytes, map[string]uint64{}, s.SeenBefore.Unmatched}
	for kind, bytes := range s.SeenBefore.Kinds {
		if bytes > 0 {
			seen.Kinds[flows.RepeatKind(kind).String()] = bytes
		}
	}
	return seen
}

func jsonUndecodedOf(u summarize.Undecoded) jsonUndecoded {
	r := jsonUndecoded{u.Packets, u.Bytes, map[string]uint64{}, map[string]uint64{}}
	for _, k := range u.Kinds {
		r.Kinds[k.Kind] += k.Packets
		r.KindsBytes[k.Kind] += k.Bytes
	}
	return r
}

// jsonDropsOf leaves null what nobody counted: 0 would say that nothing was lost.
func jsonDropsOf(d summarize.Drops) jsonDrops {
	counted := func(n uint64) *uint64 {
		if !d.Known && n == 0 {
			return nil
		}
		return &n
	}
	return jsonDrops{d.Received, counted(d.DroppedKernel), counted(d.DroppedInterface), d.DroppedUserspace, d.Known}
}

// jsonCommand is a command line as one string, its arguments joined by single spaces.
func jsonCommand(p pidmap.Process) string { return strings.Join(p.Cmdline, " ") }
