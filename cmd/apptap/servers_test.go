package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures"
)

// Ports of the servers of fixtures/servers.pcap, beside 80 (TestIntegrationServers).
const (
	portTLS13, portTLS12, portH2, portH2C = 8443, 8444, 8445, 8081
	portLossySYN, portLossyPage           = 8004, 8005
	portClosed                            = 8007
	portHTTP3, portRetry                  = 8446, 8447

	// helloDelay is shorter than what a server takes for a loss of its hello (RFC 6298 §2.4: Linux has 200 ms).
	helloDelay = 150 * time.Millisecond
)

// serversTruth is what was lost on the way, which the path counted.
type serversTruth struct {
	LostBytes uint64 `json:"lost_payload_bytes"` // of segments toward the client
}

// serverTimes are figures of destinations of fixtures/servers.pcap and what they must be within 10 %: the path has a round trip of
// pathRTT, and each delay was put in on purpose.
var serverTimes = []timeTruth{
	{"quick.test", "dns_us", "median", pathRTT},
	{"quick.test", "syn_rtt_us", "median", pathRTT},
	{"quick.test", "ttfb_us", "median", pathRTT},
	{"quick.test", "rtt_min_us", "median", pathRTT},
	{"slow.test", "dns_us", "median", pathRTT + dnsDelay},
	{"slow.test", "first_answer_us", "median", 3*pathRTT + dnsDelay},
	{"server.test", "ttfb_us", "median", pathRTT + serverDelay},
	{"server.test", "connect_us", "median", pathRTT},
	{"transfer.test", "transfer_us", "median", transferDelay},
	{"syn.test", "connect_us", "median", pathRTT + synTimeout},
	{"syn.test", "syn_rtt_us", "median", pathRTT},
	{"tls13.test", "tls_us", "median", pathRTT + helloDelay},
	{"tls13.test", "ttfb_us", "median", pathRTT},
	{"tls12.test", "tls_full_us", "median", 2 * pathRTT},
	{"tls12.test", "tls_resumed_us", "median", pathRTT},
	{"tls12.test", "ttfb_us", "median", pathRTT},
	{"h2.test", "tls_us", "median", pathRTT},
	{"h2.test", "ttfb_us", "median", pathRTT},
	{"h2c.test", "ttfb_us", "median", pathRTT},
	{"h3.test", "quic_us", "median", pathRTT},
	{"h3.test", "ttfb_us", "median", pathRTT + serverDelay},
	{"h3.test", "first_answer_us", "median", 3*pathRTT + serverDelay},
	{"retry.test", "quic_us", "median", 2 * pathRTT},
}

// TestRecordedServers: what was put in between nginx, dnsmasq, quic-go and their clients comes out.
func TestRecordedServers(t *testing.T) {
	data, err := os.ReadFile(fixtures.Path(t, "servers.truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth serversTruth
	if err := json.Unmarshal(data, &truth); err != nil {
		t.Fatal(err)
	}
	checkServers(t, fixtures.Path(t, "servers.pcap"), truth, 1.1)
}

// checkServers holds the replay of a recording of TestIntegrationServers against what was put in.
func checkServers(t *testing.T, file string, truth serversTruth, most float64) {
	t.Helper()
	var report struct {
		timesJSON
		Flows []struct {
			Proto, ALPN string
			SNI         string `json:"tls_sni"`
			QUIC        string `json:"quic_sni"`
			HTTP        string `json:"http_host"`
			DNS         string `json:"dns_name"`
			Early       bool   `json:"early_data"`
		}
	}
	if err := json.Unmarshal([]byte(replay(t, "--format", "json", "--flows", "--local", "10.79.0.1", file)), &report); err != nil {
		t.Fatal(err)
	}
	times := report.times()
	checkFigures(t, serverTimes, times, most)

	late := figure(times["loss.test"], "rx_retransmit_bytes", "") + figure(times["loss.test"], "rx_late_bytes", "")
	// The last segment of a burst, if it is lost, is sent again before later ones come: nothing here shows that. A busy machine has many bursts.
	least := 0.9
	if most > 1.1 {
		least = 0.5
	}
	if lost := float64(truth.LostBytes); lost == 0 || late < lost*least || late > lost*most {
		t.Errorf("loss.test: %.0f bytes were sent again or late, and %.0f lost", late, lost)
	}
	if got := figure(times["refused.test"], "handshakes", "refused"); got != 1 {
		t.Errorf("refused.test: %v refused, want 1", got)
	}
	if full, resumed := figure(times["tls12.test"], "tls_sessions", "full"), figure(times["tls12.test"], "tls_sessions", "resumed"); full != 1 || resumed != 1 {
		t.Errorf("tls12.test: %v full handshakes, %v resumed, want one each", full, resumed)
	}

	stated := map[string]bool{}
	for _, f := range report.Flows {
		stated[strings.Join([]string{f.Proto, f.SNI, f.QUIC, f.HTTP, f.DNS, f.ALPN}, " ")] = true
		if f.Early {
			stated["early "+f.QUIC] = true
		}
	}
	for _, want := range []string{
		"tcp   quick.test quick.test ", "tcp tls12.test   tls12.test http/1.1", "tcp h2.test   h2.test h2,http/1.1",
		"tcp   h2c.test h2c.test ", "udp  h3.test  h3.test h3", "udp  retry.test  retry.test h3", "early h3.test",
		"tcp   alias.test alias.test ", // a CNAME of quick.test
	} {
		if !stated[want] {
			t.Errorf("no flow states %q; there are %v", want, stated)
		}
	}
	failures := map[string]uint64{}
	for _, l := range report.Lookups {
		for code, n := range l.Failures {
			failures[l.Name+" "+code] = n
		}
	}
	if diff := cmp.Diff(map[string]uint64{"missing.test nxdomain": 2, "elsewhere.example refused": failures["elsewhere.example refused"]}, failures); diff != "" || failures["elsewhere.example refused"] == 0 {
		t.Errorf("failed look-ups (-want +got):\n%s", diff)
	}
}

// TestGoldenServers: the words for what was recorded of real servers.
func TestGoldenServers(t *testing.T) {
	checkGolden(t, "testdata/golden/servers.explain.txt", replay(t, "--explain", "test", "--local", "10.79.0.1", fixtures.Path(t, "servers.pcap")))
}
