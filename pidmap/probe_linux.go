package pidmap

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"apptap/pidmap/sockdiag"
)

// Probe tries every source of this room and says what works here.
func Probe() []Check {
	return []Check{probeTrace(), probeDump(), probeFD(), probeConnector(), probeTranslations()}
}

func probeDump() Check {
	check := Check{Name: "INET_DIAG dump"}
	conn, err := sockdiag.Open()
	if err == nil {
		defer conn.Close()
		var sockets []sockdiag.Socket
		if sockets, err = conn.DumpAll(context.Background(), nil); err == nil {
			check.OK, check.Detail = true, fmt.Sprintf("TCP and UDP sockets in this network namespace: %d", len(sockets))
			return check
		}
	}
	check.Detail, check.Mend = err.Error(), "load the kernel modules inet_diag, tcp_diag and udp_diag (modprobe)"
	return check
}

func probeFD() Check {
	procs, err := newProcfs(defaultRoot)
	if err != nil {
		return Check{Name: descriptorsName, Detail: err.Error(), Mend: "mount proc on /proc"}
	}
	return probeDescriptors(procs)
}

const descriptorsName = "descriptors of processes"

// probeDescriptors counts the processes whose sockets cannot be seen.
func probeDescriptors(procs *procfs) Check {
	check := Check{Name: descriptorsName}
	pids, err := procs.pids()
	if err != nil {
		check.Detail, check.Mend = err.Error(), "mount proc on /proc"
		return check
	}
	refused, example := 0, int32(0)
	for _, pid := range pids {
		d, err := procs.open(pid)
		if err != nil {
			continue // gone
		}
		if _, err = procs.appendSockets(nil, d); denied(err) {
			refused, example = refused+1, pid
		}
		d.close()
	}
	if refused == 0 {
		check.OK, check.Detail = true, fmt.Sprintf("all %d readable", len(pids))
		return check
	}
	check.Detail, check.Mend = descriptorsMend(refused, len(pids), example, os.Geteuid() == 0)
	return check
}

// descriptorsMend says which processes' sockets cannot be seen, and what to do about it.
func descriptorsMend(refused, of int, example int32, root bool) (detail, mend string) {
	detail = fmt.Sprintf("not shown by %d of %d processes, such as process %d", refused, of, example)
	if root {
		return detail + ": a security policy keeps even root from it", "run apptap on the host itself, outside of containers, or allow it ptrace " +
			"in that policy (AppArmor, SELinux, Yama); kernel events (eBPF) name the owners of what these send and receive all the same"
	}
	return detail, "run as root, or give CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
}

func probeConnector() Check {
	check := Check{Name: "proc connector"}
	c, err := openConnector(defaultRoot)
	if err != nil {
		check.Detail, check.Mend = err.Error(), connectorMend(err)
		return check
	}
	if err := c.close(); err != nil {
		check.Detail, check.Mend = err.Error(), "try again"
		return check
	}
	check.OK, check.Detail = true, "the kernel tells of programs that start and end"
	return check
}

func connectorMend(err error) string {
	switch {
	case errors.Is(err, errNoAnswer):
		return "run apptap in the initial network and pid namespaces"
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return "run as root, or give CAP_NET_ADMIN"
	case errors.Is(err, unix.EPROTONOSUPPORT):
		return "this kernel lacks CONFIG_CONNECTOR and CONFIG_PROC_EVENTS"
	}
	return "see dmesg"
}
