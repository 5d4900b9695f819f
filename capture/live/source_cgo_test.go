//go:build cgo

package live

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"apptap/capture"
)

// requireCapture skips where this process may not capture, and says why.
func requireCapture(t *testing.T, c Config) *Source {
	t.Helper()
	s, err := Open(c)
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("needs the right to capture: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func loopback(t *testing.T) InterfaceRow {
	t.Helper()
	rows, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Loopback && r.Up {
			return r
		}
	}
	t.Skip("no loopback interface is up")
	return InterfaceRow{}
}

// sink is a UDP socket that nothing reads, so that no ICMP error answers.
func sink(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// next reads until a packet holds marker, for at most 500 empty timeouts.
func next(t *testing.T, s *Source, marker []byte) capture.Packet {
	t.Helper()
	var p capture.Packet
	for empty := 0; empty < 500; {
		switch err := s.Next(&p); {
		case errors.Is(err, capture.ErrTimeout):
			empty++
		case err != nil:
			t.Fatal(err)
		case bytes.Contains(p.Data, marker):
			return p
		}
	}
	t.Fatalf("no packet with %q", marker)
	return p
}

func TestIntegrationLoopback(t *testing.T) {
	lo, to := loopback(t), sink(t)
	for _, device := range []string{lo.Name, "any"} {
		t.Run(device, func(t *testing.T) {
			if device == "any" && !exists("any") {
				t.Skip("this system has no device any")
			}
			s := requireCapture(t, Config{Interface: device, Filter: "udp and dst port " + portOf(to), Promiscuous: device == "any"})
			before := time.Now()
			for _, marker := range []string{"first datagram", "second datagram"} {
				if _, err := to.WriteTo([]byte(marker), to.LocalAddr()); err != nil {
					t.Fatal(err)
				}
				checkDatagram(t, s, next(t, s, []byte(marker)), len(marker), before)
			}
			stats := s.Stats()
			if !stats.Known || stats.Received < 2 || stats.DroppedKernel != 0 {
				t.Errorf("got stats %+v, want 2 received, none dropped", stats)
			}
		})
	}
}

func portOf(c *net.UDPConn) string {
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	return port
}

func checkDatagram(t *testing.T, s *Source, p capture.Packet, payload int, before time.Time) {
	t.Helper()
	headers := map[capture.LinkType]int{capture.LinkTypeEthernet: 14, capture.LinkTypeNull: 4, capture.LinkTypeLinuxSLL: 16, capture.LinkTypeLinuxSLL2: 20}
	header, ok := headers[p.LinkType]
	if !ok || p.LinkType != s.Interfaces()[0].LinkType {
		t.Fatalf("got link type %v on an interface of %v", p.LinkType, s.Interfaces()[0].LinkType)
	}
	if want := header + 20 + 8 + payload; p.Length != want || len(p.Data) != want {
		t.Errorf("got %d of %d bytes, want %d", len(p.Data), p.Length, want)
	}
	if p.Time < before.UnixNano() || p.Time > time.Now().UnixNano() {
		t.Errorf("got time %v, want one after %v", capture.At(p.Time), before)
	}
	if i := s.Interfaces()[0]; i.SnapLen != DefaultSnapLen || !hasAddr(i.Addrs, "127.0.0.1") {
		t.Errorf("got interface %+v, want snaplen %d and 127.0.0.1", i, DefaultSnapLen)
	}
}

func hasAddr(prefixes []netip.Prefix, addr string) bool {
	for _, p := range prefixes {
		if p.Addr().String() == addr {
			return true
		}
	}
	return false
}

func TestIntegrationSnapLen(t *testing.T) {
	to := sink(t)
	s := requireCapture(t, Config{Interface: loopback(t).Name, SnapLen: 64, Filter: "udp and dst port " + portOf(to)})
	payload := append([]byte("marker"), make([]byte, 500)...)
	if _, err := to.WriteTo(payload, to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	p := next(t, s, []byte("marker"))
	if len(p.Data) != 64 || p.Length <= len(payload) {
		t.Errorf("got %d of %d bytes, want 64 of more than %d", len(p.Data), p.Length, len(payload))
	}
}

func TestIntegrationFilterError(t *testing.T) {
	_, err := Open(Config{Interface: loopback(t).Name, Filter: "udp prt 53"})
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("needs the right to capture: %v", err)
	}
	var wrong *FilterError
	if !errors.As(err, &wrong) || wrong.Column != 5 {
		t.Errorf("got %v, want a FilterError at column 5", err)
	}
}

func TestIntegrationNoInterface(t *testing.T) {
	lo := loopback(t)
	_, err := Open(Config{Interface: "nosuch0"})
	var none *NoInterfaceError
	if !errors.As(err, &none) || none.Interface != "nosuch0" || !strings.Contains(err.Error(), lo.Name) {
		t.Errorf("got %v, want a NoInterfaceError that lists %s", err, lo.Name)
	}
}

// inChild names the environment variable that makes a test binary play a part in another process.
const inChild = "APPTAP_TEST_CHILD"

// runChild runs one test of this binary in another process, as another user or in another namespace.
func runChild(t *testing.T, test string, attributes *syscall.SysProcAttr) {
	t.Helper()
	child := exec.Command(publicCopy(t), "-test.run=^"+test+"$", "-test.v")
	child.Dir = "/"
	child.Env = append(os.Environ(), inChild+"=1")
	child.SysProcAttr = attributes
	output, err := child.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Skipf("cannot run a child process so: %v", err)
	}
	if err != nil {
		t.Errorf("child: %v\n%s", err, output)
	}
	if bytes.Contains(output, []byte("--- SKIP")) {
		t.Skipf("child: %s", output)
	}
}

// TestIntegrationPermission opens loopback as a user who may not.
func TestIntegrationPermission(t *testing.T) {
	if os.Getenv(inChild) == "" {
		if os.Geteuid() != 0 {
			t.Skip("needs root, to become a user without rights")
		}
		nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
		runChild(t, "TestIntegrationPermission", &syscall.SysProcAttr{Credential: nobody})
		return
	}
	_, err := Open(Config{Interface: loopback(t).Name})
	var denied *PermissionError
	if !errors.As(err, &denied) || !errors.Is(err, os.ErrPermission) || denied.Hint() == "" {
		t.Errorf("got %v, want a PermissionError with a hint", err)
	}
	_, err = Open(Config{Interface: "nosuch0"})
	var none *NoInterfaceError
	if !errors.As(err, &none) {
		t.Errorf("got %v, want a NoInterfaceError", err)
	}
}

// publicCopy copies this test binary to where every user can run it: go test puts it behind a
// directory of the builder's own.
func publicCopy(t *testing.T) string {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "apptap-live-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	public := filepath.Join(dir, "live.test")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(public, program, 0o755), os.Chmod(public, 0o755)); err != nil {
		t.Fatal(err)
	}
	return public
}
