package nlsocket

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Socket is a netlink socket of the network namespace in which it was opened. One goroutine uses it at a time, but
// SetReadDeadline may be called from any.
type Socket struct {
	conn   *netlink.Conn
	raw    syscall.RawConn
	buffer []byte
}

// Open opens a socket of a netlink family (unix.NETLINK_...), for datagrams of up to longest bytes.
func Open(family, longest int) (*Socket, error) {
	conn, err := netlink.Dial(family, nil)
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Socket{conn: conn, raw: raw, buffer: make([]byte, longest)}, nil
}

// Close closes the socket.
func (s *Socket) Close() error { return s.conn.Close() }

// Grow asks for a receive queue of size bytes, past net.core.rmem_max with CAP_NET_ADMIN and else up to it, and returns the size
// granted, as the kernel counts it. The kernel charges only what is queued.
func (s *Socket) Grow(size int) (granted int, err error) {
	controlErr := s.raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
			if err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, size); err != nil {
				return
			}
		}
		granted, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	return granted, errors.Join(controlErr, err)
}

// Join joins multicast groups: what is sent to them from now on is queued.
func (s *Socket) Join(groups ...uint32) error {
	for _, group := range groups {
		if err := s.conn.JoinGroup(group); err != nil {
			return err
		}
	}
	return nil
}

// Leave leaves multicast groups. What is queued stays.
func (s *Socket) Leave(groups ...uint32) error {
	for _, group := range groups {
		if err := s.conn.LeaveGroup(group); err != nil {
			return err
		}
	}
	return nil
}

// Send sends a request and returns the sequence number that its answers have.
func (s *Socket) Send(kind netlink.HeaderType, flags netlink.HeaderFlags, body []byte) (sequence uint32, err error) {
	sent, err := s.conn.Send(netlink.Message{Header: netlink.Header{Type: kind, Flags: flags}, Data: body})
	return sent.Header.Sequence, err
}

// SetDeadline bounds Send and Receive.
func (s *Socket) SetDeadline(t time.Time) error { return s.conn.SetDeadline(t) }

// SetReadDeadline bounds Receive, also one that is under way. The zero Time is no bound.
func (s *Socket) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// Receive waits for a datagram, which is valid until the next call. Its error is ENOBUFS where the queue was full and some were
// lost, and wraps ErrLong for a datagram that does not fit. netlink.Conn.Receive asks for every datagram's length first and
// allocates for each: twice the system calls.
func (s *Socket) Receive() (datagram []byte, err error) {
	readErr := s.raw.Read(func(fd uintptr) bool {
		datagram, err = s.receive(fd)
		return !errors.Is(err, unix.EAGAIN)
	})
	if readErr != nil {
		return nil, readErr
	}
	return datagram, err
}

// ReceiveNow is Receive without waiting: its error is EAGAIN if there is no datagram. It knows no deadline.
func (s *Socket) ReceiveNow() (datagram []byte, err error) {
	controlErr := s.raw.Control(func(fd uintptr) { datagram, err = s.receive(fd) })
	if controlErr != nil {
		return nil, controlErr
	}
	return datagram, err
}

func (s *Socket) receive(fd uintptr) ([]byte, error) {
	for {
		n, _, flags, _, err := unix.Recvmsg(int(fd), s.buffer, nil, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, err
		case flags&unix.MSG_TRUNC != 0:
			return nil, fmt.Errorf("%w: longer than %d bytes", ErrLong, len(s.buffer))
		}
		return s.buffer[:n], nil
	}
}

// FD is the descriptor to poll, valid until Close.
func (s *Socket) FD() (fd int, err error) {
	err = s.raw.Control(func(raw uintptr) { fd = int(raw) })
	return fd, err
}
