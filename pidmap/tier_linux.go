package pidmap

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"apptap/pidmap/bpf"
)

// capabilities are the smallest set for everything that apptap does here.
const capabilities = "cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search"

// pollingLacks is what the next best to kernel events cannot tell.
const pollingLacks = "programs that ran for less than two seconds before a flow own it only as candidates (ambiguous) or not at all, sockets in other " +
	"network namespaces are not seen, and UDP is not compared with the kernel"

// polledFor says why owners are polled for, what is lacking by that, and what to do about it.
func polledFor(err error) string {
	return fmt.Sprintf("owners are polled for, not told by the kernel: %v; so %s; %s", err, pollingLacks, traceMend(err, hostOf()))
}

// probeTrace says whether kernel events work here.
func probeTrace() Check {
	tracer, report, err := bpf.Open()
	if err == nil {
		defer tracer.Close()
	}
	return traceCheck(&report, err, hostOf())
}

// traceCheck says what came of opening kernel events on a host.
func traceCheck(report *bpf.Report, err error, host tierHost) Check {
	check := Check{Name: "kernel events (eBPF)"}
	if err != nil {
		check.Detail, check.Mend = fmt.Sprintf("%v; without them %s", err, pollingLacks), traceMend(err, host)
		return check
	}
	check.OK, check.Detail = true, "every program that sends or receives, by "+report.Tier
	for _, m := range report.Missing {
		check.OK = false
		check.Detail += fmt.Sprintf("; not told: %s (%v)", m.Lost, m.Err)
		check.Mend = traceMend(m.Err, host)
	}
	return check
}

// kernelTypes is where a kernel with BTF has its types.
const kernelTypes = "/sys/kernel/btf/vmlinux"

// tierHost is what a mend depends on beside the error.
type tierHost struct {
	root    bool
	btf     bool
	program string // apptap's own executable
}

func hostOf() tierHost {
	h := tierHost{root: os.Geteuid() == 0, program: "apptap"}
	if path, err := os.Executable(); err == nil {
		h.program = path
	}
	_, err := os.Stat(kernelTypes)
	h.btf = err == nil
	return h
}

// traceMend says what to do where kernel events do not work.
func traceMend(err error, h tierHost) string {
	var missing *os.PathError
	switch {
	case errors.Is(err, os.ErrPermission) && h.root:
		return "allow eBPF where apptap runs: outside of containers, or in one with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN and no seccomp " +
			"filter on bpf(2), and with kernel lockdown no stricter than integrity"
	case errors.Is(err, os.ErrPermission):
		return "run as root, or once: sudo setcap " + capabilities + "+ep " + quoted(h.program)
	case !h.btf:
		return "boot a kernel with BTF (CONFIG_DEBUG_INFO_BTF; it has " + kernelTypes + ")"
	case errors.Is(err, os.ErrNotExist) && errors.As(err, &missing):
		return "mount what has " + missing.Path
	case errors.Is(err, errors.ErrUnsupported):
		return "boot Linux 5.15 or later with BTF and cgroup v2, on amd64 or arm64"
	}
	return "see dmesg"
}

// quoted is a path as a shell takes it for one word.
func quoted(path string) string {
	if !strings.ContainsAny(path, " \t\n'\"\\$&;()<>|*?[]#~`!{}") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
