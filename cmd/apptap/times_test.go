package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures"
)

// The delays of fixtures/times.pcap, as its programs put them in (TestIntegrationTimes).
const (
	pathRTT       = 40 * time.Millisecond
	dnsDelay      = 200 * time.Millisecond
	serverDelay   = 300 * time.Millisecond
	tlsDelay      = 250 * time.Millisecond
	transferDelay = 540 * time.Millisecond
	readerDelay   = 800 * time.Millisecond
	synTimeout    = time.Second // Linux sends a SYN again after it (RFC 6298 §2)

	portQuick, portServer, portTransfer, portTLS = 8001, 8002, 8003, 8443
	portLostSYN, portLossy, portReader           = 8004, 8005, 8006
	portRefused, portGone                        = 8007, 8008
)

// timesJSON is the part of the report that tells of time.
type timesJSON struct {
	Unattributed struct {
		Destinations []struct {
			Name  string
			Port  int
			Times map[string]any
		}
	}
	Lookups []struct {
		Name           string
		Answers, Flows uint64
		TimedOut       uint64 `json:"timed_out"`
		Addressed      uint64
		Failures       map[string]uint64
	}
}

// timeTruth is a figure of a destination and what it must be.
type timeTruth struct {
	name   string
	figure string // and which of its values
	value  string
	want   time.Duration
}

// timeTruths are figures of destinations and what they must be within 10 %.
var timeTruths = []timeTruth{
	{"dns.test", "dns_us", "median", pathRTT + dnsDelay},
	{"dns.test", "syn_rtt_us", "median", pathRTT},
	{"dns.test", "ttfb_us", "median", pathRTT},
	{"dns.test", "first_answer_us", "median", 3*pathRTT + dnsDelay},
	{"server.test", "dns_us", "median", pathRTT},
	{"server.test", "ttfb_us", "median", pathRTT + serverDelay},
	{"server.test", "later_answer_us", "median", 2*pathRTT + serverDelay},
	{"server.test", "first_answer_us", "median", 3*pathRTT + serverDelay},
	{"tls.test", "tls_us", "median", pathRTT + tlsDelay},
	{"tls.test", "ttfb_us", "median", pathRTT},
	{"transfer.test", "transfer_us", "median", transferDelay},
	{"transfer.test", "rtt_min_us", "median", pathRTT},
	{"syn.test", "connect_us", "median", pathRTT + synTimeout},
	{"syn.test", "syn_rtt_us", "median", pathRTT},
	{"reader.test", "tx_zero_window_us", "", readerDelay - pathRTT},
}

func TestRecordedTimes(t *testing.T) { checkTimes(t, fixtures.Path(t, "times.pcap"), 1.1) }

// checkTimes holds the replay of a recording of TestIntegrationTimes against what was put in: no figure may be 10 % below, or
// above most times what it should be.
func checkTimes(t *testing.T, file string, most float64) {
	t.Helper()
	var report timesJSON
	if err := json.Unmarshal([]byte(replay(t, "--format", "json", "--local", "10.79.0.1", file)), &report); err != nil {
		t.Fatal(err)
	}
	times := report.times()
	checkFigures(t, timeTruths, times, most)
	for name, want := range map[string][]float64{"refused.test": {0, 3, 3, 2}, "gone.test": {1, 0, 1, 0}} {
		got := []float64{
			figure(times[name], "handshakes", "unanswered"), figure(times[name], "handshakes", "refused"),
			figure(times[name], "failed", "flows"), figure(times[name], "failed", "retries"),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: unanswered, refused, failed, retries (-want +got):\n%s", name, diff)
		}
	}
	if got := figure(times["loss.test"], "rx_retransmit_bytes", "") + figure(times["loss.test"], "rx_late_bytes", ""); got < 8*1348 {
		t.Errorf("loss.test: %.0f bytes were sent again or late, want at least eight segments", got)
	}
	checkLookups(t, &report)
}

// times are those of destinations, by name.
func (r *timesJSON) times() map[string]map[string]any {
	times := map[string]map[string]any{}
	for _, d := range r.Unattributed.Destinations {
		if d.Port != 53 {
			times[d.Name] = d.Times
		}
	}
	return times
}

func checkFigures(t *testing.T, truths []timeTruth, times map[string]map[string]any, most float64) {
	t.Helper()
	for _, truth := range truths {
		got := figure(times[truth.name], truth.figure, truth.value)
		if want := float64(truth.want.Microseconds()); got < want*0.9 || got > want*most {
			t.Errorf("%s: %s %s is %.0f, want %.0f, 10 %% less to %.1f times as much", truth.name, truth.figure, truth.value, got, want, most)
		}
	}
}

func checkLookups(t *testing.T, report *timesJSON) {
	t.Helper()
	type outcome struct{ Answers, Flows, TimedOut, Addressed, NXDomain uint64 }
	got := map[string]outcome{}
	for _, l := range report.Lookups {
		got[l.Name] = outcome{l.Answers, l.Flows, l.TimedOut, l.Addressed, l.Failures["nxdomain"]}
	}
	for name, want := range map[string]outcome{
		"mute.test": {TimedOut: 1}, "missing.test": {Answers: 1, NXDomain: 1}, "never.test": {Answers: 1, Addressed: 1},
		"server.test": {Answers: 1, Addressed: 1, Flows: 3}, "refused.test": {Answers: 1, Addressed: 1, Flows: 3},
	} {
		if got[name] != want {
			t.Errorf("look-ups of %s: %+v, want %+v", name, got[name], want)
		}
	}
}

// figure is a value of a destination's times, -1 where there is none.
func figure(times map[string]any, name, value string) float64 {
	v := times[name]
	if inner, ok := v.(map[string]any); ok {
		v = inner[value]
	}
	if n, ok := v.(float64); ok {
		return n
	}
	return -1
}

// TestGoldenExplanation: the words for the recorded delays.
func TestGoldenExplanation(t *testing.T) {
	checkGolden(t, "testdata/golden/times.explain.txt", replay(t, "--explain", "test", "--local", "10.79.0.1", fixtures.Path(t, "times.pcap")))
}
