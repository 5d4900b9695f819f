package flows_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/flows"
	"apptap/flows/names"
)

// TestNamedFlowsCorpus: of each flow that states names of a kind, the table has one of them, and none of a kind that
// it does not state. Payloads take the way of a run: those that a Follower wants.
func TestNamedFlowsCorpus(t *testing.T) {
	scores := map[string]*score{}
	eachOracle(t, func(name, file string, tunnels flows.Tunnels, lines map[string]oracleLine) {
		compareNamed(t, name, namedFlows(t, file, tunnels), lines, scores)
	})
	for kind, s := range scores {
		t.Logf("%s: %d of %d flows", kind, s.found, s.of)
	}
}

func compareNamed(t *testing.T, file string, got map[string][]flows.Names, lines map[string]oracleLine, scores map[string]*score) {
	t.Helper()
	kinds := map[string]func(flows.Names) string{
		"tls_sni": func(n flows.Names) string { return n.TLS }, "quic_sni": func(n flows.Names) string { return n.QUIC },
		"http_host": func(n flows.Names) string { return n.HTTP },
	}
	for key, line := range lines {
		for kind, of := range kinds {
			var stated []string
			if json.Unmarshal(line.Raw[kind], &stated) != nil || len(stated) == 0 {
				continue
			}
			if scores[kind] == nil {
				scores[kind] = &score{}
			}
			scores[kind].of++
			if !slices.ContainsFunc(got[key], func(n flows.Names) bool { return isOne(of(n), stated) }) {
				t.Errorf("%s: %s: %s %q, got %+v", file, key, kind, stated, got[key])
				continue
			}
			scores[kind].found++
		}
	}
}

// isOne says whether name is one of stated, which may have a port.
func isOne(name string, stated []string) bool {
	return name != "" && slices.ContainsFunc(stated, func(s string) bool {
		host, _, err := net.SplitHostPort(s)
		return name == names.Clean([]byte(s)) || err == nil && name == names.Clean([]byte(host))
	})
}

// namedFlows are the names of a file's flows; a 5-tuple that is used again has several.
func namedFlows(t *testing.T, path string, tunnels flows.Tunnels) map[string][]flows.Names {
	t.Helper()
	return namesBy(t, path, tunnels, (*flows.Table).Follower)
}

func namesBy(t *testing.T, path string, tunnels flows.Tunnels, newFollower func(*flows.Table) *flows.Follower) map[string][]flows.Names {
	t.Helper()
	source, done := openCapture(t, path)
	defer done()
	table := flows.NewTable()
	follower := newFollower(table)
	defer table.Close()
	var p capture.Packet
	err := source.Next(&p)
	for ; err == nil; err = source.Next(&p) {
		batch := make([]flows.Observation, 1)
		var payloads []flows.Payload
		var wanted flows.Payload
		if follower.Wants(&batch[0], tunnels.Decode(&p, &batch[0]), &wanted) {
			payloads = append(payloads, wanted)
		}
		table.AddBatch(batch, payloads, nil)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, capture.ErrTruncated) && !errors.Is(err, capture.ErrDamaged) {
		t.Fatal(err)
	}
	named := map[string][]flows.Names{}
	for f := range table.All(flows.Local{}) {
		key := flowKey(f.Key.Proto.String(), endpoint(f.Key.Local, f.Key.IPv6), endpoint(f.Key.Remote, f.Key.IPv6))
		named[key] = append(named[key], f.Names)
	}
	return named
}

// TestFollowerReadsAsTable: what a Follower reads ahead of the table is what the table would have read.
func TestFollowerReadsAsTable(t *testing.T) {
	files, _ := filepath.Glob("../fixtures/*.pcap*")
	recorded, _ := filepath.Glob(filepath.Join(corpusDir, "captures", "*"))
	named := 0
	for _, file := range append(files, recorded...) {
		ahead := namedFlows(t, file, flows.Outer)
		later := namesBy(t, file, flows.Outer, func(*flows.Table) *flows.Follower { return new(flows.Follower) })
		for _, all := range []map[string][]flows.Names{ahead, later} {
			for _, list := range all {
				for i := range list {
					list[i].Number = 0 // which number a name gets is up to each table
				}
			}
		}
		if diff := cmp.Diff(later, ahead); diff != "" {
			t.Errorf("%s: read by the table (-), ahead of it (+):\n%s", filepath.Base(file), diff)
		}
		for _, list := range ahead {
			for _, n := range list {
				if host, _ := n.Best(); host != "" {
					named++
				}
			}
		}
	}
	if len(files) == 0 || named == 0 {
		t.Errorf("%d fixtures with %d names compare nothing", len(files), named)
	}
}
