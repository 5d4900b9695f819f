package capture_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apptap/capture"
)

// The corpus of real captures with tshark's answers lies beside the module, not in it.
const corpus = "../../shared/corpus"

// oracleFile is the first line of an oracle file.
type oracleFile struct {
	Packets        int    `json:"packets"`
	FrameBytes     int64  `json:"frame_bytes"`
	CapBytes       *int64 `json:"cap_bytes"`
	TcpdumpPackets *int   `json:"tcpdump_packets"`
	TsharkExit     int    `json:"tshark_rc"`
}

func readOracle(t *testing.T, path string) oracleFile {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("no oracle: %v", err)
	}
	defer f.Close()
	line, err := bufio.NewReaderSize(f, 1<<20).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	var o oracleFile
	if err := json.Unmarshal(line, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// corrected takes out of an oracle what tshark counts otherwise than apptap on purpose.
func corrected(o oracleFile, file string) oracleFile {
	subtract := func(packets int, frame, captured int64) {
		o.Packets -= packets
		o.FrameBytes -= frame
		*o.CapBytes -= captured
	}
	switch file {
	case "gopk-012d1a-test202.pcapng":
		subtract(3, 24+60+32, 24+60+32) // custom blocks, shown as frames of their own
	case "tcpd-6f1de7-atm-oam-loopback-print-overrun.pcap":
		subtract(0, -4, -4) // the ATM pseudo-header, which is part of the recorded length
	}
	return o
}

// totals reads a source to its end, which it returns.
func totals(s capture.Source, limit int) (packets int, frame, captured int64, err error) {
	var p capture.Packet
	for packets < limit {
		if err := s.Next(&p); err != nil {
			return packets, frame, captured, err
		}
		packets++
		frame += int64(p.Length)
		captured += int64(len(p.Data))
	}
	return packets, frame, captured, nil
}

func corpusFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpus, dir, "*"))
	if err != nil || len(files) == 0 {
		t.Skipf("the corpus is not here: no %s in %s", dir, corpus)
	}
	return files
}

func TestCorpusMatchesTshark(t *testing.T) {
	for dir, oracles := range map[string]string{"captures": "oracle", "containers": "oracle-containers"} {
		for _, path := range corpusFiles(t, dir) {
			t.Run(filepath.Base(path), func(t *testing.T) {
				want := corrected(readOracle(t, filepath.Join(corpus, oracles, filepath.Base(path)+".json")), filepath.Base(path))
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				s, err := capture.NewReader(f, path)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				packets, frame, captured, err := totals(s, 1<<30)
				wantEnd := io.EOF
				if want.TsharkExit != 0 {
					wantEnd = capture.ErrTruncated
				}
				if !errors.Is(err, wantEnd) {
					t.Errorf("ended with %v, want %v", err, wantEnd)
				}
				if packets != want.Packets || frame != want.FrameBytes || want.CapBytes != nil && captured != *want.CapBytes {
					t.Errorf("got %d packets, %d frame bytes, %d captured; want %+v", packets, frame, captured, want)
				}
			})
		}
	}
}

// TestCorpusMalformed wants what the corpus asks of a tool: a known error or none, and the packets
// before the damage, one less than the weaker of tshark and tcpdump at least.
func TestCorpusMalformed(t *testing.T) {
	const limit = 20_000_000 // a bomb of empty records has 14 million
	for _, path := range corpusFiles(t, "malformed") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if testing.Short() && strings.Contains(path, "bomb") {
				t.Skip("takes a second: not with -short")
			}
			want := readOracle(t, filepath.Join(corpus, "oracle-malformed", filepath.Base(path)+".json"))
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			packets, err := 0, error(nil)
			s, err := capture.NewReader(f, path)
			if err == nil {
				defer s.Close()
				packets, _, _, err = totals(s, limit)
			}
			if err != nil && !knownEnd(err) {
				t.Errorf("ended with %v, which wraps no known error", err)
			}
			least := want.Packets
			if want.TcpdumpPackets != nil {
				least = min(least, *want.TcpdumpPackets)
			} else {
				least = 0 // no file that tcpdump refuses as a whole
			}
			if packets < least-1 {
				t.Errorf("got %d packets and %v, want at least %d", packets, err, least-1)
			}
		})
	}
}

func knownEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, capture.ErrTruncated) ||
		errors.Is(err, capture.ErrDamaged) || errors.Is(err, capture.ErrFormat)
}
