package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestCountOnlyWithoutRights: what is missing is called that, as of a capture.
func TestCountOnlyWithoutRights(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	c := exec.CommandContext(t.Context(), "/proc/self/exe", "capture", "--count-only", "-i", "lo", "-d", "10ms")
	c.Args[0] = "apptap" // the folder of a test's program is not everybody's to enter
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, _ := c.CombinedOutput()
	if code := c.ProcessState.ExitCode(); code != exitPermission || !strings.Contains(string(out), "operation not permitted") || !strings.Contains(string(out), "sudo") {
		t.Errorf("exit code %d, want %d: %s", code, exitPermission, out)
	}
}
