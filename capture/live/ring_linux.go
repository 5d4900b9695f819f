package live

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"apptap/capture"
)

// ring reads a TPACKET_V3 ring of its own (linux Documentation/networking/packet_mmap.rst). It is made and read in
// the network namespace of the thread that opened it. Not safe for concurrent use.
// Stop may be called beside the rest.
type ring struct {
	fd         int
	memory     []byte
	blockBytes int
	at         int // number of the block that is read, or awaited
	held       bool
	frames     ringFrames
	hold       time.Duration // until the kernel hands over a block that is not full
	sleeper    *sleeper
	rests      rests
	down       bool // the interface was down when last looked at

	interfaces [1]capture.Interface
	sum        capture.Stats
	lost       *deviceDrops
}

// word is a word of a block's header that the kernel changes too.
func (r *ring) word(block, offset int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&r.memory[block*r.blockBytes+offset]))
}

// statusOf is the word with which the kernel and the reader hand a block to each other.
func (r *ring) statusOf(block int) *atomic.Uint32 { return r.word(block, blockStatus) }

func (r *ring) following() int { return (r.at + 1) % (len(r.memory) / r.blockBytes) }

func (r *ring) ready() bool { return r.statusOf(r.at).Load()&unix.TP_STATUS_USER != 0 }

// Next implements capture.Source. Data lies in the ring.
func (r *ring) Next(p *capture.Packet) error {
	for !r.frames.next(p) {
		r.release()
		if !r.ready() {
			if err := r.await(); err != nil {
				return err
			}
		}
		r.frames.open(r.memory[r.at*r.blockBytes:][:r.blockBytes])
		r.held = true
	}
	return nil
}

// Buffered says whether the next packet is there already.
func (r *ring) Buffered() bool {
	if r.frames.left > 0 {
		return true
	}
	if !r.held {
		return r.ready()
	}
	return r.statusOf(r.following()).Load()&unix.TP_STATUS_USER != 0
}

// release gives the block that was read back to the kernel.
func (r *ring) release() {
	if !r.held {
		return
	}
	r.statusOf(r.at).Store(unix.TP_STATUS_KERNEL)
	r.held = false
	r.rests.read++
	r.at = r.following()
}

// await waits for a block.
func (r *ring) await() error {
	if !r.sleeper.stopped.Load() {
		time.Sleep(r.rests.next(time.Now(), r.hold, len(r.memory)/r.blockBytes))
		if r.ready() {
			return nil
		}
	}
	if !r.sleeper.stopped.Load() {
		if err := r.wait(r.sleeper.patience); err != nil {
			return err
		}
		if r.ready() {
			return nil
		}
		if !r.sleeper.stopped.Load() {
			return capture.ErrTimeout
		}
	}
	return r.drain()
}

const (
	// drainStep is longer than the kernel takes from a frame's time stamp to its place in the ring.
	drainStep = 10 * time.Millisecond
	// drainTime bounds the wait for a block whose time is over: a busy machine may be late.
	drainTime = time.Second
)

// drain waits for what was captured before Stop: the kernel keeps a block that is not full for the hold time, and one in which
// there is nothing for ever (prb_open_block() and prb_retire_rx_blk_timer_expired() of af_packet.c).
func (r *ring) drain() error {
	for step := range (r.hold + drainTime) / drainStep {
		if err := r.wait(drainStep); err != nil {
			return err
		}
		if r.ready() {
			return nil
		}
		if step > 0 && r.word(r.at, blockPackets).Load() == 0 {
			break // the first wait may have been ended by Stop
		}
	}
	return io.EOF
}

// Stop ends the capture: Next gives what was captured until now, and perhaps a little of what comes later, and then io.EOF. It may be
// called by any goroutine, before Close.
func (r *ring) Stop() { r.sleeper.stop() }

// wait blocks until there may be a block, for at most that long. The runtime's poller does not tell when the interface is down or gone:
// where it brings no block, poll(2) is asked too, and waits itself once something was wrong.
func (r *ring) wait(most time.Duration) error {
	timeout := max(1, int(min(most, r.hold)/time.Millisecond))
	if !r.down && r.sleeper.sleep(most) {
		if r.ready() {
			return nil
		}
		timeout = 0
	}
	fds := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}
	_, err := unix.Poll(fds, timeout)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("capture on %s: poll: %w", r.interfaces[0].Name, err)
	}
	if fds[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) == 0 && !r.down {
		return nil
	}
	return r.look()
}

// look finds out what is wrong with the interface. One that is only down may come up again, and the kernel then goes
// on with the same ring; one that is gone does not come back.
func (r *ring) look() error {
	code, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return fmt.Errorf("capture on %s: %w", r.interfaces[0].Name, err)
	case code != 0 && unix.Errno(code) != unix.ENETDOWN:
		return fmt.Errorf("capture on %s: %w", r.interfaces[0].Name, unix.Errno(code))
	}
	r.down = r.down || code != 0
	bound, err := boundTo(r.fd)
	switch {
	case err != nil:
		return fmt.Errorf("capture on %s: %w", r.interfaces[0].Name, err)
	case bound.Ifindex < 0: // packet_notifier() of af_packet.c, on NETDEV_UNREGISTER
		return fmt.Errorf("capture on %s: the interface is gone: %w", r.interfaces[0].Name, os.ErrNotExist)
	}
	return nil
}

// Interfaces implements capture.Source: there is one.
func (r *ring) Interfaces() []capture.Interface {
	r.interfaces[0].Stats = r.Stats()
	return r.interfaces[:]
}

// Stats implements capture.Source with PACKET_STATISTICS, which the kernel sets back to zero at each look. Received
// has what was dropped in it, as in pcap_stats(3).
func (r *ring) Stats() capture.Stats {
	if r.fd < 0 {
		return r.sum
	}
	now, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return r.sum
	}
	r.sum.Received += uint64(now.Packets)
	r.sum.DroppedKernel += uint64(now.Drops)
	r.sum.DroppedInterface = r.lost.sinceOpen()
	r.sum.Known = true
	return r.sum
}

// Close implements capture.Source. Frames of the ring must not be touched afterwards.
func (r *ring) Close() error {
	if r.fd < 0 {
		return nil
	}
	r.Stats()
	err := errors.Join(unix.Munmap(r.memory), r.sleeper.file.Close())
	r.lost.close()
	r.fd = -1
	if err != nil {
		return fmt.Errorf("close capture on %s: %w", r.interfaces[0].Name, err)
	}
	return nil
}

var _ capture.Source = (*ring)(nil)
