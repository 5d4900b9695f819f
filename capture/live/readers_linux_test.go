//go:build cgo

package live

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"apptap/capture"
	"apptap/fixtures"
)

// inNamespace runs test once more in a network namespace of its own, which goes with the child process, and reports
// whether this is the child.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inChild) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a network namespace")
	}
	runChild(t, t.Name(), &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET})
	return false
}

// wire makes a veth pair, near0 and far0, and a neighbour that needs no ARP.
func wire(t *testing.T) {
	t.Helper()
	ip(t, "link", "set", "lo", "up")
	ip(t, "link", "add", "near0", "type", "veth", "peer", "name", "far0")
	ip(t, "link", "set", "near0", "addrgenmode", "none")
	ip(t, "link", "set", "far0", "addrgenmode", "none")
	ip(t, "link", "set", "far0", "up")
	ip(t, "link", "set", "near0", "up")
	ip(t, "addr", "add", "10.91.0.1/24", "dev", "near0")
	ip(t, "neigh", "add", "10.91.0.2", "lladdr", "02:00:00:00:00:02", "dev", "near0")
}

const lastWords = "the last datagram"

// send sends datagrams of many sizes: plain and in fragments, in VLANs, and over loopback, each at last with lastWords.
func send(t *testing.T) {
	t.Helper()
	for _, to := range []string{"10.91.0.2:4000", "127.0.0.1:4000"} {
		c, err := net.Dial("udp4", to)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n < 4000; n += 111 {
			_, _ = c.Write(bytes.Repeat([]byte{byte(n)}, n)) // over loopback nobody listens
		}
		for range 2 { // over loopback the first meets the error that the datagram before it brought
			if _, err = c.Write([]byte(lastWords)); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	here, there := netip.MustParseAddrPort("10.95.0.1:4001"), netip.MustParseAddrPort("10.95.0.2:4001")
	for _, tags := range [][]uint16{{5}, {5, 6}, {5, 6, 7}} {
		sendFrames(t, "near0", fixtures.UDP(here, there, make([]byte, 1400), fixtures.VLAN(tags...)))
	}
	sendFrames(t, "near0", fixtures.UDP(here, there, []byte(lastWords), fixtures.VLAN(5)))
}

// sendFrames puts frames on an interface as they are.
func sendFrames(t testing.TB, name string, frames ...[]byte) {
	t.Helper()
	device, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, frame := range frames {
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: device.Index, Halen: 6}); err != nil {
			t.Fatal(err)
		}
	}
}

// all reads what a source has, until it has been quiet after the last words.
func all(t *testing.T, s *Source, words int) (packets []string) {
	t.Helper()
	var p capture.Packet
	for quiet := 0; quiet < 5; {
		switch err := s.Next(&p); {
		case errors.Is(err, capture.ErrTimeout) && words > 0:
			if quiet++; quiet == 5 {
				t.Errorf("%s: %d last datagrams have not come", s.Reader, words)
			}
		case errors.Is(err, capture.ErrTimeout):
			quiet = 5
		case err != nil:
			t.Fatal(err)
		default:
			quiet = 0
			if bytes.Contains(p.Data, []byte(lastWords)) {
				words--
			}
			packets = append(packets, fmt.Sprintf("%v %d/%d %x", p.LinkType, len(p.Data), p.Length, p.Data))
		}
	}
	return packets
}

// TestIntegrationReadersAgree captures the same traffic through the ring and through libpcap: every byte and every
// length must be the same, and so must the counters.
func TestIntegrationReadersAgree(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	wire(t)
	tests := []struct {
		Config
		words int // last datagrams that must come
	}{
		{Config{Interface: "near0"}, 2},
		{Config{Interface: "far0"}, 2},
		{Config{Interface: "far0", SnapLen: 70}, 2},
		{Config{Interface: "far0", Filter: "udp and dst host 10.95.0.2 or ip[6:2] & 0x1fff != 0"}, 1},
		{Config{Interface: "lo"}, 1},
		{Config{Interface: "any"}, 5}, // near0 and far0 each twice, and lo
		{Config{Interface: "any", Filter: "udp src port 4000 or dst host 127.0.0.1 or icmp"}, 1},
		{Config{Interface: "near0", Keep: KeepHeaders}, 2},
		{Config{Interface: "any", Keep: KeepHeaders}, 5},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s %d %d", tt.Interface, tt.Filter, tt.SnapLen, tt.Keep), func(t *testing.T) {
			var sources []*Source
			for _, reader := range []Reader{ReaderPcap, ReaderRing} {
				c := tt.Config
				c.Reader = reader
				s, err := Open(c)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				sources = append(sources, s)
			}
			send(t)
			want, got := all(t, sources[0], tt.words), all(t, sources[1], tt.words)
			compare(t, got, want)
			w, g := sources[0].Stats(), sources[1].Stats()
			if tt.Interface == "lo" {
				w.Received /= 2 // libpcap counts each frame as it leaves, too
			}
			if g != w {
				t.Errorf("ring counts %+v, libpcap %+v", g, w)
			}
		})
	}
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("the ring has %d packets, libpcap %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("packet %d:\nring    %.200s\nlibpcap %.200s", i, got[i], want[i])
			return
		}
	}
}

// TestIntegrationDownUp takes the interface down, brings it up again and takes it away.
func TestIntegrationDownUp(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	wire(t)
	s := requireCapture(t, Config{Interface: "near0", Reader: ReaderRing})
	ip(t, "link", "set", "near0", "down")
	var p capture.Packet
	for range 100 { // the first polls tell that it went down
		if err := s.Next(&p); err != nil && !errors.Is(err, capture.ErrTimeout) {
			t.Fatalf("down: %v", err)
		}
	}
	ip(t, "link", "set", "near0", "up")
	ip(t, "neigh", "replace", "10.91.0.2", "lladdr", "02:00:00:00:00:02", "dev", "near0")
	c, err := net.Dial("udp4", "10.91.0.2:4000")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("up again")); err != nil {
		t.Fatal(err)
	}
	next(t, s, []byte("up again"))
	ip(t, "link", "set", "near0", "down")
	ip(t, "link", "delete", "near0")
	for range 100 {
		if err := s.Next(&p); err != nil && !errors.Is(err, capture.ErrTimeout) {
			if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "near0") {
				t.Errorf("gone: got %v, want one that names near0 and wraps os.ErrNotExist", err)
			}
			return
		}
	}
	t.Error("no error after the interface had gone")
}
