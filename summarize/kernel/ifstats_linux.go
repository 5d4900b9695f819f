package kernel

import "github.com/shirou/gopsutil/v3/net"

// interfaceStats reads the counters of all interfaces.
func interfaceStats() ([]net.IOCountersStat, error) { return net.IOCounters(true) }
