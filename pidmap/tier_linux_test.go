package pidmap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"apptap/pidmap/bpf"
)

func TestTraceMend(t *testing.T) {
	user := tierHost{btf: true, program: "/opt/net tools/apptap"}
	root := tierHost{btf: true, root: true}
	missing := func(path string) error {
		return fmt.Errorf("find cgroup v2: %w", &fs.PathError{Op: "open", Path: path, Err: unix.ENOENT})
	}
	for _, tt := range []struct {
		name string
		err  error
		host tierHost
		want string // in it
	}{
		{"a user without rights", fmt.Errorf("make eBPF map events: %w", unix.EPERM), user, "+ep '/opt/net tools/apptap'"},
		{"root without rights", fmt.Errorf("load: %w", unix.EPERM), root, "outside of containers"},
		{"no BTF", missing(kernelTypes), tierHost{root: true}, "boot a kernel with BTF"},
		{"no BTF, as the library says it", errors.New("parsing .BTF header: buffer too small"), tierHost{root: true}, "boot a kernel with BTF"},
		{"no proc", missing("/proc/self/mounts"), root, "mount what has /proc/self/mounts"},
		{"an old kernel", fmt.Errorf("attach: %w", errors.ErrUnsupported), root, "boot Linux 5.15"},
		{"anything else", unix.ENOMEM, root, "dmesg"},
	} {
		if got := traceMend(tt.err, tt.host); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q in it", tt.name, got, tt.want)
		}
	}
}

// TestTraceCheck: what doctor says of each tier, of one that lacks something, and of none.
func TestTraceCheck(t *testing.T) {
	user, root := tierHost{btf: true, program: "/opt/apptap"}, tierHost{btf: true, root: true}
	lacks := func(tier string, err error) bpf.Report {
		return bpf.Report{Tier: tier, Missing: []bpf.Missing{{Program: "sock_release", Lost: "the end of UDP sockets", Err: err}}}
	}
	for _, tt := range []struct {
		name   string
		report bpf.Report
		err    error
		host   tierHost
		ok     bool
		detail []string // in it
		mend   string   // in it, "" = there is none
	}{
		{"tracepoints", bpf.Report{Tier: bpf.TierTracepoint}, nil, root, true, []string{"by " + bpf.TierTracepoint}, ""},
		{"function exits", bpf.Report{Tier: bpf.TierTrampoline}, nil, root, true, []string{"by " + bpf.TierTrampoline}, ""},
		{"a program is refused", lacks(bpf.TierTracepoint, unix.EPERM), nil, root, false, []string{"by " + bpf.TierTracepoint, "not told: the end of UDP sockets"}, "outside of containers"},
		{"a program that this kernel has not", lacks(bpf.TierTrampoline, errors.ErrUnsupported), nil, user, false, []string{"not told: the end of UDP sockets"}, "boot Linux 5.15"},
		{"no rights", bpf.Report{}, fmt.Errorf("make eBPF map events: %w", unix.EPERM), user, false, []string{"without them", "ambiguous"}, "setcap"},
		{"no BTF", bpf.Report{}, &fs.PathError{Op: "open", Path: kernelTypes, Err: unix.ENOENT}, tierHost{root: true}, false, []string{"without them"}, "CONFIG_DEBUG_INFO_BTF"},
	} {
		got := traceCheck(&tt.report, tt.err, tt.host)
		if got.OK != tt.ok || (got.Mend == "") != (tt.mend == "") || !strings.Contains(got.Mend, tt.mend) {
			t.Errorf("%s: %+v, want ok %v and %q in the mend", tt.name, got, tt.ok, tt.mend)
		}
		for _, want := range tt.detail {
			if !strings.Contains(got.Detail, want) {
				t.Errorf("%s: %q, want %q in it", tt.name, got.Detail, want)
			}
		}
	}
}

func TestDescriptorsMend(t *testing.T) {
	for _, tt := range []struct {
		root         bool
		detail, mend string
	}{{false, "2 of 40", "run as root"}, {true, "keeps even root", "run apptap on the host itself"}} {
		if detail, mend := descriptorsMend(2, 40, 1, tt.root); !strings.Contains(detail, tt.detail) || !strings.HasPrefix(mend, tt.mend) {
			t.Errorf("root %v: got %q, %q", tt.root, detail, mend)
		}
	}
}

// TestIntegrationFallback takes the rights to eBPF away and wants the report and doctor to say that owners are polled for, what is
// lacking by that, and the mend.
func TestIntegrationFallback(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("has no rights to take away: wants root")
	}
	var degraded []string
	var traced bool
	var check Check
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // capabilities are a thread's; this one ends with the goroutine
		if err = withoutCapabilities(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_ADMIN); err != nil {
			return
		}
		check = probeTrace()
		var w *Watcher
		if w, degraded, err = Open(Config{}); err == nil {
			traced = w.trace != nil
			err = w.Close()
		}
	}()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	if traced || check.OK {
		t.Fatalf("kernel events work without the right to them: %+v", check)
	}
	report := strings.Join(degraded, "\n")
	for _, want := range []string{"owners are polled for", "ambiguous", "other network namespaces", "UDP is not compared", "CAP_BPF"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report does not say %q: %s", want, report)
		}
	}
	if !strings.Contains(check.Detail, pollingLacks) || !strings.Contains(check.Mend, "CAP_BPF") {
		t.Errorf("doctor says %q, mend %q", check.Detail, check.Mend)
	}
}

// withoutCapabilities takes capabilities from this thread.
func withoutCapabilities(list ...int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	for _, c := range list {
		word, bit := &data[c/32], uint32(1)<<(c%32)
		word.Effective, word.Permitted, word.Inheritable = word.Effective&^bit, word.Permitted&^bit, word.Inheritable&^bit
	}
	return unix.Capset(&header, &data[0])
}
