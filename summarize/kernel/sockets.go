// Package kernel answers what the operating system itself counted: bytes per TCP socket while it lives and when
// it ends, and frames per interface. The pipeline calls it. It never looks at packets and never judges:
// comparing is summarize's work.
package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apptap/flows"
	"apptap/pidmap/sockdiag"
	"apptap/summarize"
)

// Counters reads the kernel's byte counters in the network namespace in which it was opened. Sockets and
// RunClosed may run at the same time, each in one goroutine; Missed and Overflows may be called from any.
type Counters struct {
	dump      *sockdiag.Conn     // nil if unavailable
	destroyed *sockdiag.Listener // nil if unavailable
	why       error              // why not; nil where those are told of who tells of owners
	pause     time.Duration      // see Second
	missed    chan struct{}      // see Missed; nil unless Second was called
}

// secondPause is how long the counters of sockets that are gone may wait where others tell of them too, who are to be first. The queue
// holds those of 30,000 sockets a second for that long.
const secondPause = 150 * time.Millisecond

// Second says, before RunClosed, that kernel events tell of the end of every socket too. RunClosed then emits nothing until some of these
// are Missed: to be told twice costs a quarter of what it costs apptap to be told of a connection, and the connection as much.
func (c *Counters) Second() error {
	if c.destroyed == nil {
		return nil
	}
	if err := c.destroyed.Suspend(); err != nil {
		return err
	}
	c.pause, c.missed = secondPause, make(chan struct{}, 1)
	return nil
}

// Missed says that kernel events were lost, as they may be again. From now on RunClosed emits what they may not tell of. It never blocks.
func (c *Counters) Missed() {
	select {
	case c.missed <- struct{}{}:
	default: // it is known, or nobody was to be second
	}
}

// smallBuffer is the queue of destroyed sockets in bytes below which a burst is likely to be lost: 5000
// sockets closed at once need 2 MiB.
const smallBuffer = 2 << 20

// Open prepares reading. From now on the sockets that the kernel destroys are queued for RunClosed. The strings say
// what it cannot do here, each with the mend: without sockets, interfaces are still counted.
func Open() (*Counters, []string, error) {
	c := &Counters{}
	if countedByOwners {
		return c, nil, nil
	}
	var degraded []string
	if c.dump, c.why = sockdiag.Open(); c.why != nil {
		return c, append(degraded, fmt.Sprintf("no byte counters of sockets: %v", c.why)), nil
	}
	if c.destroyed, c.why = sockdiag.OpenListener(); c.why != nil {
		return c, append(degraded, fmt.Sprintf("no byte counters of sockets that end: %v", c.why)), nil
	}
	if got := c.destroyed.Buffer(); got < smallBuffer {
		degraded = append(degraded, fmt.Sprintf(
			"counters of many sockets that end at once may be lost: the queue has %d KiB; give CAP_NET_ADMIN or raise net.core.rmem_max to %d",
			got>>10, smallBuffer))
	}
	return c, degraded, nil
}

// Close frees what c holds; RunClosed must have returned.
func (c *Counters) Close() error {
	var errs []error
	if c.dump != nil {
		errs = append(errs, c.dump.Close())
	}
	if c.destroyed != nil {
		errs = append(errs, c.destroyed.Close())
	}
	return errors.Join(errs...)
}

// Sockets reads the counters of all connected TCP sockets. Keys are local -> remote, IPv4-mapped addresses as
// IPv4. The error wraps errors.ErrUnsupported where the system has no such counters. There are none on macOS, where they come with
// the owners of sockets.
func (c *Counters) Sockets(moment summarize.Moment) ([]summarize.SocketCounters, error) {
	if c.dump == nil {
		return nil, c.why
	}
	var sockets []sockdiag.Socket
	var errs []error
	for _, ipv6 := range []bool{false, true} {
		request := sockdiag.Request{Proto: flows.TCP, IPv6: ipv6, States: sockdiag.SocketStates, Counters: true}
		var err error
		// A kernel without IPv6 has IPv4 counters all the same; only if neither answers is there an error.
		if sockets, err = c.dump.Dump(context.Background(), sockets, request); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 2 {
		return nil, fmt.Errorf("read socket counters: %w", errors.Join(errs...))
	}
	return appendCounters(nil, sockets, moment, time.Now().UnixNano()), nil
}

// RunClosed blocks until ctx ends and emits the last counters of each TCP socket that the kernel destroys; then it
// emits what is queued and returns ctx's error. A socket closed with SO_LINGER 0 arrives with its counters and its
// remote port already zeroed (tcp_disconnect in net/ipv4/tcp.c): it is passed on, Incomplete and with Key.Remote.Port 0,
// so that it matches no flow and its cookie still tells of its end.
func (c *Counters) RunClosed(ctx context.Context, emit func([]summarize.SocketCounters)) error {
	if c.destroyed == nil && c.why == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	if c.destroyed == nil {
		return c.why
	}
	if err := c.untilMissed(ctx); err != nil {
		return err
	}
	var told uint64
	return c.destroyed.Run(ctx, c.pause, func(sockets []sockdiag.Socket) {
		counters := appendCounters(nil, sockets, summarize.AtClose, time.Now().UnixNano())
		for i := range counters {
			told++
			counters[i].Sequence = told
		}
		if len(counters) > 0 {
			emit(counters)
		}
	})
}

// untilMissed waits until the ends of sockets are wanted, if they are not now.
func (c *Counters) untilMissed(ctx context.Context) error {
	if c.missed == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.missed:
	}
	if err := c.destroyed.Resume(); err != nil {
		return fmt.Errorf("listen for destroyed sockets: %w", err)
	}
	return nil
}

// Overflows counts how often counters of closed sockets were lost because nobody read them in time; how many
// each time the kernel does not say.
func (c *Counters) Overflows() uint64 {
	if c.destroyed == nil {
		return 0
	}
	return c.destroyed.Overflows()
}

// appendCounters appends what the sockets that have, or had, a peer counted.
func appendCounters(dst []summarize.SocketCounters, sockets []sockdiag.Socket, moment summarize.Moment, now int64) []summarize.SocketCounters {
	for i := range sockets {
		s := &sockets[i]
		if !s.HasCounters || s.Remote.Addr().IsUnspecified() || s.State == sockdiag.Listen {
			continue
		}
		dst = append(dst, withoutFIN(s.State, summarize.SocketCounters{
			Key:           flows.MakeKey(s.Proto, s.Local, s.Remote),
			Cookie:        s.Cookie,
			Time:          now,
			Moment:        moment,
			BytesSent:     s.Counters.Sent,
			BytesRetrans:  s.Counters.Retrans,
			BytesReceived: s.Counters.Received,
			BytesAcked:    s.Counters.Acked,
			Incomplete:    s.Counters.Incomplete || !s.Connected(),
		}))
	}
	return dst
}

// withoutFIN takes the peer's FIN out of the bytes received where the socket's state tells whether it came: these three
// states follow it (RFC 9293, figure 5), the others of a socket that lives come before it.
func withoutFIN(state sockdiag.State, c summarize.SocketCounters) summarize.SocketCounters {
	switch state {
	case sockdiag.CloseWait, sockdiag.LastAck, sockdiag.Closing:
		c.FINKnown, c.PeerFIN = true, true
		c.BytesReceived -= min(c.BytesReceived, 1)
	case sockdiag.Established, sockdiag.FinWait1, sockdiag.FinWait2:
		c.FINKnown = true
	}
	return c
}
