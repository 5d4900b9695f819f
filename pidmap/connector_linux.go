package pidmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// connectorBuffer is the receive buffer in bytes: a parallel build makes some 10,000 events a second of
	// about 800 bytes each as the kernel counts them, so this is half a second of not reading.
	connectorBuffer = 4 << 20
	// connectorDatagram holds any message of the connector: they are 76 bytes.
	connectorDatagram = 4096
	// ackTimeout bounds the wait for the kernel's answer to the listen request, which it sends before the
	// request returns.
	ackTimeout = 100 * time.Millisecond
)

// errNoAnswer says that the kernel took the request to listen and did not answer: it does so only to
// processes of the initial pid and network namespaces (proc(5) has no word of it; drivers/connector/cn_proc.c has).
var errNoAnswer = errors.New("the kernel does not answer: it tells only the initial network and pid namespaces")

// connector hears of programs that start and end.
type connector struct {
	conn   *netlink.Conn
	raw    syscall.RawConn
	buffer []byte
}

// openConnector opens the proc connector in this network namespace, or if it is mute here, in that of process 1. The
// library does the latter on a thread of its own, which it throws away if it cannot leave the namespace.
func openConnector(root string) (*connector, error) {
	c, err := dialConnector(nil)
	if !errors.Is(err, errNoAnswer) {
		return c, err
	}
	ns, nsErr := os.Open(filepath.Join(root, "1/ns/net"))
	if nsErr != nil {
		return nil, err
	}
	defer ns.Close()
	if c, nsErr = dialConnector(&netlink.Config{NetNS: int(ns.Fd())}); nsErr != nil {
		return nil, errors.Join(err, fmt.Errorf("in the namespace of process 1: %w", nsErr))
	}
	return c, nil
}

func dialConnector(config *netlink.Config) (*connector, error) {
	conn, err := netlink.Dial(unix.NETLINK_CONNECTOR, config)
	if err != nil {
		return nil, fmt.Errorf("open proc connector: %w", err)
	}
	c := &connector{conn: conn, buffer: make([]byte, connectorDatagram)}
	if err := c.listen(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen to proc connector: %w", err)
	}
	return c, nil
}

func (c *connector) listen() (err error) {
	if c.raw, err = c.conn.SyscallConn(); err != nil {
		return err
	}
	if err := c.conn.JoinGroup(connectorIndex); err != nil {
		return err
	}
	return c.control(func(fd int) error {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, connectorBuffer) != nil {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, connectorBuffer); err != nil {
				return err
			}
		}
		if err := unix.Sendto(fd, appendListen(nil), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return answerError(err)
		}
		return c.awaitAnswer(fd)
	})
}

// answerError turns the error of a kernel that has no connector in this network namespace into errNoAnswer.
func answerError(err error) error {
	if errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("%w (%w)", errNoAnswer, err)
	}
	return err
}

// awaitAnswer reads until the kernel has said whether it will tell of processes.
func (c *connector) awaitAnswer(fd int) error {
	for deadline := time.Now().Add(ackTimeout); ; {
		left := time.Until(deadline)
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int(left.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0 || left <= 0:
			return errNoAnswer
		}
		events, err := c.read(fd, nil)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return err
		}
		for _, e := range events {
			if e.what == procEventNone {
				if e.err != 0 {
					return syscall.Errno(e.err)
				}
				return nil
			}
		}
	}
}

func (c *connector) control(f func(fd int) error) (err error) {
	if controlErr := c.raw.Control(func(fd uintptr) { err = f(int(fd)) }); controlErr != nil {
		return controlErr
	}
	return err
}

// read appends the events of one datagram; its error is EAGAIN if there is none and ENOBUFS if some were lost.
func (c *connector) read(fd int, dst []procEvent) ([]procEvent, error) {
	n, from, err := unix.Recvfrom(fd, c.buffer, unix.MSG_DONTWAIT)
	if err != nil {
		return dst, err
	}
	if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid != 0 {
		return dst, nil // another process that may send to the group, not the kernel
	}
	return appendProcEvents(dst, c.buffer[:n])
}

// drain appends all queued events; lost says that the queue had overflowed. It reads at most 4096
// datagrams, so that a fork bomb cannot keep the caller here.
func (c *connector) drain(dst []procEvent) (events []procEvent, lost bool, err error) {
	err = c.control(func(fd int) error {
		for range 4096 {
			var err error
			dst, err = c.read(fd, dst)
			switch {
			case errors.Is(err, unix.EAGAIN):
				return nil
			case errors.Is(err, unix.ENOBUFS) || errors.Is(err, ErrConnector):
				lost = true
			case err != nil && !errors.Is(err, unix.EINTR):
				return err
			}
		}
		return nil
	})
	return dst, lost, err
}

func (c *connector) close() error { return c.conn.Close() }
