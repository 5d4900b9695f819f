package nettop

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
)

// sonoma is nettop -L 1 -n -x of macOS 14, as its columns have it; early has those of macOS 12, chosen only what -J chose.
const (
	sonoma = "\x04\x08\x08time,,interface,state,bytes_in,bytes_out,rx_dupe,rx_ooo,re-tx,rtt_avg,rcvsize,tx_win,tc_class,tc_mgt,cc_algo,P,C,R,W,arch,\n" +
		"18:18:38.329546,mDNSResponder.272,,,67044191,20822887,0,0,0,,,,,,,,,,,,\n" +
		"18:18:38.329546,udp6 *.5353<->*.*,en0,,6704,0,,,,,,,BE,,,,,,,so,\n" +
		"18:18:38.329546,udp4 *:5353<->*:*,en0,,11,22,,,,,,,BE,,,,,,,so,\n" +
		"18:18:38.329546,Google Chrome H.501,,,100,200,0,0,0,,,,,,,,,,,,\n" +
		"18:18:38.329546,tcp4 192.0.2.2:62457<->198.51.100.7:443,en0,Established,100,200,0,0,0,12.5 ms,131072,65535,BE,,cubic,,,,,so,\n" +
		"18:18:38.329546,tcp6 2001:db8::2.49302<->2001:db8::7.443,en0,Established,1,2,0,0,0,,,,,,,,,,,ch,\n" +
		"18:18:38.329546,tcp6 fe80::1%en0.49302<->fe80::2%en0.443,en0,SynSent,,,0,0,0,,,,,,,,,,,so,\n" +
		"18:18:38.329546,sctp4 192.0.2.2:1<->198.51.100.7:2,en0,,5,6,,,,,,,,,,,,,,so,\n" +
		"18:18:38.329546,a, b.7.42,,,9,8,0,0,0,,,,,,,,,,,,\n" +
		"nonsense\n"
	early = ",bytes_in,bytes_out,\ncurl.99,5,6,\ntcp4 127.0.0.1:1024<->127.0.0.1:80,5,6,\n"
)

func TestParse(t *testing.T) {
	key := func(proto flows.Protocol, local, remote string) flows.Key {
		return flows.MakeKey(proto, netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote))
	}
	bound := func(local string) flows.Key {
		k := key(flows.UDP, local, local)
		k.Remote = flows.Endpoint{}
		return k
	}
	tests := []struct {
		name, text string
		want       []Row
	}{
		{"macOS 14", sonoma, []Row{
			{PID: 272, Process: "mDNSResponder", Rx: 67044191, Tx: 20822887},
			{PID: 272, Process: "mDNSResponder", Flow: true, Key: bound("[::]:5353"), Interface: "en0", Rx: 6704},
			{PID: 272, Process: "mDNSResponder", Flow: true, Key: bound("0.0.0.0:5353"), Interface: "en0", Rx: 11, Tx: 22},
			{PID: 501, Process: "Google Chrome H", Rx: 100, Tx: 200},
			{PID: 501, Process: "Google Chrome H", Flow: true, Key: key(flows.TCP, "192.0.2.2:62457", "198.51.100.7:443"), Interface: "en0", State: "Established", Rx: 100, Tx: 200},
			{PID: 501, Process: "Google Chrome H", Flow: true, Key: key(flows.TCP, "[2001:db8::2]:49302", "[2001:db8::7]:443"), Interface: "en0", State: "Established", Rx: 1, Tx: 2},
			{PID: 501, Process: "Google Chrome H", Flow: true, Key: key(flows.TCP, "[fe80::1]:49302", "[fe80::2]:443"), Interface: "en0", State: "SynSent"},
			{PID: 501, Process: "Google Chrome H", Flow: true, Interface: "en0", Rx: 5, Tx: 6},
			{PID: 42, Process: "a, b.7", Rx: 9, Tx: 8},
		}},
		{"chosen columns", early, []Row{
			{PID: 99, Process: "curl", Rx: 5, Tx: 6},
			{PID: 99, Process: "curl", Flow: true, Key: key(flows.TCP, "127.0.0.1:1024", "127.0.0.1:80"), Rx: 5, Tx: 6},
		}},
		{"header alone", ",bytes_in,bytes_out,\n", nil},
		{"flow of nobody", ",bytes_in,bytes_out,\ntcp4 127.0.0.1:1024<->127.0.0.1:80,5,6,\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(tt.text))
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v; rows (-want +got):\n%s", err, diff)
			}
		})
	}
	for _, text := range []string{"", "nettop: unknown option\n", "a.1,2,3\n" + early} {
		if rows, err := Parse(strings.NewReader(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: got %v, %v; want an error that wraps %v", text, rows, err, ErrFormat)
		}
	}
}

// FuzzParse: every row is of a process that can be, and a flow that is understood is of TCP or UDP and has a local port.
func FuzzParse(f *testing.F) {
	f.Add(sonoma)
	f.Add(early)
	f.Fuzz(func(t *testing.T, text string) {
		rows, _ := Parse(strings.NewReader(text))
		if len(rows) > maxRows || len(rows) > strings.Count(text, "\n")+1 {
			t.Fatalf("%d rows of %d lines", len(rows), strings.Count(text, "\n")+1)
		}
		for _, r := range rows {
			if r.PID < 0 || r.PID > maxPID || r.Process == "" {
				t.Fatalf("row of no process: %+v", r)
			}
			if r.Key != (flows.Key{}) && (!r.Flow || r.Key.Local.Port == 0 || r.Key.Proto != flows.TCP && r.Key.Proto != flows.UDP) {
				t.Fatalf("no key of a flow: %+v", r)
			}
		}
	})
}
