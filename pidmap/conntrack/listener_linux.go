package conntrack

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"apptap/pidmap/nlsocket"
)

// The multicast groups of entries that are new and of those that are gone: enum nfnetlink_groups in linux/netfilter/nfnetlink.h.
const (
	groupNew     = 1
	groupDestroy = 3
)

const (
	// readBuffer is what one read can hold; the kernel fills a dump's answers up to 32 KiB.
	readBuffer = 64 << 10
	// queueBuffer is the receive buffer in bytes. A smaller one, where no more is granted, overflows sooner, and says so.
	queueBuffer = 4 << 20
	// dumpTimeout bounds a dump.
	dumpTimeout = 10 * time.Second
)

// Listener hears of flows that the kernel tracks and translates, in the network namespace in which it was opened. It is not safe for
// concurrent use, but for Overflows.
type Listener struct {
	socket    *nlsocket.Socket
	overflows atomic.Uint64
}

// ErrNotTracking says that the kernel tracks no connections, so that there is nothing to hear.
var ErrNotTracking = errors.New("connections are not tracked here")

// setting is there once the kernel can track connections. Asking before would load the module that does.
const setting = "/proc/sys/net/netfilter/nf_conntrack_"

// Tracked is how many connections the kernel tracks in this network namespace; its error is ErrNotTracking where it cannot.
func Tracked() (n int, err error) {
	b, err := os.ReadFile(setting + "count")
	if errors.Is(err, os.ErrNotExist) {
		return 0, ErrNotTracking
	}
	if err != nil {
		return 0, fmt.Errorf("count tracked connections: %w", err)
	}
	if _, err := fmt.Sscan(string(b), &n); err != nil {
		return 0, fmt.Errorf("count tracked connections: %w", err)
	}
	return n, nil
}

// Silent says that the kernel was told to tell nobody of new entries (net.netfilter.nf_conntrack_events).
func Silent() bool {
	b, err := os.ReadFile(setting + "events")
	return err == nil && len(b) > 0 && b[0] == '0'
}

// Open begins to listen. It wants CAP_NET_ADMIN; Drain then wants nothing. Its error wraps ErrNotTracking where there is nothing to hear.
func Open() (*Listener, error) {
	if _, err := Tracked(); err != nil {
		return nil, err
	}
	socket, err := nlsocket.Open(unix.NETLINK_NETFILTER, readBuffer)
	if err != nil {
		return nil, fmt.Errorf("open netfilter socket: %w", err)
	}
	if _, err = socket.Grow(queueBuffer); err == nil {
		err = socket.Join(groupNew, groupDestroy)
	}
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("listen for tracked connections: %w", err)
	}
	return &Listener{socket: socket}, nil
}

// Close ends the listening.
func (l *Listener) Close() error { return l.socket.Close() }

// Overflows counts how often messages were lost because the queue was full; how many each time the kernel does not say.
func (l *Listener) Overflows() uint64 { return l.overflows.Load() }

// Drain appends what was heard since the last call, without blocking.
func (l *Listener) Drain(dst []Entry) ([]Entry, error) {
	for {
		datagram, err := l.socket.ReceiveNow()
		switch {
		case errors.Is(err, unix.EAGAIN):
			return dst, nil
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, nlsocket.ErrLong):
			l.overflows.Add(1)
			continue
		case err != nil:
			return dst, fmt.Errorf("hear of tracked connections: %w", err)
		}
		if dst, _, err = Append(dst, datagram); err != nil {
			l.overflows.Add(1) // what cannot be read is as good as lost
		}
	}
}

// Dump lists the flows of now that are translated, over a connection of its own. It wants CAP_NET_ADMIN.
func Dump() (list []Entry, err error) {
	if _, err := Tracked(); err != nil {
		return nil, err
	}
	socket, err := nlsocket.Open(unix.NETLINK_NETFILTER, readBuffer)
	if err != nil {
		return nil, fmt.Errorf("open netfilter socket: %w", err)
	}
	defer socket.Close()
	if err = socket.SetDeadline(time.Now().Add(dumpTimeout)); err == nil {
		_, err = socket.Send(typeGet, netlink.Request|netlink.Dump, appendDump(nil))
	}
	for done := false; err == nil && !done; {
		var datagram []byte
		if datagram, err = socket.Receive(); err == nil {
			list, done, err = Append(list, datagram)
		}
	}
	if err != nil {
		return list, fmt.Errorf("dump tracked connections: %w", err)
	}
	return list, nil
}
