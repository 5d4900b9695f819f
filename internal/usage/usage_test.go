package usage

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const report = `{"schema": "apptap.report/1",
  "apps": [
    {"app": {"id": "/usr/bin/curl", "name": "curl"},
     "destinations": [
       {"name": "api.example.com", "name_source": "tls_sni", "addresses": ["198.51.100.7"], "proto": "tcp", "port": 443, "service": "https",
        "tx_packets": 3, "tx_bytes": 300, "rx_packets": 4, "rx_bytes": 9700, "flows": 1},
       {"name": "192.0.2.53", "name_source": "none", "addresses": ["192.0.2.53"], "proto": "udp", "port": 53, "service": "domain",
        "tx_packets": 1, "tx_bytes": 80, "rx_packets": 1, "rx_bytes": 120, "flows": 1}],
     "other_destinations": {"destinations": 2, "tx_bytes": 40, "rx_bytes": 60, "flows": 2}},
    {"app": {"id": "sshd.service", "name": "sshd"},
     "destinations": [
       {"name": "2001:db8::7", "name_source": "none", "addresses": ["2001:db8::7"], "proto": "tcp", "port": 22, "service": "ssh", "inbound": true,
        "tx_bytes": 5, "rx_bytes": 7, "flows": 1}],
     "other_destinations": {"destinations": 0}}],
  "unattributed": {"destinations": [
       {"name": "203.0.113.1", "name_source": "none", "addresses": ["203.0.113.1"], "proto": "udp", "port": 123, "tx_bytes": 90, "flows": 1}],
     "other_destinations": {"destinations": 0}}}`

func read(t *testing.T, text string) *Report {
	t.Helper()
	r, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRules(t *testing.T) {
	r := read(t, report)
	for rule, want := range map[string]struct {
		kept        bool
		bytes       uint64
		rows, vague int
	}{
		"bytes<=10402":                               {true, 10402, 5, 0},
		"bytes<10402":                                {false, 10402, 5, 0},
		"app=curl bytes<11kB":                        {true, 10300, 3, 0},
		"app=CURL bytes>10KiB":                       {true, 10300, 3, 0},
		"app=/usr/bin/c* flows=4":                    {true, 10300, 3, 0},
		"app!=curl dst=*.example.com":                {true, 0, 0, 0},
		"app!=ssh? domain=example.com":               {false, 10000, 1, 1},
		"app=curl dst!=*.example.com":                {false, 200, 1, 1},
		"address=198.51.100.0/24 rx_bytes<10000":     {true, 10000, 1, 1},
		"dst=2001:db8::/32 inbound=true":             {false, 12, 1, 1},
		"proto=udp port!=53":                         {false, 90, 1, 1},
		"port>=443":                                  {false, 10000, 1, 1},
		"app=unattributed":                           {false, 90, 1, 0},
		`app=""`:                                     {false, 90, 1, 0}, // its id
		"service=https source=tls_sni tx_bytes>=300": {true, 10000, 1, 1},
		"app=nobody bytes>0":                         {false, 0, 0, 0},
		"proto=T* port=443":                          {false, 10000, 1, 1},
		"app=curl bytes>1 bytes<5":                   {false, 10300, 3, 0},
	} {
		parsed, err := ParseRule(rule)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		o := parsed.Check(r)
		if o.Kept != want.kept || o.Sum.Bytes() != want.bytes || len(o.Rows) != want.rows || len(o.Vague) != want.vague {
			t.Errorf("%s: kept %v, %d bytes, %d rows, %d vague; want %+v", rule, o.Kept, o.Sum.Bytes(), len(o.Rows), len(o.Vague), want)
		}
	}
}

func TestRulesRefused(t *testing.T) {
	for rule, want := range map[string]string{
		"":                 "is empty",
		"app":              `"app" has no comparison`,
		"=curl":            "has no field",
		"app=":             `write "" for the empty text`,
		"app<curl":         "texts are compared with = or !=",
		"apps=curl":        "there is no such field: want address, app, ",
		"bytes<10XB":       "want a number, with kB, MB",
		"bytes<":           "there is none",
		"port=http":        "want a port, 0 to 65535; service=http",
		"port=80.5":        "want a port",
		"proto=tpc":        "want tcp, udp",
		"inbound=maybe":    "want true, false",
		"source!=bogus":    "want tls_sni, ",
		"dst=10.0.0.0/99":  "want an address, or a prefix",
		`app="curl`:        "a text that ends in a quote",
		"app=[a":           "[ begins a choice",
		"bytes<10MB,app=x": "want a number",
	} {
		if _, err := ParseRule(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", rule, err, want)
		}
	}
}

// FuzzParseRule: no text crashes it, and a rule that is read gives an outcome whose rows are rows of the report and add up.
func FuzzParseRule(f *testing.F) {
	for _, rule := range []string{"app=curl bytes<10MB", `app!="a b" dst=*.x`, "port>=1 flows=0", "address=10.0.0.0/8"} {
		f.Add(rule)
	}
	r, err := Read(strings.NewReader(report))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := ParseRule(text)
		if err != nil {
			return
		}
		o := rule.Check(r)
		var sum Amounts
		for i := range o.Rows {
			sum.add(&o.Rows[i].Amounts)
		}
		if sum != o.Sum || len(o.Rows)+len(o.Vague) > len(r.Rows) {
			t.Errorf("%q: %d rows of %d add up to %+v, not %+v", text, len(o.Rows), len(r.Rows), sum, o.Sum)
		}
	})
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"schema": "apptap.report/2"}`: `its schema is "apptap.report/2"`,
		`{}`:                            `its schema is ""`,
		`{"schema": 1}`:                 "schema: want a text",
		`{"schema"`:                     "has no end",
	} {
		if _, err := Read(strings.NewReader(text)); !errors.Is(err, ErrReport) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", text, err, want)
		}
	}
}

func TestDiff(t *testing.T) {
	before := read(t, report)
	after := read(t, strings.NewReplacer(`"name": "sshd"`, `"name": "wget"`, "sshd.service", "/usr/bin/wget", `"rx_bytes": 9700`, `"rx_bytes": 9000`,
		"203.0.113.1", "203.0.113.2").Replace(report))
	type line struct {
		App, Dst, Kind string
		Grown          int64
	}
	var got []line
	for _, c := range Diff(before, after) {
		got = append(got, line{c.App, c.Dst, c.Kind(), c.Grown()})
		for _, d := range c.Beneath {
			got = append(got, line{d.App, d.Dst, d.Kind(), d.Grown()})
		}
	}
	want := []line{
		{"curl", "", "shrunk", -700}, {"curl", "api.example.com", "shrunk", -700}, {"curl", "(others)", "same", 0}, {"curl", "192.0.2.53", "same", 0},
		{"sshd", "", "gone", -12}, {"sshd", "2001:db8::7", "gone", -12},
		{"wget", "", "new", 12}, {"wget", "2001:db8::7", "new", 12},
		{"unattributed", "", "same", 0}, {"unattributed", "203.0.113.1", "gone", -90}, {"unattributed", "203.0.113.2", "new", 90},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
