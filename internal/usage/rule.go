package usage

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"apptap/flows"
)

// Rule is what traffic must keep to. Its selecting terms say which rows it is about, all of them together; its limits
// say what their sum must be. A rule without a limit wants that there are no such rows.
type Rule struct {
	text    string
	selects []term
	limits  []term
}

// term is one comparison.
type term struct {
	field, operator string
	pattern         string  // of text fields
	number          float64 // of others
}

// operators, longest first: "<=" begins with "<".
var operators = []string{"!=", "<=", ">=", "=", "<", ">"}

// textFields give what a pattern may match, any of it.
var textFields = map[string]func(*Row) []string{
	"app":     func(r *Row) []string { return []string{r.App, r.AppID} },
	"dst":     func(r *Row) []string { return append([]string{r.Dst}, r.Addresses...) },
	"domain":  func(r *Row) []string { return domainOf(r.Dst) },
	"address": func(r *Row) []string { return r.Addresses },
	"proto":   func(r *Row) []string { return []string{r.Proto} },
	"service": func(r *Row) []string { return []string{r.Service} },
	"source":  func(r *Row) []string { return []string{r.NameSource} },
	"inbound": func(r *Row) []string { return []string{strconv.FormatBool(r.Inbound)} },
}

// wordsOf are all that some fields can be: a rule about another word would be kept whatever happens.
var wordsOf = map[string][]string{
	"proto":   {"tcp", "udp"},
	"inbound": {"true", "false"},
	"source":  {"tls_sni", "quic_sni", "http_host", "dns", "ech_outer", "nrb", "rdns", "domain", "asn", "country", "none"},
}

// domainOf is the registrable domain of a name, if it has one.
func domainOf(name string) []string {
	if domain, ok := flows.Domain(name); ok {
		return []string{domain}
	}
	return nil
}

// amountFields are what can be limited.
var amountFields = map[string]func(*Amounts) uint64{
	"bytes":      func(a *Amounts) uint64 { return a.TxBytes + a.RxBytes },
	"tx_bytes":   func(a *Amounts) uint64 { return a.TxBytes },
	"rx_bytes":   func(a *Amounts) uint64 { return a.RxBytes },
	"payload":    func(a *Amounts) uint64 { return a.TxPayload + a.RxPayload },
	"tx_payload": func(a *Amounts) uint64 { return a.TxPayload },
	"rx_payload": func(a *Amounts) uint64 { return a.RxPayload },
	"packets":    func(a *Amounts) uint64 { return a.TxPackets + a.RxPackets },
	"flows":      func(a *Amounts) uint64 { return a.Flows },
}

// Fields lists what rules may compare: what selects rows, and what limits their sum.
func Fields() (selecting, limiting []string) {
	for name := range textFields {
		selecting = append(selecting, name)
	}
	selecting = append(selecting, "port")
	for name := range amountFields {
		limiting = append(limiting, name)
	}
	slices.Sort(selecting)
	slices.Sort(limiting)
	return selecting, limiting
}

// ParseRule reads a rule: terms of a field, an operator and a value, with spaces between them. A value with spaces stands
// in double quotes.
func ParseRule(text string) (Rule, error) {
	r := Rule{text: text}
	rest := strings.TrimSpace(text)
	if rest == "" {
		return r, fmt.Errorf("rule %q is empty: want terms such as app=curl bytes<10MB", text)
	}
	for rest != "" {
		t, next, err := parseTerm(rest)
		if err != nil {
			return r, fmt.Errorf("rule %q: %w", text, err)
		}
		if amountFields[t.field] != nil {
			r.limits = append(r.limits, t)
		} else {
			r.selects = append(r.selects, t)
		}
		rest = strings.TrimSpace(next)
	}
	return r, nil
}

func parseTerm(text string) (t term, rest string, err error) {
	at := strings.IndexAny(text, "!<>= \t\n")
	if at < 0 {
		at = len(text)
	}
	if at == 0 {
		return t, "", fmt.Errorf("%q has no field: want a term such as app=curl", text)
	}
	t.field, rest = text[:at], text[at:]
	for _, operator := range operators {
		if strings.HasPrefix(rest, operator) {
			t.operator, rest = operator, rest[len(operator):]
			break
		}
	}
	if t.operator == "" {
		return t, "", fmt.Errorf("%q has no comparison: want = != < <= > or >= behind it", t.field)
	}
	value, rest, err := parseValue(rest)
	if err != nil {
		return t, "", fmt.Errorf("value of %s: %w", t.field, err)
	}
	switch {
	case textFields[t.field] != nil:
		if t.operator != "=" && t.operator != "!=" {
			return t, "", fmt.Errorf("%s%s: texts are compared with = or !=", t.field, t.operator)
		}
		t.pattern = value
		err = checkPattern(t.field, value)
	case t.field == "port":
		var port uint64
		if port, err = strconv.ParseUint(value, 10, 16); err != nil {
			err = fmt.Errorf("want a port, 0 to 65535; service=%s would be its name", value)
		}
		t.number = float64(port)
	case amountFields[t.field] != nil:
		t.number, err = parseAmount(value)
	default:
		selecting, limiting := Fields()
		err = fmt.Errorf("there is no such field: want %s to select, %s to limit", strings.Join(selecting, ", "), strings.Join(limiting, ", "))
	}
	if err != nil {
		return t, "", fmt.Errorf("%s%s%s: %w", t.field, t.operator, value, err)
	}
	return t, rest, nil
}

// checkPattern says what no text of a field can match.
func checkPattern(field, pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("[ begins a choice of characters, which ] ends: want [a-z], * for any text, ? for one character")
	}
	if words := wordsOf[field]; words != nil && !slices.ContainsFunc(words, func(word string) bool { return Match(pattern, word) }) {
		return fmt.Errorf("want %s", strings.Join(words, ", "))
	}
	addr, _, isPrefix := strings.Cut(pattern, "/")
	if _, err := netip.ParseAddr(addr); err != nil || !isPrefix {
		return nil
	}
	if _, err := netip.ParsePrefix(pattern); err != nil {
		return fmt.Errorf("want an address, or a prefix such as 192.0.2.0/24")
	}
	return nil
}

func parseValue(text string) (value, rest string, err error) {
	if strings.HasPrefix(text, `"`) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", "", fmt.Errorf(`%s: want a text that ends in a quote, with \" and \\ for a quote and a backslash in it`, text)
		}
		value, err = strconv.Unquote(quoted)
		return value, text[len(quoted):], err
	}
	end := strings.IndexAny(text, " \t\n")
	if end < 0 {
		end = len(text)
	}
	if end == 0 {
		return "", "", fmt.Errorf(`there is none: write "" for the empty text`)
	}
	return text[:end], text[end:], nil
}

// units are powers of 1000 as links are rated, and of 1024 with an i.
var units = map[string]float64{
	"": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

func parseAmount(text string) (float64, error) {
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(text)
	}
	n, err := strconv.ParseFloat(text[:end], 64)
	unit, known := units[strings.ToLower(text[end:])]
	if err != nil || !known || math.IsInf(n, 0) {
		return 0, fmt.Errorf("want a number, with kB, MB, GB, TB, KiB, MiB, GiB or TiB behind it or none")
	}
	return n * unit, nil
}

// Outcome says whether a report keeps to a rule.
type Outcome struct {
	Rule  string
	Kept  bool
	Sum   Amounts
	Rows  []Row // those that the rule is about, largest first
	Vague []Row // unlisted destinations of which some may be
}

// Check holds a report against the rule. What a report only sums up belongs to a rule that says nothing of
// destinations; of one that does it is Vague.
func (r *Rule) Check(report *Report) Outcome {
	o := Outcome{Rule: r.text}
	for i := range report.Rows {
		row := &report.Rows[i]
		switch match, sure := r.match(row); {
		case match && sure:
			o.Rows = append(o.Rows, *row)
			o.Sum.add(&row.Amounts)
		case match:
			o.Vague = append(o.Vague, *row)
		}
	}
	slices.SortStableFunc(o.Rows, func(a, b Row) int { return cmp.Compare(b.Bytes(), a.Bytes()) })
	o.Kept = len(r.limits) > 0 || len(o.Rows) == 0
	for _, t := range r.limits {
		o.Kept = o.Kept && compares(t.operator, cmp.Compare(float64(amountFields[t.field](&o.Sum)), t.number))
	}
	return o
}

// match says whether a row is selected; not sure: as far as is known of it.
func (r *Rule) match(row *Row) (match, sure bool) {
	unlisted := row.Dst == "" && row.Proto == ""
	sure = true
	for _, t := range r.selects {
		if unlisted && t.field != "app" {
			sure = false
			continue
		}
		if !t.selects(row) {
			return false, true
		}
	}
	return true, sure
}

func (t *term) selects(row *Row) bool {
	if t.field == "port" {
		return compares(t.operator, cmp.Compare(float64(row.Port), t.number))
	}
	matches := slices.ContainsFunc(textFields[t.field](row), func(text string) bool { return t.matches(text) })
	return matches == (t.operator == "=")
}

func (t *term) matches(text string) bool { return Match(t.pattern, text) }

// Match compares a text with a pattern, without case: one as a shell has them, in which * stands for dots and slashes too, or
// for an address a prefix.
func Match(pattern, text string) bool {
	pattern, text = strings.ToLower(pattern), strings.ToLower(text)
	if pattern == text {
		return true
	}
	if prefix, err := netip.ParsePrefix(pattern); err == nil {
		addr, err := netip.ParseAddr(text)
		return err == nil && prefix.Contains(addr)
	}
	const slash = "\x00" // path.Match's * stops at slashes
	ok, _ := path.Match(strings.ReplaceAll(pattern, "/", slash), strings.ReplaceAll(text, "/", slash))
	return ok
}

func compares(operator string, order int) bool {
	switch operator {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}
