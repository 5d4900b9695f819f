package kernel

import (
	"errors"
	"fmt"

	"apptap/pidmap/nlsocket"
	"apptap/summarize"
)

// Check is one line of apptap doctor: whether a source of counters works here.
type Check struct {
	Name   string
	OK     bool
	Detail string // what was found
	Mend   string // what to do about it, "" if OK
}

// Probe tries every source of this room and says what works here.
func Probe() []Check {
	c, degraded, err := Open()
	if err != nil {
		return []Check{{Name: "kernel counters", Detail: err.Error(), Mend: "see the error"}}
	}
	defer c.Close()
	if countedByOwners {
		return []Check{probeInterfaces()} // the others are probed with the owners
	}
	return []Check{probeSockets(c), probeDestroyed(c, degraded), probeInterfaces()}
}

func probeSockets(c *Counters) Check {
	check := Check{Name: "counters of open TCP sockets"}
	sockets, err := c.Sockets(summarize.AtStart)
	if err != nil {
		check.Detail, check.Mend = err.Error(), mend(err)
		return check
	}
	incomplete := 0
	for i := range sockets {
		if sockets[i].Incomplete {
			incomplete++
		}
	}
	check.OK, check.Detail = incomplete == 0, fmt.Sprintf("%d now", len(sockets))
	if !check.OK {
		check.Detail += ", without bytes_sent"
		check.Mend = "Linux 4.19 or newer counts the bytes sent"
	}
	return check
}

func probeDestroyed(c *Counters, degraded []string) Check {
	check := Check{Name: "counters of TCP sockets that end"}
	switch {
	case c.destroyed == nil:
		check.Detail, check.Mend = c.why.Error(), mend(c.why)
	case len(degraded) > 0:
		check.Detail, check.Mend = degraded[0], "give CAP_NET_ADMIN"
	default:
		check.OK, check.Detail = true, fmt.Sprintf("queue of %d KiB", c.destroyed.Buffer()>>10)
	}
	return check
}

func probeInterfaces() Check {
	check := Check{Name: "counters of interfaces"}
	stats, err := interfaceStats()
	if err != nil {
		check.Detail, check.Mend = err.Error(), interfacesMend
		return check
	}
	check.OK, check.Detail = true, fmt.Sprintf("%d now", len(stats))
	return check
}

func mend(err error) string {
	if errors.Is(err, errors.ErrUnsupported) {
		return "there is no other source of them on this system yet"
	}
	if errors.Is(err, nlsocket.ErrMessage) {
		return "report the kernel version as a bug"
	}
	return "load the kernel modules inet_diag and tcp_diag (modprobe)"
}
