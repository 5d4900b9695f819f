package kernel

import (
	"errors"
	"fmt"
	stdnet "net"

	"github.com/shirou/gopsutil/v3/net"
	"golang.org/x/sys/unix"
)

// interfaceStats reads the counters of all interfaces that have any. gopsutil starts netstat for them.
func interfaceStats() ([]net.IOCountersStat, error) {
	interfaces, err := stdnet.Interfaces()
	if err != nil {
		return nil, err
	}
	const general = 1 // IFDATA_GENERAL
	var stats []net.IOCountersStat
	var errs []error
	for _, i := range interfaces {
		b, err := unix.SysctlRaw("net.link.generic.ifdata", i.Index, general)
		if err != nil {
			errs = append(errs, fmt.Errorf("sysctl net.link.generic.ifdata of %s: %w", i.Name, err))
			continue
		}
		s, err := decodeIFMIB(b)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		stats = append(stats, s)
	}
	if len(stats) == 0 {
		return nil, errors.Join(errs...)
	}
	return stats, nil // an interface that is missing is told of by who asked for it
}
