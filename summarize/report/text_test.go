package report

import (
	"strings"
	"testing"

	"apptap/summarize"
)

func TestVisible(t *testing.T) {
	tests := map[string]string{
		"Safari":                   "Safari",
		"é漢👩 x":                    "é漢👩 x",
		"\x1b[31m\a\x7f":           `\x1b[31m\x07\x7f`,
		"a\nb\tc\r\x00":            `a\x0ab\x09c\x0d\x00`,
		"\u0085\u009b":             `\u0085\u009b`,
		"\xff\xc3(":                `\xff\xc3(`,
		"\u202a\u202e\u2066\u2069": `\u202a\u202e\u2066\u2069`,
		"\u200b\u00a0\u2028\ufeff": `\u200b\u00a0\u2028\ufeff`,
		"\U000e0041\ufffd":         "\\U000e0041\ufffd",
		`dev\x2duuid`:              `dev\x2duuid`,
	}
	for in, want := range tests {
		if got := visible(in); got != want {
			t.Errorf("visible(%q): got %s, want %s", in, got, want)
		}
	}
}

func TestNamedQuotesWhatPassesForAReportsOwnRow(t *testing.T) {
	tests := map[string]string{
		"curl": "curl", "TOTAL": `"TOTAL"`, "other (3 apps)": `"other (3 apps)"`, "unknown: x": `"unknown: x"`, "": `""`,
		"  x": `"  x"`, "x ": `"x "`, "from here": `"from here"`, "othello": "othello",
	}
	for in, want := range tests {
		if got := named(in); got != want {
			t.Errorf("named(%q): got %s, want %s", in, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		in    string
		width int
		want  string
	}{
		{"short", 5, "short"}, {"longer", 5, "lo…er"}, {"longer", 4, "lo…r"}, {"longer", 1, "…"}, {"longer", 0, ""},
		{"漢字漢字", 8, "漢字漢字"}, {"漢字漢字", 7, "漢字…字"}, {"漢字漢字", 6, "漢…字"}, {"漢字漢字", 2, "…"}, {"", 0, ""},
	}
	for _, test := range tests {
		if got := cut(test.in, test.width); got != test.want {
			t.Errorf("cut(%q, %d): got %q, want %q", test.in, test.width, got, test.want)
		}
	}
}

func TestWrap(t *testing.T) {
	got := strings.Join(wrap("one two  three incomprehensibilities x", 9, "  "), "|")
	if want := "one two|  three|  inc…ies|  x"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for in, want := range map[string]string{
		"so run sudo setcap cap_net_raw,cap_bpf+ep /a/b": "so run|  sudo setcap cap_net_raw,cap_bpf+ep /a/b",
		"sudo apptap capture, or not at all":             "sudo apptap capture,|  or not|  at all",
		"pseudo word":                                    "pseudo|  word",
	} {
		if got := strings.Join(wrap(in, 9, "  "), "|"); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	if got := wrap("", 9, "  "); len(got) != 1 || got[0] != "" {
		t.Errorf("of nothing: got %q, want one empty line", got)
	}
}

func TestCounted(t *testing.T) {
	for got, want := range map[string]string{
		counted(1, "flow"): "1 flow", counted(0, "flow"): "0 flows", counted(1234, "flow"): "1,234 flows",
		processesWord(1): "1 process", processesWord(1234): "1,234 processes",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -1 << 63: "-9,223,372,036,854,775,808"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d): got %s, want %s", n, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 1_234_567: "1.2 MB", 1<<64 - 1: "18.4 EB"} {
		if got := rounded(n); got != want {
			t.Errorf("rounded(%d): got %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{5: "+5", 0: "0", -5: "-5"} {
		if got := signed(n); got != want {
			t.Errorf("signed(%d): got %s, want %s", n, got, want)
		}
	}
}

func TestCountsInNamesAreNeverCutInTwo(t *testing.T) {
	u := summarize.Undecoded{Packets: 1240, Bytes: 99, Kinds: []summarize.KindUse{{Kind: "arp", Packets: 1234}, {Kind: "icmp", Packets: 5}, {Kind: "llc", Packets: 1}}}
	tests := []struct {
		row   row
		width int
		want  string
	}{
		{undecodedRow(u), 40, "undecoded (arp 1,234, icmp 5, llc 1)"},
		{undecodedRow(u), 35, "undecoded (arp 1,234, 2 more kinds)"},
		{undecodedRow(u), 34, "undecoded"},
		{undecodedRow(summarize.Undecoded{Packets: 3}), 20, "undecoded"},
		{otherRow(rowRest, "12,345 destinations", summarize.Totals{}), 30, "  other (12,345 destinations)"},
		{otherRow(rowRest, "12,345 destinations", summarize.Totals{}), 28, "  other (12,345)"},
		{otherRow(rowOther, "12,345 apps", summarize.Totals{}), 10, "other"},
	}
	for _, test := range tests {
		if got := (columns{}).name(test.row, test.width); got != test.want {
			t.Errorf("%q in %d cells: got %q, want %q", test.row.Name, test.width, got, test.want)
		}
	}
}
