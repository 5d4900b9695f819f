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

// TestIntegrationRights holds a capture that has given up its rights against forty short-lived programs, as root
// and as a user who was given only what the documentation names.
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
	apptap, talk := buildStatic(t, programs, "apptap/cmd/apptap"), buildStatic(t, programs, "apptap/fixtures/talk")
	const most = 1<<19 | 1<<2 | 1<<39 // may be left: sys_ptrace, dac_read_search, and bpf before Linux 6.0
	here, there := netns.Pair(t)
	dir := t.TempDir()
	startServer(t, there, talk)
	// Both watch the same programs at once: a run takes ten seconds.
	root := startRights(t, here, apptap, filepath.Join(dir, "root.json"), nil)
	user := startRights(t, here, apptap, filepath.Join(dir, "user.json"),
		&syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: setcap})
	checkRights(t, root.Process.Pid, most)
	checkRights(t, user.Process.Pid, most)
	truths := readTruth(t, runClients(t, here, there, talk, dir))
	for name, capture := range map[string]*rightsRun{"root": root, "user": user} {
		t.Run(name, func(t *testing.T) {
			checkRights(t, capture.Process.Pid, most) // threads that began since have no more
			interrupt(t, capture.Cmd)
			capture.wait()
			var report reportJSON
			readJSON(t, capture.report, &report)
			checkAttribution(t, &report, truths)
			checkTold(t, capture.report)
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

// buildStatic builds a program without cgo: only the threads of such a one can all give up rights.
func buildStatic(t *testing.T, dir, pkg string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.Base(pkg))
	c := exec.Command("go", "build", "-o", path, pkg)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("%s cannot be built here: %v: %s", pkg, err, out)
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

// checkTold wants every flow's owner from kernel events, unless the report says that there are none here.
func checkTold(t *testing.T, file string) {
	t.Helper()
	var report struct {
		Degraded []string
		Flows    []struct{ Local, Method string }
	}
	readJSON(t, file, &report)
	t.Logf("degraded: %q", report.Degraded)
	if strings.Contains(strings.Join(report.Degraded, " "), "polled for") {
		return
	}
	for _, flow := range report.Flows {
		if flow.Method != "ebpf" {
			t.Errorf("%s: owner by %q, want ebpf", flow.Local, flow.Method)
		}
	}
}
