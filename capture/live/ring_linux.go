package live

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"apptap/capture"
)

// ringBlockBytes is the unit in which the kernel hands frames over. A block goes when it is full or a read timeout
// old, so that many small ones outlast a reader that is not scheduled; 256 KiB still hold 160 full Ethernet frames.
const ringBlockBytes = 256 << 10

// ring reads a TPACKET_V3 ring of its own (linux Documentation/networking/packet_mmap.rst). It is made and read in
// the network namespace of the thread that opened it. Not safe for concurrent use.
type ring struct {
	fd         int
	memory     []byte
	at         int // number of the block that is read, or awaited
	held       bool
	frames     ringFrames
	waitMillis int
	down       bool // the interface was down when last looked at

	interfaces [1]capture.Interface
	sum        capture.Stats
	lost       *deviceDrops
}

// statusOf is the word with which the kernel and the reader hand a block to each other.
func (r *ring) statusOf(block int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&r.memory[block*ringBlockBytes+blockStatus]))
}

func (r *ring) ready() bool { return r.statusOf(r.at).Load()&unix.TP_STATUS_USER != 0 }

// Next implements capture.Source. Data lies in the ring.
func (r *ring) Next(p *capture.Packet) error {
	for !r.frames.next(p) {
		r.release()
		if !r.ready() {
			if err := r.wait(); err != nil {
				return err
			}
			if !r.ready() {
				return capture.ErrTimeout
			}
		}
		r.frames.open(r.memory[r.at*ringBlockBytes:][:ringBlockBytes])
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
	return r.statusOf((r.at+1)%(len(r.memory)/ringBlockBytes)).Load()&unix.TP_STATUS_USER != 0
}

// release gives the block that was read back to the kernel.
func (r *ring) release() {
	if !r.held {
		return
	}
	r.statusOf(r.at).Store(unix.TP_STATUS_KERNEL)
	r.held = false
	r.at = (r.at + 1) % (len(r.memory) / ringBlockBytes)
}

// wait blocks until there may be a block, for at most the read timeout.
func (r *ring) wait() error {
	fds := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}
	_, err := unix.Poll(fds, r.waitMillis)
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
	err := errors.Join(unix.Munmap(r.memory), unix.Close(r.fd))
	r.lost.close()
	r.fd = -1
	if err != nil {
		return fmt.Errorf("close capture on %s: %w", r.interfaces[0].Name, err)
	}
	return nil
}

var _ capture.Source = (*ring)(nil)
