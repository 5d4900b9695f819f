package pidmap

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"apptap/pidmap/ntstat"
)

// controlSocket is a connection to a control of the kernel (PF_SYSTEM, SYSPROTO_CONTROL). A Read is a datagram.
type controlSocket struct{ fd int }

const (
	sysprotoControl = 2       // SYSPROTO_CONTROL of bsd/sys/sys_domain.h
	controlBuffer   = 4 << 20 // bytes of receive buffer: the kernel drops what does not fit
)

// openNtstat connects to com.apple.network.statistics, which needs no privilege. A Read waits at most so long.
func openNtstat(wait time.Duration) (*controlSocket, error) {
	fd, err := unix.Socket(unix.AF_SYSTEM, unix.SOCK_DGRAM, sysprotoControl)
	if err != nil {
		return nil, fmt.Errorf("open kernel control socket: %w", err)
	}
	unix.CloseOnExec(fd)
	c := &controlSocket{fd}
	if err := c.connect(wait); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return c, nil
}

func (c *controlSocket) connect(wait time.Duration) error {
	control := &unix.CtlInfo{}
	copy(control.Name[:], ntstat.ControlName)
	if err := unix.IoctlCtlInfo(c.fd, control); err != nil {
		return fmt.Errorf("find kernel control %s: %w", ntstat.ControlName, err)
	}
	if err := unix.Connect(c.fd, &unix.SockaddrCtl{ID: control.Id}); err != nil {
		return fmt.Errorf("connect to %s: %w", ntstat.ControlName, err)
	}
	// The kernel may grant less; what is lost then is told of.
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, controlBuffer)
	limit := unix.NsecToTimeval(int64(wait))
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return fmt.Errorf("set read timeout of %s: %w", ntstat.ControlName, err)
	}
	return nil
}

// Read implements io.Reader; with nothing to read in time its error is os.ErrDeadlineExceeded.
func (c *controlSocket) Read(b []byte) (int, error) {
	n, err := unix.Read(c.fd, b)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, os.ErrDeadlineExceeded
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	}
	return n, nil
}

// Write implements io.Writer.
func (c *controlSocket) Write(b []byte) (int, error) {
	n, err := unix.Write(c.fd, b)
	return n, os.NewSyscallError("write", err)
}

// Close implements io.Closer.
func (c *controlSocket) Close() error { return os.NewSyscallError("close", unix.Close(c.fd)) }
