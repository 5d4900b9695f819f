package pidmap

import (
	"bufio"
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
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

// payloads ends the capture and returns the payload bytes of each flow as its local side sees them. A retransmitted
// byte counts twice.
func (w *wire) payloads(t *testing.T, isLocal func(netip.Addr) bool) map[flows.Key]Moved {
	t.Helper()
	w.cmd.Process.Signal(unix.SIGINT)
	w.cmd.Wait()
	out, err := exec.Command("tcpdump", "-nnqr", w.file).Output()
	if err != nil {
		t.Fatal(err)
	}
	moved := map[flows.Key]Moved{}
	for line := range bytes.Lines(out) {
		key, n, ok := readLine(string(line))
		if !ok {
			continue
		}
		if from := addrOf(key.Local); isLocal(from) {
			m := moved[key]
			moved[key] = Moved{m.Tx + n, m.Rx}
		} else {
			m := moved[key.Reverse()]
			moved[key.Reverse()] = Moved{m.Tx, m.Rx + n}
		}
	}
	return moved
}

// readLine reads "15:04:05.000000 IP 10.77.0.1.41000 > 10.77.0.2.80: tcp 100" or "... UDP, length 100".
func readLine(line string) (key flows.Key, payload uint64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 7 || !strings.HasPrefix(f[1], "IP") || f[3] != ">" {
		return key, 0, false
	}
	proto := flows.TCP
	if f[5] != "tcp" {
		if proto = flows.UDP; f[5] != "UDP," {
			return key, 0, false
		}
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
