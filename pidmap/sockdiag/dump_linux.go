package sockdiag

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"apptap/flows"
)

const (
	// dumpBuffer is what one read of a dump can hold. The kernel sizes its answers by the largest buffer that
	// it was ever offered, up to 32 KiB (netlink_recvmsg in net/netlink/af_netlink.c).
	dumpBuffer = 32 << 10
	// dumpTimeout bounds a dump whose caller set no deadline: 5000 sockets take 4 ms.
	dumpTimeout = 10 * time.Second
)

// Conn asks the kernel for its sockets, in the network namespace in which it was opened. It is not safe for
// concurrent use.
type Conn struct {
	conn   *netlink.Conn
	raw    syscall.RawConn
	buffer []byte
}

// Open opens a Conn. It needs no privilege.
func Open() (*Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag socket: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open sock_diag socket: %w", err)
	}
	return &Conn{conn: conn, raw: raw, buffer: make([]byte, dumpBuffer)}, nil
}

// Close closes the Conn.
func (c *Conn) Close() error { return c.conn.Close() }

// Dump appends the sockets that r describes. The kernel walks its tables while they change: a socket that
// is opened or closed meanwhile may or may not be among them. A deadline of ctx ends it; without one 10 s do.
func (c *Conn) Dump(ctx context.Context, dst []Socket, r Request) ([]Socket, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(dumpTimeout)
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return dst, fmt.Errorf("dump %v sockets: %w", r.Proto, err)
	}
	sent, err := c.conn.Send(netlink.Message{
		Header: netlink.Header{Type: typeDiag, Flags: netlink.Request | netlink.Dump},
		Data:   r.appendTo(nil),
	})
	for done := false; err == nil && !done; {
		var n int
		if n, err = receive(c.raw, c.buffer); err == nil {
			dst, done, err = appendDatagram(dst, c.buffer[:n], r.Proto, sent.Header.Sequence)
		}
	}
	if err != nil {
		return dst, fmt.Errorf("dump %v sockets: %w", r.Proto, err)
	}
	return dst, nil
}

// DumpAll appends all TCP and UDP sockets of both families that can have an owner.
func (c *Conn) DumpAll(ctx context.Context, dst []Socket) ([]Socket, error) {
	var failed error
	for _, proto := range []flows.Protocol{flows.TCP, flows.UDP} {
		for _, ipv6 := range []bool{false, true} {
			var err error
			dst, err = c.Dump(ctx, dst, Request{Proto: proto, IPv6: ipv6, States: SocketStates})
			// A kernel without IPv6, or without the udp_diag module, has nothing to say: the others still do.
			if err != nil && !errors.Is(err, unix.ENOENT) {
				failed = errors.Join(failed, err)
			}
		}
	}
	return dst, failed
}

// receive reads one datagram, blocking until there is one or the connection's deadline. netlink.Conn.Receive
// asks for every datagram's length first and allocates for each: twice the system calls.
func receive(raw syscall.RawConn, b []byte) (n int, err error) {
	readErr := raw.Read(func(fd uintptr) bool {
		n, err = receiveNow(fd, b)
		return !errors.Is(err, unix.EAGAIN)
	})
	if readErr != nil {
		return 0, readErr
	}
	return n, err
}

// receiveNow reads one datagram if there is one, else its error is EAGAIN.
func receiveNow(fd uintptr, b []byte) (int, error) {
	for {
		n, _, flags, _, err := unix.Recvmsg(int(fd), b, nil, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if flags&unix.MSG_TRUNC != 0 {
			return 0, fmt.Errorf("%w: longer than %d bytes", ErrMessage, len(b))
		}
		return n, nil
	}
}
