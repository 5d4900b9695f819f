package summarize

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
)

// attemptAt is a failed flow of 100 bytes and one for each second that it began after an hour.
func attemptAt(second, took int) *flows.Flow {
	first := (time.Hour + time.Duration(second)*time.Second).Nanoseconds()
	return &flows.Flow{First: first, Last: first + int64(took)*1e9, Counts: flows.Counts{TxPackets: 1, TxBytes: uint64(100 + second)}}
}

func TestRetries(t *testing.T) {
	tests := []struct {
		name     string
		attempts [][2]int // begin, duration
		flows    int
		bytes    uint64
	}{
		{"one", [][2]int{{0, 0}}, 0, 0},
		{"at once", [][2]int{{0, 0}, {1, 0}, {3, 0}}, 2, 204},
		{"up to the window", [][2]int{{0, 0}, {60, 0}}, 1, 160},
		{"behind the window", [][2]int{{0, 0}, {61, 0}}, 0, 0},
		{"the window begins where the flow ends", [][2]int{{0, 127}, {187, 0}}, 1, 287},
		{"two series", [][2]int{{0, 0}, {10, 0}, {200, 0}, {230, 0}}, 2, 110 + 330},
		{"one that joins two", [][2]int{{0, 0}, {100, 0}, {50, 0}}, 2, 150 + 200},
		{"at the same time", [][2]int{{5, 0}, {5, 0}}, 1, 105},
	}
	for _, tt := range tests {
		var a attempts
		for _, at := range tt.attempts {
			a.add(attemptAt(at[0], at[1]))
		}
		if n, bytes := a.retries(); n != tt.flows || bytes != tt.bytes {
			t.Errorf("%s: got %d retries of %d bytes, want %d of %d", tt.name, n, bytes, tt.flows, tt.bytes)
		}
	}
}

// TestRetriesInAnyOrder: what is added in parts and in any order is the same.
func TestRetriesInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var whole attempts
		var parts [3]attempts
		var list []*flows.Flow
		for range 1 + random.IntN(60) {
			list = append(list, attemptAt(random.IntN(3000), random.IntN(100)))
		}
		for _, f := range list {
			whole.add(f)
		}
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for i, f := range list {
			parts[i%3].add(f)
		}
		parts[2].merge(&parts[0])
		parts[2].merge(&parts[1])
		if diff := cmp.Diff(whole, parts[2], cmp.AllowUnexported(attempts{}, series{})); diff != "" {
			t.Fatalf("(-whole +parts):\n%s", diff)
		}
	}
}

// TestRetriesAreBounded: series that give way stay in the sums.
func TestRetriesAreBounded(t *testing.T) {
	var a attempts
	for i := range 1000 {
		a.add(attemptAt(i*200, 0))
		a.add(attemptAt(i*200+1, 0))
	}
	n, _ := a.retries()
	if len(a.list) != maxSeries || n != 1000 {
		t.Errorf("got %d series, %d retries, want %d and 1000", len(a.list), n, maxSeries)
	}
}

func TestFailures(t *testing.T) {
	local := flows.InitiatorLocal
	key := func(proto flows.Protocol, port uint16) flows.Key {
		return flows.Key{Proto: proto, Local: flows.Endpoint{Port: 40000}, Remote: flows.Endpoint{Port: port}}
	}
	sent, both := flows.Counts{TxPackets: 1}, flows.Counts{TxPackets: 1, RxPackets: 1}
	waiting := &flows.Timing{Waiting: 5}
	tests := []struct {
		name string
		flow flows.Flow
		want string
	}{
		{"SYNs alone", flows.Flow{Key: key(flows.TCP, 443), Counts: sent, TxSawSYN: true}, "unanswered"},
		{"SYN and reset", flows.Flow{Key: key(flows.TCP, 443), Counts: both, TxSawSYN: true, RxSawRST: true}, "refused"},
		{"reset before an answer", flows.Flow{Key: key(flows.TCP, 443), Counts: both, TxSawSYN: true, RxSawSYN: true, RxSawRST: true}, "reset"},
		{"SYN and ICMP", flows.Flow{Key: key(flows.TCP, 443), Counts: sent, TxSawSYN: true, TxUnreachable: true}, "unreachable"},
		{"answered in spite of ICMP", flows.Flow{Key: key(flows.UDP, 9), Counts: both, TxUnreachable: true}, ""},
		{"ICMP about the other side", flows.Flow{Key: key(flows.UDP, 9), Counts: sent, RxUnreachable: true}, ""},
		{"datagram and ICMP", flows.Flow{Key: key(flows.UDP, 9), Counts: sent, TxUnreachable: true}, "unreachable"},
		{"query alone", flows.Flow{Key: key(flows.UDP, 53), Counts: sent}, "mute"},
		{"query and answer", flows.Flow{Key: key(flows.UDP, 53), Counts: both}, ""},
		{"Initial alone", flows.Flow{Key: key(flows.UDP, 443), Counts: sent, Timing: waiting}, "mute"},
		{"what wants no answer", flows.Flow{Key: key(flows.UDP, 514), Counts: sent}, ""},
		{"joined midway", flows.Flow{Key: key(flows.TCP, 443), Counts: both, RxSawRST: true, Initiator: flows.InitiatorUnknown}, ""},
	}
	for _, tt := range tests {
		if tt.name != "joined midway" {
			tt.flow.Initiator = local
		}
		got := ""
		if how, failed := failureOf(&tt.flow); failed {
			got = how.String()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
