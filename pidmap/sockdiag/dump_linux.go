package sockdiag

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"apptap/flows"
	"apptap/pidmap/nlsocket"
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
type Conn struct{ socket *nlsocket.Socket }

// Open opens a Conn. It needs no privilege.
func Open() (*Conn, error) {
	socket, err := nlsocket.Open(unix.NETLINK_SOCK_DIAG, dumpBuffer)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag socket: %w", err)
	}
	return &Conn{socket}, nil
}

// Close closes the Conn.
func (c *Conn) Close() error { return c.socket.Close() }

// Dump appends the sockets that r describes. The kernel walks its tables while they change: a socket that
// is opened or closed meanwhile may or may not be among them. A deadline of ctx ends it; without one 10 s do.
func (c *Conn) Dump(ctx context.Context, dst []Socket, r Request) ([]Socket, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(dumpTimeout)
	}
	if err := c.socket.SetDeadline(deadline); err != nil {
		return dst, fmt.Errorf("dump %v sockets: %w", r.Proto, err)
	}
	sequence, err := c.socket.Send(typeDiag, netlink.Request|netlink.Dump, r.appendTo(nil))
	for done := false; err == nil && !done; {
		var datagram []byte
		if datagram, err = c.socket.Receive(); err == nil {
			dst, done, err = appendDatagram(dst, datagram, r.Proto, sequence)
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
