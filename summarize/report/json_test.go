package report

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// mayBeNull are the fields that docs/scripting.md says may be null.
var mayBeNull = []string{
	"start", "end", "kernel", "wire", "missed", "rx_payload", "kernel_packets", "kernel_bytes", "residual_bytes", "dropped_kernel", "dropped_interface",
	"syn_rtt_us", "ack_rtt_us", "pid", "pid_start",
	"times", "time", "connect_us", "dns_us", "since_dns_us", "tls_us", "quic_us", "quic_answer_us", "ttfb_us", "wait_us", "transfer_us", "unanswered_us",
	"rtt", "answer_rtt", "spin_rtt", "rtt_us", "rtt_min_us", "first_answer_us", "later_answer_us", "first", "last", "process", "since",
}

func TestJSONNullsAreTheDocumentedOnes(t *testing.T) {
	var walk func(name, key string, v any)
	walk = func(name, key string, v any) {
		switch v := v.(type) {
		case nil:
			if !slices.Contains(mayBeNull, key) {
				t.Errorf("%s: %s is null", name, key)
			}
		case map[string]any:
			for k, inner := range v {
				walk(name, k, inner)
			}
		case []any:
			for _, inner := range v {
				walk(name, key, inner)
			}
		}
	}
	for name, s := range sampleSummaries() {
		text := rendered(t, s, Options{Format: JSON, Flows: true})
		if !utf8.ValidString(text) || !strings.HasSuffix(text, "}\n") {
			t.Errorf("%s: want valid UTF-8 that ends in a line feed", name)
		}
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		walk(name, "", v)
	}
}

func TestJSONFlowsOnlyIfAsked(t *testing.T) {
	s := sampleSummaries()["empty"]
	if got := rendered(t, s, Options{Format: JSON}); strings.Contains(got, "\"flows\": [") {
		t.Errorf("without Flows: got a list of them:\n%s", got)
	}
	if got := rendered(t, s, Options{Format: JSON, Flows: true}); !strings.Contains(got, "\"flows\": []") {
		t.Errorf("with Flows, of which there are none: want [], got\n%s", got)
	}
}

// TestJSONConservation checks the sentence of docs/scripting.md on what was written, read back.
func TestJSONConservation(t *testing.T) {
	for name, s := range sampleSummaries() {
		var r jsonReport
		if err := json.Unmarshal([]byte(rendered(t, s, Options{Format: JSON})), &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sum := r.Unattributed.jsonTotals
		for _, use := range r.Apps {
			sum = sum.add(use.jsonTotals)
			if got, want := total(use.Methods), use.TxBytes+use.RxBytes; got != want {
				t.Errorf("%s: methods of %s sum to %d, its bytes to %d", name, use.App.ID, got, want)
			}
		}
		if diff := cmp.Diff(r.Totals, sum); diff != "" {
			t.Errorf("%s: totals are not apps + unattributed (-totals +sum):\n%s", name, diff)
		}
		if got, want := total(r.Unattributed.Reasons), r.Unattributed.TxBytes+r.Unattributed.RxBytes; got != want {
			t.Errorf("%s: reasons sum to %d, unattributed bytes to %d", name, got, want)
		}
		if got := total(r.Undecoded.Kinds); got != r.Undecoded.Packets {
			t.Errorf("%s: kinds sum to %d packets, undecoded has %d", name, got, r.Undecoded.Packets)
		}
		if got := total(r.Undecoded.KindsBytes); got != r.Undecoded.Bytes {
			t.Errorf("%s: kinds_bytes sum to %d, undecoded has %d", name, got, r.Undecoded.Bytes)
		}
		if got, want := r.Totals.TxPackets+r.Totals.RxPackets+r.Undecoded.Packets, s.Drops.Received; got != want {
			t.Errorf("%s: %d packets counted, %d received", name, got, want)
		}
	}
}

func (t jsonTotals) add(o jsonTotals) jsonTotals {
	return jsonTotals{
		t.TxPackets + o.TxPackets, t.TxBytes + o.TxBytes, t.TxPayload + o.TxPayload,
		t.RxPackets + o.RxPackets, t.RxBytes + o.RxBytes, t.RxPayload + o.RxPayload, t.Flows + o.Flows,
	}
}

func total(byName map[string]uint64) uint64 {
	var n uint64
	for _, v := range byName {
		n += v
	}
	return n
}

// jsonFields lists every field name of t and what it holds.
func jsonFields(t reflect.Type, into map[string]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			into[name] = true
		}
		jsonFields(f.Type, into)
	}
}
