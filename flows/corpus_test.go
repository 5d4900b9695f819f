package flows_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"apptap/capture"
	"apptap/flows"
)

// corpusDir is a set of real captures with tshark's figures beside them. It lies next to a checkout
// where it exists and is not part of the project.
const corpusDir = "../../shared/corpus"

// oracleLine is a line of an oracle file: "file", "flow" and others told apart by T.
type oracleLine struct {
	T       string    `json:"t"`
	View    string    `json:"view"`
	Proto   string    `json:"proto"`
	A       string    `json:"a"`
	B       string    `json:"b"`
	Pkts    [2]uint64 `json:"-"`
	Raw     map[string]json.RawMessage
	Packets uint64 `json:"packets"`
	Frame   uint64 `json:"frame_bytes"`
	Skew    int    `json:"skew"`
	Snapped int    `json:"snap_truncated"`
	Frag    int    `json:"frag"`
	Streams int    `json:"streams"`
}

// figures are what is compared of a flow, by sender: [0] sent by the endpoint named first.
type figures struct {
	pkts, frame, ip, pay, uniq, rtx [2]uint64
	handshake                       int64 // both halves, microseconds; noHandshake if not seen whole
}

const noHandshake = -1

func (f *figures) each() map[string]*[2]uint64 {
	return map[string]*[2]uint64{"pkts": &f.pkts, "frame": &f.frame, "ip": &f.ip, "pay": &f.pay, "uniq": &f.uniq}
}

func (f *figures) add(o figures) {
	for name, mine := range f.each() {
		theirs := o.each()[name]
		mine[0], mine[1] = mine[0]+theirs[0], mine[1]+theirs[1]
	}
	f.rtx = [2]uint64{f.rtx[0] + o.rtx[0], f.rtx[1] + o.rtx[1]}
}

func swap(v [2]uint64) [2]uint64 { return [2]uint64{v[1], v[0]} }

func TestCorpus(t *testing.T) {
	var o opinions
	dirs := map[string]string{"captures": "oracle", "containers": "oracle-containers"}
	if _, err := os.Stat(corpusDir); err != nil {
		t.Skipf("no corpus beside this checkout: %v", err)
	}
	for dir, oracle := range dirs {
		files, err := filepath.Glob(filepath.Join(corpusDir, dir, "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("corpus %s: %d files, %v", dir, len(files), err)
		}
		for _, file := range files {
			name := filepath.Base(file)
			for view, tunnels := range map[string]flows.Tunnels{"outer": flows.Outer, "inner": flows.Inner} {
				t.Run(name+"/"+view, func(t *testing.T) {
					if why := knownHard[name]; why != "" {
						t.Skip(why)
					}
					checkCorpusFile(t, file, filepath.Join(corpusDir, oracle, name+".json"), view, tunnels, &o)
				})
			}
		}
	}
	// What is out of order and what was sent again is an opinion: Wireshark's own is a heuristic.
	if !o.repeated.within(20) {
		t.Errorf("retransmissions differ from tshark's in %d of %d flows that have any, want at most one in 20", o.repeated.differ, o.repeated.flows)
	}
	// tshark takes a handshake's time of 0 for one not seen, and files exist whose clock jumps by years.
	if !o.handshake.within(100) {
		t.Errorf("handshakes differ from tshark's in %d of %d flows, want at most one in 100", o.handshake.differ, o.handshake.flows)
	}
}

// knownHard are files whose packets only tshark reads.
var knownHard = map[string]string{
	"lpcp-872233-AH-IPcomp-IPv6.pcap": "the flow's packets are compressed (IPComp, RFC 3173)",
}

// tally counts flows that have a figure, and those of them where tshark has another.
type tally struct{ flows, differ int }

// within says whether at most one flow in n differs, of some at all.
func (y tally) within(n int) bool { return y.flows > 0 && y.differ*n <= y.flows }

// opinions are the figures in which readers may differ a little.
type opinions struct{ repeated, handshake tally }

// corpusFiles are the captures of the corpus; where there is none beside this checkout the test is skipped.
func corpusFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpusDir, "captures", "*"))
	if err != nil || len(files) == 0 {
		t.Skipf("no corpus beside this checkout: %d files, %v", len(files), err)
	}
	return files
}

// eachOracle hands on what tshark says of each capture in each view of tunnels; of the few whose fields and layers do not line up in its
// output nothing.
func eachOracle(t *testing.T, check func(name, file string, tunnels flows.Tunnels, lines map[string]oracleLine)) {
	t.Helper()
	for _, file := range corpusFiles(t) {
		name := filepath.Base(file)
		if knownHard[name] != "" {
			continue
		}
		for view, tunnels := range map[string]flows.Tunnels{"outer": flows.Outer, "inner": flows.Inner} {
			if lines, summary := readOracle(t, filepath.Join(corpusDir, "oracle", name+".json"), view); summary.Skew == 0 {
				check(name+"/"+view, file, tunnels, lines)
			}
		}
	}
}

func checkCorpusFile(t *testing.T, file, oracle, view string, tunnels flows.Tunnels, o *opinions) {
	lines, summary := readOracle(t, oracle, view)
	if summary.Skew > 0 {
		t.Skip("the oracle's own fields and layers do not line up here")
	}
	got := captureFigures(t, file, tunnels)
	for key, want := range lines {
		have, ok := got[key]
		if !ok {
			t.Errorf("%s: no such flow", key)
			continue
		}
		delete(got, key)
		compareFlow(t, key, have, want, summary, o)
	}
	for key := range got {
		t.Errorf("%s: a flow that the oracle does not have", key)
	}
}

func readOracle(t *testing.T, path, view string) (lines map[string]oracleLine, file oracleLine) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("no oracle: %v", err)
	}
	defer f.Close()
	lines = map[string]oracleLine{}
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		var l oracleLine
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			continue // dns and proc lines have other shapes
		}
		switch {
		case l.T == "file":
			file = l
		case l.T == "flow" && (l.View == "both" || l.View == view):
			if err := json.Unmarshal(scanner.Bytes(), &l.Raw); err != nil {
				t.Fatal(err)
			}
			lines[flowKey(l.Proto, l.A, l.B)] = l
		}
	}
	return lines, file
}

// flowKey names a flow whichever way round it is.
func flowKey(proto, a, b string) string {
	if b < a {
		a, b = b, a
	}
	return proto + " " + a + " " + b
}

// openCapture opens a capture file until done is called.
func openCapture(t *testing.T, path string) (source capture.Source, done func()) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if source, err = capture.NewReader(f, path); err != nil {
		t.Fatal(err)
	}
	return source, func() { source.Close(); f.Close() }
}

func captureFigures(t *testing.T, path string, tunnels flows.Tunnels) map[string]figures {
	t.Helper()
	source, done := openCapture(t, path)
	defer done()
	table := readAll(t, source, tunnels)
	got := map[string]figures{}
	for _, fl := range table.Flows(nil, flows.Local{}) {
		a, b := endpoint(fl.Key.Local, fl.Key.IPv6), endpoint(fl.Key.Remote, fl.Key.IPv6)
		fig := figures{
			pkts: [2]uint64{fl.TxPackets, fl.RxPackets}, frame: [2]uint64{fl.TxBytes, fl.RxBytes},
			ip: [2]uint64{fl.TxIPBytes, fl.RxIPBytes}, pay: [2]uint64{fl.TxPayload, fl.RxPayload},
			uniq: [2]uint64{fl.TxStream, fl.RxStream}, rtx: [2]uint64{fl.TxRetransmits, fl.RxRetransmits},
			handshake: noHandshake,
		}
		if fl.SYNRTT != flows.NoRTT && fl.ACKRTT != flows.NoRTT {
			fig.handshake = (fl.SYNRTT + fl.ACKRTT) / 1000
		}
		key := flowKey(fl.Key.Proto.String(), a, b)
		if b < a {
			for _, v := range fig.each() {
				*v = swap(*v)
			}
			fig.rtx = swap(fig.rtx)
		}
		if sum, ok := got[key]; ok {
			sum.add(fig)
			fig = sum // with the first handshake, as the oracle has it
		}
		got[key] = fig
	}
	return got
}

func readAll(t *testing.T, source capture.Source, tunnels flows.Tunnels) *flows.Table {
	t.Helper()
	table := flows.NewTable()
	var p capture.Packet
	var o flows.Observation
	for {
		err := source.Next(&p)
		if errors.Is(err, io.EOF) || errors.Is(err, capture.ErrTruncated) || errors.Is(err, capture.ErrDamaged) {
			return table
		}
		if err != nil {
			t.Fatal(err)
		}
		tunnels.Decode(&p, &o)
		table.Add(&o)
	}
}

func endpoint(e flows.Endpoint, ipv6 bool) string {
	k := flows.Key{Local: e, IPv6: ipv6}
	return fmt.Sprintf("%s|%d", k.LocalAddr().Addr(), e.Port)
}

func compareFlow(t *testing.T, key string, have figures, want oracleLine, file oracleLine, o *opinions) {
	t.Helper()
	swapped := want.B < want.A
	oracle := func(name string) (v [2]uint64, ok bool) {
		raw, ok := want.Raw[name]
		if !ok {
			return v, false
		}
		var list []uint64
		if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
			return v, false
		}
		copy(v[:], list)
		if swapped {
			v = swap(v)
		}
		return v, true
	}
	pay, _ := oracle("pay")
	for name, got := range have.each() {
		v, ok := oracle(name)
		if !ok {
			continue
		}
		g := *got
		if want.A == want.B {
			g, v = [2]uint64{g[0] + g[1]}, [2]uint64{v[0] + v[1]}
		}
		switch {
		case g == v:
		case want.Frag > 0 && g[0] <= v[0] && g[1] <= v[1]:
		case name == "uniq" && (want.Streams > 1 || file.Snapped > 0) && g[0] <= pay[0] && g[1] <= pay[1]:
		default:
			t.Errorf("%s: %s = %v, tshark has %v", key, name, g, v)
		}
	}
	compareHandshake(t, key, have.handshake, want, &o.handshake)
	rtx, _ := oracle("rtx")
	ooo, _ := oracle("ooo")
	if want.Proto != "tcp" || want.A == want.B || rtx[0]+rtx[1]+have.rtx[0]+have.rtx[1] == 0 {
		return
	}
	o.repeated.flows++
	for i, got := range have.rtx {
		slack := max(2, float64(rtx[i])/4)
		if g := float64(got); g < float64(rtx[i])-slack || g > float64(rtx[i]+ooo[i])+slack {
			t.Logf("%s: retransmissions[%d] = %d, tshark has %d, and %d out of order", key, i, got, rtx[i], ooo[i])
			o.repeated.differ++
			return
		}
	}
}

// compareHandshake demands a handshake's time within 1 us and 1 %, where tshark saw all of it.
func compareHandshake(t *testing.T, key string, got int64, want oracleLine, y *tally) {
	t.Helper()
	first := func(name string) (int64, bool) {
		var list []*int64
		if json.Unmarshal(want.Raw[name], &list) != nil || len(list) == 0 || list[0] == nil {
			return 0, false
		}
		return *list[0], true
	}
	irtt, ok := first("irtt_us")
	_, synOK := first("syn_us")
	_, ackOK := first("ack_us")
	if !ok || !synOK || !ackOK {
		return
	}
	y.flows++
	if off := max(got-irtt, irtt-got); off > 1+irtt/100 {
		y.differ++
		t.Logf("%s: handshake took %d us, tshark has %d us", key, got, irtt)
	}
}
