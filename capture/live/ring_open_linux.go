package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"apptap/capture"
)

// protocolAll is htons(ETH_P_ALL).
func protocolAll() uint16 { return binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL}) }

// openRing opens a ring. Nothing reaches it before its filter is set: until the last step the socket listens to no
// protocol. Its errors are Open's.
func openRing(c Config) (capture.Source, error) {
	r := &ring{fd: -1, hold: max(c.ReadTimeout, time.Millisecond)}
	patience := r.hold
	if c.Relaxed {
		r.hold, patience = RelaxedHold, relaxedPatience
	}
	if err := r.open(c); err != nil {
		if r.fd >= 0 {
			unix.Close(r.fd) // nothing was read
		}
		if r.memory != nil {
			unix.Munmap(r.memory)
		}
		return nil, err
	}
	var err error
	if r.sleeper, err = newSleeper(r.fd, patience, r.ready); err != nil {
		r.Close()
		return nil, fmt.Errorf("capture on %s: %w", c.Interface, err)
	}
	return r, nil
}

// relaxedPatience is how long Next waits where nothing comes and nobody is in a hurry.
const relaxedPatience = time.Second

func (r *ring) open(c Config) error {
	index, kind := 0, unix.SOCK_DGRAM // any: the kernel takes every interface's own header off
	if c.Interface != anyInterface {
		var err error
		if index, err = indexOf(c.Interface); err != nil {
			return err
		}
		kind = unix.SOCK_RAW
	}
	fd, err := unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return explainRing(c.Interface, "open packet socket", err)
	}
	r.fd = fd
	linkType, err := r.attach(c, index)
	if err != nil {
		return err
	}
	if err := r.allocate(c); err != nil {
		return err
	}
	r.interfaces[0] = describe(c.Interface)
	r.interfaces[0].LinkType, r.interfaces[0].SnapLen = linkType, c.SnapLen
	r.frames = ringFrames{linkType: linkType, snapLen: c.SnapLen, loopback: loopbackIndex()}
	r.lost = openDeviceDrops(c.Interface)
	if c.Promiscuous && index != 0 {
		request := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &request); err != nil {
			return explainRing(c.Interface, "set promiscuous mode", err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocolAll(), Ifindex: index}); err != nil {
		return explainRing(c.Interface, "bind", err)
	}
	// An interface that is down is an error here as in libpcap: whoever names it wants packets.
	if code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && code != 0 {
		return explainRing(c.Interface, "bind", unix.Errno(code))
	}
	return nil
}

// attach finds the link type and sets the filter for it.
func (r *ring) attach(c Config, index int) (capture.LinkType, error) {
	linkType := capture.LinkTypeLinuxSLL
	if index != 0 {
		if err := unix.Bind(r.fd, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
			return 0, explainRing(c.Interface, "bind", err)
		}
		bound, err := boundTo(r.fd)
		if err != nil {
			return 0, explainRing(c.Interface, "look at the interface", err)
		}
		known := false
		if linkType, known = linuxLinkType(int(bound.Hatype)); !known || linkType == capture.LinkTypeIEEE80211Radio {
			return 0, fmt.Errorf("capture on %s: the ring reader does not know hardware type %d: %w", c.Interface, bound.Hatype, errors.ErrUnsupported)
		}
		if bound.Hatype == unix.ARPHRD_LOOPBACK { // spares the ring what fill would leave out; since Linux 4.20
			_ = unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		}
	}
	program, err := kernelProgram(c, linkType)
	if err != nil {
		return 0, err
	}
	if err := setFilter(r.fd, program); err != nil {
		return 0, explainRing(c.Interface, "set filter", err)
	}
	return linkType, nil
}

func setFilter(fd int, program []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}

// allocate maps the ring, a smaller one where the kernel has not that much memory.
func (r *ring) allocate(c Config) error {
	if err := errors.Join(
		unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3),
		unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_RESERVE, tagBytes),
	); err != nil {
		return explainRing(c.Interface, "set up ring", err)
	}
	r.blockBytes = ringBlockBytes(c.BufferBytes)
	blocks := max(2, c.BufferBytes/r.blockBytes)
	for {
		request := unix.TpacketReq3{
			Block_size: uint32(r.blockBytes), Block_nr: uint32(blocks),
			Frame_size: uint32(r.blockBytes), Frame_nr: uint32(blocks), // of V3 frames each takes what it needs
			Retire_blk_tov: uint32(r.hold / time.Millisecond),
		}
		err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.ENOMEM) || blocks <= 2 {
			return explainRing(c.Interface, "allocate ring", err)
		}
		blocks /= 2
	}
	memory, err := unix.Mmap(r.fd, 0, blocks*r.blockBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return explainRing(c.Interface, "map ring", err)
	}
	r.memory = memory
	return nil
}

const (
	leastBlockBytes = 256 << 10 // holds the longest super-frame, and 160 full Ethernet frames
	mostBlockBytes  = 1 << 20   // 7,000 small frames for one wake-up
	leastBlocks     = 32
)

// ringBlockBytes is the unit in which the kernel hands frames over, a power of two of at least a page. A block goes when it is full or
// the hold time is over. Large ones cost few wake-ups, and many outlast a reader that is not scheduled.
func ringBlockBytes(buffer int) int {
	bytes := mostBlockBytes
	for bytes > leastBlockBytes && buffer/bytes < leastBlocks {
		bytes /= 2
	}
	return bytes
}

// boundTo is where a packet socket listens: interface -1 once that is gone.
func boundTo(fd int) (*unix.SockaddrLinklayer, error) {
	address, err := unix.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("look at the socket: %w", err)
	}
	bound, ok := address.(*unix.SockaddrLinklayer)
	if !ok {
		return nil, fmt.Errorf("look at the socket: it is bound to a %T", address)
	}
	return bound, nil
}

// explainRing turns an error into one that names the mend.
func explainRing(name, what string, err error) error {
	switch {
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return &NoInterfaceError{Interface: name, Available: available()}
	case errors.Is(err, os.ErrPermission):
		return deniedOn(name)
	}
	return fmt.Errorf("capture on %s: %s: %w", name, what, err)
}
