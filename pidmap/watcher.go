package pidmap

import "time"

// Config says how to watch; its zero value watches this host.
type Config struct {
	// ProcRoot is where proc(5) is mounted, "" = /proc. Sockets are always those of this network namespace.
	ProcRoot string
	// Polling does without kernel events (eBPF), as on a host that does not offer them.
	Polling bool
}

// ScanStats says what a Watcher's looking cost.
type ScanStats struct {
	Scans     uint64        // looks at the sockets
	FullScans uint64        // of which so many went through the descriptors of all processes
	Spent     time.Duration // wall time of all
	Processes int           // at the last full scan
	Denied    int           // of which so many did not let their descriptors be read
	Lost      uint64        // overflows of the kernel's event queues, how many events each the kernel does not say
}

func (s *ScanStats) add(cost time.Duration, full bool) {
	s.Scans++
	if full {
		s.FullScans++
	}
	s.Spent += cost
}

// Check is one line of apptap doctor: whether a source of this room works here.
type Check struct {
	Name   string
	OK     bool
	Detail string // what was found
	Mend   string // what to do about it, "" if OK
}
