package session_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"apptap/flows"
	"apptap/internal/session"
	"apptap/pidmap"
)

func keyOf(proto flows.Protocol, local, remote string) flows.Key {
	end := func(text string) flows.Endpoint {
		a := netip.MustParseAddrPort(text)
		return flows.Endpoint{Addr: a.Addr().As16(), Port: a.Port()}
	}
	return flows.Key{Proto: proto, Local: end(local), Remote: end(remote), IPv6: strings.HasPrefix(local, "[")}
}

// TestReadSockets asks who had flows, of sockets that a file tells of.
func TestReadSockets(t *testing.T) {
	const file = "\ufeff" + `
{"proto":"tcp","local":"192.0.2.2:50000","remote":"198.51.100.1:443","from":"1970-01-01T00:01:40Z","to":200000000000,"pid":1,"path":"/usr/bin/first"}
{"proto":"tcp","local":"192.0.2.2:50000","remote":"198.51.100.1:443","from":300000000000,"to":400000000000,"pid":2,"path":"/usr/bin/second","weather":"fine"}
{"proto":"tcp","local":"192.0.2.2:50001","remote":"198.51.100.1:443","pid":3,"name":"always"}

{"proto":"UDP","local":"*:5353","pid":4,"path":"/usr/sbin/mdnsd","uid":0}
{"proto":"tcp","local":"[::]:80","pid":5,"path":"/usr/sbin/nginx"}
{"proto":"udp","local":"192.0.2.2:60000","from":100000000000,"pid":6,"path":"/usr/bin/one"}
{"proto":"udp","local":"192.0.2.2:60000","from":100000000000,"pid":7,"path":"/usr/bin/other"}
`
	events, err := session.ReadSockets(strings.NewReader(file), "s.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	history := pidmap.NewHistory(pidmap.ReasonNoSocketSeen)
	for _, e := range events {
		history.Add(e)
	}
	for _, tt := range []struct {
		name        string
		key         flows.Key
		initiator   flows.Initiator
		first, last int64
		path        string
		reason      pidmap.Reason
	}{
		{"first life", keyOf(flows.TCP, "192.0.2.2:50000", "198.51.100.1:443"), flows.InitiatorLocal, 110e9, 190e9, "/usr/bin/first", ""},
		{"second life", keyOf(flows.TCP, "192.0.2.2:50000", "198.51.100.1:443"), flows.InitiatorLocal, 310e9, 390e9, "/usr/bin/second", ""},
		{"before", keyOf(flows.TCP, "192.0.2.2:50000", "198.51.100.1:443"), flows.InitiatorLocal, 10e9, 20e9, "", pidmap.ReasonNoSocketSeen},
		{"long after", keyOf(flows.TCP, "192.0.2.2:50000", "198.51.100.1:443"), flows.InitiatorLocal, 1000e9, 1001e9, "", pidmap.ReasonNoSocketSeen},
		{"any time", keyOf(flows.TCP, "192.0.2.2:50001", "198.51.100.1:443"), flows.InitiatorLocal, 1e18, 1e18 + 1e9, "always", ""},
		{"bound to all, IPv4", keyOf(flows.UDP, "192.0.2.2:5353", "224.0.0.251:5353"), flows.InitiatorLocal, 1e18, 1e18 + 1e9, "/usr/sbin/mdnsd", ""},
		{"bound to all, IPv6", keyOf(flows.UDP, "[2001:db8::2]:5353", "[ff02::fb]:5353"), flows.InitiatorLocal, 1e18, 1e18 + 1e9, "/usr/sbin/mdnsd", ""},
		{"accepted", keyOf(flows.TCP, "192.0.2.2:80", "198.51.100.9:1234"), flows.InitiatorRemote, 1e18, 1e18 + 1e9, "/usr/sbin/nginx", ""},
		{"two owners", keyOf(flows.UDP, "192.0.2.2:60000", "198.51.100.9:1"), flows.InitiatorLocal, 110e9, 120e9, "", pidmap.ReasonAmbiguous},
		{"nobody's", keyOf(flows.UDP, "192.0.2.2:60001", "198.51.100.9:1"), flows.InitiatorLocal, 110e9, 120e9, "", pidmap.ReasonNoSocketSeen},
	} {
		got := history.Owner(tt.key, tt.initiator, tt.first, tt.last)
		named := got.Process.Path
		if named == "" {
			named = got.Process.Name
		}
		if got.Reason != tt.reason || named != tt.path || got.Known() && got.Method != session.MethodSocketsFile {
			t.Errorf("%s: got %q by %q, reason %q; want %q, reason %q", tt.name, named, got.Method, got.Reason, tt.path, tt.reason)
		}
	}
}

func TestReadSocketsErrors(t *testing.T) {
	const good = `"proto":"tcp","local":"192.0.2.2:5","pid":1`
	for _, tt := range []struct{ name, line, want string }{
		{"no JSON", `{`, "line 2: "},
		{"a list", `[]`, "line 2: "},
		{"no proto", `{"local":"192.0.2.2:5","pid":1}`, `proto "": want tcp or udp`},
		{"no local", `{"proto":"tcp","pid":1}`, `local "": want an address and a port`},
		{"no port", `{"proto":"tcp","local":"192.0.2.2:0","pid":1}`, "want a port"},
		{"bad port", `{"proto":"tcp","local":"*:99999","pid":1}`, "want *: and a port"},
		{"no process", `{"proto":"tcp","local":"192.0.2.2:5"}`, "no pid: want the number of the process"},
		{"families", `{"proto":"tcp","local":"192.0.2.2:5","remote":"[2001:db8::1]:4","pid":1}`, "different families"},
		{"peer of all", `{"proto":"tcp","local":"0.0.0.0:5","remote":"192.0.2.1:4","pid":1}`, "has an address"},
		{"no peer's port", `{"proto":"tcp","local":"192.0.2.2:5","remote":"192.0.2.1:0","pid":1}`, "or nothing for a socket without a peer"},
		{"time", `{` + good + `,"from":"yesterday"}`, `time "yesterday": want RFC 3339`},
		{"year", `{` + good + `,"from":"9999-01-01T00:00:00Z"}`, "want one of 1970 to 2261"},
		{"backwards", `{` + good + `,"from":5,"to":4}`, "is no time"},
		{"fraction", `{` + good + `,"from":1.5}`, "line 2: "},
		{"long", `{` + good + `,"name":"` + strings.Repeat("x", 65<<10) + `"}`, "line 2 is longer than 65536 bytes"},
	} {
		_, err := session.ReadSockets(strings.NewReader("\n"+tt.line), "s.jsonl")
		if err == nil || !strings.Contains(err.Error(), "s.jsonl: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	var many strings.Builder
	for i := range 257 {
		fmt.Fprintf(&many, `{"proto":"tcp","local":"192.0.2.2:5","pid":%d}`+"\n", i+1)
	}
	if _, err := session.ReadSockets(strings.NewReader(many.String()), "s.jsonl"); err == nil || !strings.Contains(err.Error(), "line 257: the socket has more than 256 owners") {
		t.Errorf("got %v, want too many owners", err)
	}
}

// endless gives a line for ever.
type endless struct{ line string }

func (e *endless) Read(p []byte) (int, error) { return copy(p, e.line), nil }

func TestReadSocketsBounded(t *testing.T) {
	for _, line := range []string{"\n", "x"} {
		if _, err := session.ReadSockets(&endless{line}, "s.jsonl"); err == nil {
			t.Errorf("%q for ever was read to its end", line)
		}
	}
}

// FuzzReadSockets: whatever a file has, who reads it ends, and what it tells is of processes and sockets with addresses.
func FuzzReadSockets(f *testing.F) {
	f.Add([]byte(`{"proto":"tcp","local":"192.0.2.2:50000","remote":"198.51.100.1:443","from":"1970-01-01T00:01:40Z","to":200,"pid":1,"path":"/a"}`))
	f.Add([]byte(`{"proto":"udp","local":"*:5353","pid":4,"uid":0,"cmdline":["a"]}` + "\n" + `{"proto":"udp","local":"*:5353","pid":5}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		events, err := session.ReadSockets(strings.NewReader(string(text)), "s.jsonl")
		if err != nil && len(events) > 0 {
			t.Errorf("%d events and %v", len(events), err)
		}
		history := pidmap.NewHistory(pidmap.ReasonNoSocketSeen)
		for _, e := range events {
			if e.Kind == pidmap.SocketSeen && (len(e.Holders) == 0 || e.Holders[0].Key.PID <= 0 || e.Socket.Key.Local.Port == 0 || e.Time < 0) {
				t.Errorf("got %+v", e)
			}
			history.Add(e)
		}
		for _, e := range events {
			if e.Kind == pidmap.SocketSeen && e.Socket.Key.Remote.Port != 0 {
				if a := history.Owner(e.Socket.Key, flows.InitiatorLocal, e.Time, e.Time); !a.Known() && a.Reason != pidmap.ReasonAmbiguous {
					t.Errorf("nobody has %+v at its time: %v", e.Socket.Key, a.Reason)
				}
			}
		}
	})
}
