package conntrack

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The multicast groups of entries that are new and of those that are gone: enum nfnetlink_groups in linux/netfilter/nfnetlink.h.
const (
	groupNew     = 1
	groupDestroy = 3
)

const (
	// readBuffer is what one read can hold; the kernel fills a dump's answers up to 32 KiB.
	readBuffer = 64 << 10
	// queueBuffer is the receive buffer in bytes. The kernel charges only what is queued.
	queueBuffer = 4 << 20
	// dumpTimeout bounds a dump.
	dumpTimeout = 10 * time.Second
)

// Listener hears of flows that the kernel tracks and translates, in the network namespace in which it was opened. It is not safe for
// concurrent use, but for Overflows.
type Listener struct {
	conn      *netlink.Conn
	raw       syscall.RawConn
	buffer    []byte
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
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open netfilter socket: %w", err)
	}
	l := &Listener{conn: conn, buffer: make([]byte, readBuffer)}
	if err := l.join(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen for tracked connections: %w", err)
	}
	return l, nil
}

func (l *Listener) join() (err error) {
	if l.raw, err = l.conn.SyscallConn(); err != nil {
		return err
	}
	if err := l.raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, queueBuffer) != nil {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, queueBuffer) // a smaller queue overflows sooner, and says so
		}
	}); err != nil {
		return err
	}
	return errors.Join(l.conn.JoinGroup(groupNew), l.conn.JoinGroup(groupDestroy))
}

// Close ends the listening.
func (l *Listener) Close() error { return l.conn.Close() }

// Overflows counts how often messages were lost because the queue was full; how many each time the kernel does not say.
func (l *Listener) Overflows() uint64 { return l.overflows.Load() }

// Drain appends what was heard since the last call, without blocking.
func (l *Listener) Drain(dst []Entry) ([]Entry, error) {
	for {
		n, err := 0, error(nil)
		if failed := l.raw.Control(func(fd uintptr) { n, err = receive(fd, l.buffer) }); failed != nil {
			return dst, fmt.Errorf("hear of tracked connections: %w", failed)
		}
		switch {
		case errors.Is(err, unix.EAGAIN):
			return dst, nil
		case errors.Is(err, unix.ENOBUFS):
			l.overflows.Add(1)
			continue
		case err != nil:
			return dst, fmt.Errorf("hear of tracked connections: %w", err)
		}
		if dst, _, err = Append(dst, l.buffer[:n]); err != nil {
			l.overflows.Add(1) // what cannot be read is as good as lost
		}
	}
}

// Dump lists the flows of now that are translated, over a connection of its own. It wants CAP_NET_ADMIN.
func Dump() (list []Entry, err error) {
	if _, err := Tracked(); err != nil {
		return nil, err
	}
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open netfilter socket: %w", err)
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(dumpTimeout))
	}
	if err == nil {
		_, err = conn.Send(netlink.Message{
			Header: netlink.Header{Type: typeGet, Flags: netlink.Request | netlink.Dump}, Data: appendDump(nil),
		})
	}
	buffer := make([]byte, readBuffer)
	for done := false; err == nil && !done; {
		var n int
		if failed := raw.Read(func(fd uintptr) bool {
			n, err = receive(fd, buffer)
			return !errors.Is(err, unix.EAGAIN)
		}); failed != nil {
			err = failed
		}
		if err == nil {
			list, done, err = Append(list, buffer[:n])
		}
	}
	if err != nil {
		return list, fmt.Errorf("dump tracked connections: %w", err)
	}
	return list, nil
}

// receive reads one datagram if there is one, else its error is EAGAIN.
func receive(fd uintptr, b []byte) (int, error) {
	for {
		n, _, flags, _, err := unix.Recvmsg(int(fd), b, nil, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case flags&unix.MSG_TRUNC != 0:
			return 0, fmt.Errorf("%w: longer than %d bytes", ErrMessage, len(b))
		}
		return n, nil
	}
}
