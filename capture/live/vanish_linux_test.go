//go:build cgo

package live

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"apptap/capture"
)

// TestIntegrationVanished takes the interface away, in a network namespace of its own that goes with
// the child process.
func TestIntegrationVanished(t *testing.T) {
	if os.Getenv(inChild) == "" {
		if os.Geteuid() != 0 {
			t.Skip("needs root, to make a network namespace")
		}
		runChild(t, "TestIntegrationVanished", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET})
		return
	}
	ip(t, "link", "add", "gone0", "type", "veth", "peer", "name", "gone1")
	ip(t, "link", "set", "gone0", "up")
	s := requireCapture(t, Config{Interface: "gone0"})
	ip(t, "link", "delete", "gone0")
	var p capture.Packet
	for range 1000 { // packets of its last breath, and timeouts, may come first
		err := s.Next(&p)
		if err != nil && !errors.Is(err, capture.ErrTimeout) {
			if !strings.Contains(err.Error(), "gone0") {
				t.Errorf("got %v, which does not name the interface", err)
			}
			t.Log(err)
			return
		}
	}
	t.Error("no error after the interface had gone")
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if output, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Skipf("ip %s: %v: %s", strings.Join(args, " "), err, output)
	}
}
