package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"apptap/fixtures/netns"
)

// setcap is what docs/architecture.md says is the smallest set, numbered as in linux/capability.h: net_raw, net_admin, bpf,
// perfmon, sys_ptrace, dac_read_search.
var setcap = []uintptr{13, 12, 39, 38, 19, 2}

// TestIntegrationRights holds captures that have given up their rights against a storm of short-lived programs: as root and as a user
// who was given only what the documentation names, with cgo (as make builds it) and without.
func TestIntegrationRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making namespaces wants root")
	}
	programs := t.TempDir()
	for _, dir := range []string{programs, filepath.Dir(programs)} { // the user has to reach the program
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const most = 1<<19 | 1<<2 | 1<<39 // may be left: sys_ptrace, dac_read_search, and bpf before Linux 6.0
	here, there := netns.Pair(t)
	storm := openStorm(t, here, there)
	static, linked := buildRights(t, programs, false), buildRights(t, programs, true)
	user := func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: setcap}
	}
	dir := t.TempDir()
	// All watch the same programs at once: a run takes ten seconds.
	captures := map[string]*rightsRun{
		"root": startRights(t, here, static, filepath.Join(dir, "root.json"), nil),
		"user": startRights(t, here, static, filepath.Join(dir, "user.json"), user()),
	}
	if linked != "" {
		captures["root, cgo"] = startRights(t, here, linked, filepath.Join(dir, "root-cgo.json"), nil)
		captures["user, cgo"] = startRights(t, here, linked, filepath.Join(dir, "user-cgo.json"), user())
	}
	for _, capture := range captures {
		checkRights(t, capture.Process.Pid, most)
	}
	said, err := storm.Run(1100)
	if err != nil {
		t.Fatal(err)
	}
	for name, capture := range captures {
		t.Run(name, func(t *testing.T) {
			checkRights(t, capture.Process.Pid, most) // threads that began since have no more
			interrupt(t, capture.Cmd)
			capture.wait()
			checkStorm(t, capture.report, said)
		})
	}
}

// rightsRun is a capture and the file that its report goes to.
type rightsRun struct {
	*exec.Cmd
	report string
	wait   func()
}

// startRights starts a capture whose report goes to standard output: to make a file it would keep one right more.
func startRights(t *testing.T, n *netns.Namespace, apptap, report string, attr *syscall.SysProcAttr) *rightsRun {
	t.Helper()
	out, err := os.Create(report)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	c := exec.CommandContext(t.Context(), apptap, "capture", "-i", netns.Interface, "--reader", "ring", "--format", "json", "--flows")
	c.SysProcAttr, c.Stdout = attr, out
	r := &rightsRun{Cmd: c, report: report}
	n.Do(t, func() { r.wait = start(t, c, "capturing on") })
	return r
}

// buildRights builds apptap with or without cgo; "" if there is no compiler for the former.
func buildRights(t *testing.T, dir string, cgo bool) string {
	t.Helper()
	path, enabled := filepath.Join(dir, "apptap"), "CGO_ENABLED=0"
	if cgo {
		path, enabled = filepath.Join(dir, "apptap-cgo"), "CGO_ENABLED=1"
	}
	c := exec.Command("go", "build", "-o", path, "apptap/cmd/apptap")
	c.Env = append(os.Environ(), enabled)
	if out, err := c.CombinedOutput(); err != nil && cgo {
		t.Logf("not tried: a binary with cgo, which cannot be built here: %v: %s", err, out)
		return ""
	} else if err != nil {
		t.Skipf("apptap cannot be built here: %v: %s", err, out)
	}
	return path
}

// checkRights reads what every thread of a process may do.
func checkRights(t *testing.T, pid int, most uint64) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads of process %d: %v", pid, err)
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if err != nil {
			continue // ended since
		}
		for _, field := range []string{"CapPrm", "CapEff", "CapInh", "CapAmb"} {
			_, rest, _ := strings.Cut(string(status), field+":\t")
			text, _, _ := strings.Cut(rest, "\n")
			if got, err := strconv.ParseUint(text, 16, 64); err != nil || got&^most != 0 {
				t.Errorf("%s: %s %q (%v), want nothing beyond %#x", thread, field, text, err, most)
			}
		}
		if !strings.Contains(string(status), "\nNoNewPrivs:\t1\n") {
			t.Errorf("%s: new privileges are not forbidden", thread)
		}
	}
}
