package kernel

import (
	"errors"
	"fmt"

	"github.com/shirou/gopsutil/v3/net"

	"apptap/summarize"
)

// ErrNoInterface says that the system has no counters of an interface.
var ErrNoInterface = errors.New("no such interface")

// Interfaces reads the counters of the named interfaces. It returns those that it found, with an error that
// wraps ErrNoInterface if some are missing, and nil where there are none to be had at all.
//
// Source on Linux: /proc/net/dev by way of gopsutil. It and /sys/class/net/NAME/statistics print the same
// dev_get_stats, which on veth grow by exactly the frame bytes that a capture sees; lo leaves out its
// link-layer header, which is added here. /proc follows the network namespace
// of the process, /sys the one in which it was mounted: inside "nsenter --net" it is the wrong one.
// Source on macOS: the sysctl net.link.generic.ifdata (bsd/net/if_mib.c).
func (c *Counters) Interfaces(names []string) (map[string]summarize.InterfaceCounters, error) {
	stats, err := interfaceStats()
	if err != nil {
		return nil, fmt.Errorf("read interface counters: %w", err)
	}
	queues := egressQueues()
	found := make(map[string]summarize.InterfaceCounters, len(names))
	var missing []error
	for _, name := range names {
		at := indexOf(stats, name)
		if at < 0 {
			missing = append(missing, fmt.Errorf("read interface counters of %s: %w", name, ErrNoInterface))
			continue
		}
		s, header, q := &stats[at], uncountedHeader(name), queues.of(name)
		found[name] = summarize.InterfaceCounters{
			RxPackets: s.PacketsRecv, RxBytes: s.BytesRecv + header*s.PacketsRecv,
			TxPackets: s.PacketsSent, TxBytes: s.BytesSent + header*s.PacketsSent,
			RxDropped: s.Dropin, TxDropped: s.Dropout,
			QueueDropped: q.dropped, QueuePackets: q.packets, QueueBytes: q.bytes,
		}
	}
	return found, errors.Join(missing...)
}

func indexOf(stats []net.IOCountersStat, name string) int {
	for i := range stats {
		if stats[i].Name == name {
			return i
		}
	}
	return -1
}
