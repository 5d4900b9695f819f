package pidmap

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"apptap/fixtures/netns"
	"apptap/flows"
)

// wire is a capture by tcpdump, which shares no code with apptap.
type wire struct {
	file string
	cmd  *exec.Cmd
}

// listen begins a capture in a namespace; it skips the test where there is no tcpdump.
func listen(t *testing.T, n *netns.Namespace, iface string) *wire {
	t.Helper()
	program, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("the bytes are checked against tcpdump, which is not here")
	}
	w := &wire{file: filepath.Join(t.TempDir(), "wire.pcap")}
	// -Z root keeps it from becoming a user who may not write there.
	w.cmd = n.Command(t, program, "-i", iface, "-s", "128", "-B", "16384", "--immediate-mode", "-U", "-Z", "root", "-w", w.file)
	stderr, err := w.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "listening on") {
			return w
		}
	}
	t.Fatal("tcpdump did not begin")
	return nil
}

// stop ends the capture.
func (w *wire) stop() {
	w.cmd.Process.Signal(unix.SIGINT)
	w.cmd.Wait()
}

// print is what tcpdump says of the packets that match a filter.
func (w *wire) print(t *testing.T, flags, filter string) []byte {
	t.Helper()
	out, err := exec.Command("tcpdump", flags, w.file, filter).Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// payloads ends the capture and returns the payload bytes of each flow as its local side sees them. A retransmitted
// byte counts twice.
func (w *wire) payloads(t *testing.T, isLocal func(netip.Addr) bool) map[flows.Key]Moved {
	t.Helper()
	moved := map[flows.Key]Moved{}
	w.stop()
	for line := range bytes.Lines(w.print(t, "-nnqr", "tcp or udp")) {
		if key, n, ok := readLine(string(line)); ok {
			count(moved, key, n, isLocal)
		}
	}
	return moved
}

// count adds what went from key's local side to its remote one.
func count(moved map[flows.Key]Moved, key flows.Key, n uint64, isLocal func(netip.Addr) bool) {
	if isLocal(addrOf(key.Local)) {
		m := moved[key]
		moved[key] = Moved{m.Tx + n, m.Rx}
	} else {
		m := moved[key.Reverse()]
		moved[key.Reverse()] = Moved{m.Tx, m.Rx + n}
	}
}

// streams ends the capture and returns the payload bytes of each flow, in TCP those of a sequence number once.
func (w *wire) streams(t *testing.T, isLocal func(netip.Addr) bool) map[flows.Key]Moved {
	t.Helper()
	moved := map[flows.Key]Moved{}
	w.stop()
	// Without -q tcpdump says of some ports what they stand for and not how long the datagram is, as of 49152.
	for line := range bytes.Lines(w.print(t, "-nnqr", "udp")) {
		if key, n, ok := readLine(string(line)); ok {
			count(moved, key, n, isLocal)
		}
	}
	ranges := map[flows.Key][][2]uint64{} // by who sent
	for line := range bytes.Lines(w.print(t, "-nnSr", "tcp")) {
		key, _, ok := readLine(string(line))
		if !ok {
			continue
		}
		_, rest, _ := strings.Cut(string(line), ", seq ")
		text, _, _ := strings.Cut(rest, ",")
		var from, to uint64
		if _, err := fmt.Sscanf(text, "%d:%d", &from, &to); err == nil {
			if to < from {
				to += 1 << 32
			}
			ranges[key] = append(ranges[key], [2]uint64{from, to})
		}
	}
	for key, all := range ranges {
		slices.SortFunc(all, func(a, b [2]uint64) int { return cmp.Compare(a[0], b[0]) })
		reached, sum := uint64(0), uint64(0)
		for _, r := range all {
			if r[1] > reached {
				sum += r[1] - max(reached, r[0])
				reached = r[1]
			}
		}
		count(moved, key, sum, isLocal)
	}
	return moved
}

// readLine reads "15:04:05.000000 IP 10.77.0.1.41000 > 10.77.0.2.80: tcp 100", "... Flags [P.], seq 1:101, ..., length 100" or
// "... UDP, length 100".
func readLine(line string) (key flows.Key, payload uint64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 7 || !strings.HasPrefix(f[1], "IP") || f[3] != ">" {
		return key, 0, false
	}
	proto := flows.TCP
	switch f[5] {
	case "tcp", "Flags":
	case "UDP,":
		proto = flows.UDP
	default:
		return key, 0, false
	}
	from, ok1 := dotted(f[2])
	to, ok2 := dotted(strings.TrimSuffix(f[4], ":"))
	n, err := strconv.ParseUint(f[len(f)-1], 10, 64)
	return flows.MakeKey(proto, from, to), n, ok1 && ok2 && err == nil
}

func addrOf(e flows.Endpoint) netip.Addr { return netip.AddrFrom16(e.Addr).Unmap() }

// dotted reads tcpdump's address.port.
func dotted(s string) (netip.AddrPort, bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return netip.AddrPort{}, false
	}
	addr, err := netip.ParseAddr(s[:i])
	port, portErr := strconv.ParseUint(s[i+1:], 10, 16)
	return netip.AddrPortFrom(addr, uint16(port)), err == nil && portErr == nil
}

// linkAs gives a program another name.
func linkAs(t *testing.T, program, name string) {
	t.Helper()
	if err := os.Link(program, name); err != nil {
		t.Fatal(err)
	}
}
