package flows_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"apptap/flows"
	"apptap/flows/names"
)

// dnsLine is an oracle's line of one DNS message.
type dnsLine struct {
	T       string      `json:"t"`
	Kind    string      `json:"kind"`
	Answers [][3]string `json:"ans"` // owner, type, value
}

// dnsPair is an address and the name that an address record gives it.
type dnsPair struct{ owner, addr string }

// TestDNSCorpus demands 99 % of the address records that tshark reads out of DNS, mDNS and LLMNR, and that the cache
// knows a name for each of them.
func TestDNSCorpus(t *testing.T) {
	scores := map[string]*score{}
	for _, file := range corpusFiles(t) {
		got := dnsPairs(t, file)
		for _, line := range readDNSLines(t, filepath.Join(corpusDir, "oracle", filepath.Base(file)+".json")) {
			for _, a := range line.Answers {
				if a[1] != "A" && a[1] != "AAAA" || a[2] == "" {
					continue // a dynamic update may name a type without an address (RFC 2136 §2.4)
				}
				if a[0] == "<Root>" {
					a[0] = "."
				}
				if scores[line.Kind] == nil {
					scores[line.Kind] = &score{}
				}
				scores[line.Kind].of++
				if got[dnsPair{names.Clean([]byte(a[0])), a[2]}] {
					scores[line.Kind].found++
					continue
				}
				t.Logf("%s: %s: %v is missing", filepath.Base(file), line.Kind, a)
			}
		}
	}
	for kind, s := range scores {
		t.Logf("%s: %d of %d", kind, s.found, s.of)
		if s.found*100 < s.of*99 {
			t.Errorf("%s: %d of %d address records, want 99 %%", kind, s.found, s.of)
		}
	}
}

func readDNSLines(t *testing.T, path string) (lines []dnsLine) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("no oracle: %v", err)
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		var l dnsLine
		if json.Unmarshal(scanner.Bytes(), &l) == nil && l.T == "dns" {
			lines = append(lines, l)
		}
	}
	return lines
}

// dnsPairs is what the DNS messages of a file say.
func dnsPairs(t *testing.T, path string) map[dnsPair]bool {
	t.Helper()
	pairs := map[dnsPair]bool{}
	streams := map[string]*names.MessageStream{}
	var m names.Message
	var cache names.Cache
	eachPacket(t, path, flows.Inner, func(o *flows.Observation, payload []byte) {
		named := isDNSPort(o.Src.Port) || isDNSPort(o.Dst.Port) || o.Proto == flows.UDP && names.IsAnswer(payload)
		if !named || len(payload) == 0 {
			return
		}
		k := flows.Key{Local: o.Src, Remote: o.Dst, IPv6: o.IPv6}
		read := func(b []byte) {
			_ = m.Parse(b) // what there is of a damaged message counts too
			cache.Add(k.LocalAddr().Addr(), k.RemoteAddr().Addr(), &m, o.Time)
			for _, r := range m.Records {
				if !r.Addr.IsValid() {
					continue
				}
				pairs[dnsPair{r.Owner, r.Addr.String()}] = true
				if _, ok := cache.Name(k.RemoteAddr().Addr(), r.Addr, o.Time); !ok && m.Response && m.Opcode == 0 && m.RCode == 0 && !r.Addr.IsUnspecified() {
					t.Errorf("%s: the cache has no name for %v", filepath.Base(path), r)
				}
			}
		}
		if o.Proto == flows.UDP {
			read(payload)
			return
		}
		key := endpoint(o.Src, o.IPv6) + endpoint(o.Dst, o.IPv6)
		if streams[key] == nil {
			streams[key] = &names.MessageStream{}
		}
		streams[key].Stream(o.Seq, payload, read)
	})
	return pairs
}

func isDNSPort(port uint16) bool { return port == 53 || port == 5353 || port == 5355 }
