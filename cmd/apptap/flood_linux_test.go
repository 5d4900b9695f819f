package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"apptap/fixtures"
)

// flood writes a capture of n SYNs, no two of one 5-tuple.
func flood(w io.Writer, n uint32) error {
	out := bufio.NewWriterSize(w, 1<<16)
	head := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	head = append(head, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	out.Write(head) // bufio keeps the first error for Flush
	frame := fixtures.TCP(netip.MustParseAddrPort("10.0.0.0:1"), netip.MustParseAddrPort("198.51.100.7:443"), "S", 1, 0, nil)
	record := append(make([]byte, 16), frame...)
	binary.LittleEndian.PutUint32(record[8:], uint32(len(frame)))
	binary.LittleEndian.PutUint32(record[12:], uint32(len(frame)))
	for i := range n {
		binary.LittleEndian.PutUint32(record[0:], 1_700_000_000+i/50_000)
		binary.BigEndian.PutUint32(record[16+26:], 10<<24|i>>6)           // the source address
		binary.BigEndian.PutUint16(record[16+34:], uint16(1024+i&63*997)) // its port
		out.Write(record)
	}
	return out.Flush()
}

// These two run the test itself as apptap (TestMain puts it first on PATH): a user without rights can build nothing.
//
// TestFloodStaysWithinMemory: ten million 5-tuples, of which the table may keep a hundred thousand.
func TestFloodStaysWithinMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	const packets, most, limit = 10_000_000, "100000", 192 << 20
	c := exec.CommandContext(t.Context(), "apptap", "replay", "--max-flows", most, "--format", "json", "-")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := flood(stdin, packets); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	var report struct {
		Totals, Folded struct {
			RxPackets uint64 `json:"rx_packets"`
			RxBytes   uint64 `json:"rx_bytes"`
			Flows     uint64
		}
		Unattributed struct {
			Reasons map[string]uint64
			Flows   uint64
		}
		Degraded []string
	}
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
		t.Fatal(err)
	}
	if got := report.Totals; got.RxPackets != packets || got.RxBytes != 54*packets || got.Flows != packets {
		t.Errorf("totals %+v, want %d packets of 54 bytes, each a flow", got, packets)
	}
	if got := report.Unattributed; got.Flows != packets || got.Reasons["no_owner_in_file"] != 54*packets {
		t.Errorf("unattributed %+v, want every flow and byte", got)
	}
	if got := report.Folded.Flows; got < packets-100_000-1024 || got > packets {
		t.Errorf("%d flows were folded, want all but about 100,000 of %d", got, packets)
	}
	if len(report.Degraded) != 1 || !strings.Contains(report.Degraded[0], "--max-flows") {
		t.Errorf("degraded %q, want a sentence that names --max-flows", report.Degraded)
	}
	if usage := c.ProcessState.SysUsage().(*syscall.Rusage); usage.Maxrss<<10 > limit {
		t.Errorf("%d MiB of memory at the most, want no more than %d", usage.Maxrss>>10, limit>>20)
	} else {
		t.Logf("%d MiB of memory at the most", usage.Maxrss>>10)
	}
}

// TestReportSameOnAnyCores: how many cores share the work shows in no byte of the report.
func TestReportSameOnAnyCores(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "flood.pcap")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(flood(f, 150_000), f.Close()); err != nil { // several chunks of the table
		t.Fatal(err)
	}
	var first []byte
	for _, cores := range []string{"1", "2", "5"} {
		c := exec.CommandContext(t.Context(), "apptap", "replay", "--format", "json", "--destinations", "1000", file)
		c.Env = append(os.Environ(), "GOMAXPROCS="+cores)
		report, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = report
		}
		if !bytes.Equal(report, first) {
			t.Errorf("the report of %s cores differs from that of one", cores)
		}
	}
}
