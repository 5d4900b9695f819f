package main

import (
	"encoding/json"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"apptap/fixtures"
)

// sharkFlow is what tshark says of one TCP flow, times in microseconds.
type sharkFlow struct {
	initialRTT        float64
	leastACK, mostACK float64         // of data that the client's host sent
	resent            map[bool]uint64 // payload bytes, by whether the client sent them
}

// TestTimesAgreeWithTshark: where tshark has a field for a figure, both say the same of the recorded flows. It rounds to
// nanoseconds, apptap to microseconds.
func TestTimesAgreeWithTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	for _, file := range []string{"times.pcap", "demo.pcapng"} {
		t.Run(file, func(t *testing.T) {
			path := fixtures.Path(t, file)
			var report struct {
				Flows []struct {
					Proto, Local, Remote, Initiator string
					SYNRTT                          *float64 `json:"syn_rtt_us"`
					ACKRTT                          *float64 `json:"ack_rtt_us"`
					Tx                              uint64   `json:"tx_retransmit_bytes"`
					Rx                              uint64   `json:"rx_retransmit_bytes"`
					TxLate                          uint64   `json:"tx_late_bytes"`
					RxLate                          uint64   `json:"rx_late_bytes"`
					RTT                             *struct {
						Min float64 `json:"min_us"`
						Max float64 `json:"max_us"`
					}
				}
				Lookups []struct {
					Name string
					Time *struct {
						Mean float64 `json:"mean_us"`
					}
				}
			}
			if err := json.Unmarshal([]byte(replay(t, "--format", "json", "--flows", path)), &report); err != nil {
				t.Fatal(err)
			}
			shark, lookups := readTshark(t, path)
			checked := 0
			for _, f := range report.Flows {
				want := shark[f.Local+" "+f.Remote]
				if f.Proto != "tcp" || f.Initiator != "local" || want == nil {
					continue
				}
				checked++
				if f.SYNRTT != nil && f.ACKRTT != nil && math.Abs(*f.SYNRTT+*f.ACKRTT-want.initialRTT) > 2 {
					t.Errorf("%s: handshake %v + %v us, tshark %v", f.Remote, *f.SYNRTT, *f.ACKRTT, want.initialRTT)
				}
				if f.RTT != nil && (f.RTT.Min < want.leastACK-1 || f.RTT.Max > want.mostACK+1) {
					t.Errorf("%s: round trips of %v to %v us, tshark's %v to %v", f.Remote, f.RTT.Min, f.RTT.Max, want.leastACK, want.mostACK)
				}
				// tshark takes what fills a gap after two equal acknowledgements for sent again, apptap for late.
				up, down := want.resent[true], want.resent[false]
				if up < f.Tx || up > f.Tx+f.TxLate || down < f.Rx || down > f.Rx+f.RxLate {
					t.Errorf("%s: %d and %d bytes sent again, %d and %d late, tshark %d and %d sent again", f.Remote, f.Tx, f.Rx, f.TxLate, f.RxLate, up, down)
				}
			}
			if checked == 0 {
				t.Error("no flow was compared")
			}
			for _, l := range report.Lookups {
				if l.Time != nil && math.Abs(l.Time.Mean-lookups[l.Name]) > 2 {
					t.Errorf("look-up of %s took %v us, tshark %v", l.Name, l.Time.Mean, lookups[l.Name])
				}
			}
		})
	}
}

// readTshark returns flows by the client's and the server's endpoint, and look-ups by name.
func readTshark(t *testing.T, path string) (map[string]*sharkFlow, map[string]float64) {
	t.Helper()
	c := exec.Command("tshark", "-r", path, "-o", "tcp.analyze_sequence_numbers:TRUE", "-T", "fields", "-E", "separator=,", "-E", "occurrence=f")
	for _, field := range []string{
		"ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport", "tcp.stream", "tcp.flags.syn", "tcp.flags.ack",
		"tcp.analysis.initial_rtt", "tcp.analysis.ack_rtt", "tcp.analysis.retransmission", "tcp.len", "dns.qry.name", "dns.time",
	} {
		c.Args = append(c.Args, "-e", field)
	}
	out, err := c.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	flows, lookups, streams := map[string]*sharkFlow{}, map[string]float64{}, map[string]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line)+strings.Repeat(",", 15), ",")
		if f[14] != "" {
			lookups[f[13]] = micros(f[14])
		}
		src, dst := endpoint(f[0], f[1], f[2]), endpoint(f[3], f[4], f[5])
		if set(f[7]) && !set(f[8]) {
			streams[f[6]] = src + " " + dst
			flows[src+" "+dst] = &sharkFlow{leastACK: math.Inf(1), resent: map[bool]uint64{}}
		}
		flow := flows[streams[f[6]]]
		if flow == nil {
			continue
		}
		up := streams[f[6]] == src+" "+dst
		if f[9] != "" {
			flow.initialRTT = micros(f[9])
		}
		if f[10] != "" && !up {
			flow.leastACK, flow.mostACK = min(flow.leastACK, micros(f[10])), max(flow.mostACK, micros(f[10]))
		}
		if set(f[11]) {
			n, _ := strconv.ParseUint(f[12], 10, 64)
			flow.resent[up] += n
		}
	}
	return flows, lookups
}

func endpoint(ipv4, ipv6, port string) string {
	if ipv6 != "" {
		return "[" + ipv6 + "]:" + port
	}
	return ipv4 + ":" + port
}

// set is how versions of tshark print a flag.
func set(text string) bool { return text == "1" || text == "True" }

func micros(seconds string) float64 {
	v, _ := strconv.ParseFloat(seconds, 64)
	return math.Floor(v * 1e6)
}
