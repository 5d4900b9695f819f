package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/shirou/gopsutil/v3/net"
)

// Offsets into struct ifmibdata (xnu bsd/net/if_mib.h): the interface's name, and a struct if_data64.
const (
	ifmibNameSize = 16
	ifmibDataAt   = 52
	ifmibSize     = ifmibDataAt + 128

	typeLoopback = 24 // IFT_LOOP of bsd/net/if_types.h, in ifi_type, the first byte of if_data64
	// nullHeader is the header of lo0's frames, the protocol's family: the driver takes it off before it counts a packet, and gives it to BPF
	// all the same (bsd/net/if_loop.c, lo_output and LO_BPF_TAP_OUT).
	nullHeader = 4
)

// decodeIFMIB reads the value of the sysctl net.link.generic.ifdata.INDEX.1. Unlike those of routing messages its byte counters are
// neither rounded nor 32 bits wide for programs that are not Apple's. Of lo0 the bytes are those that a capture sees, with its header.
func decodeIFMIB(b []byte) (net.IOCountersStat, error) {
	if len(b) < ifmibSize {
		return net.IOCountersStat{}, fmt.Errorf("read ifmibdata: %d bytes, it has %d", len(b), ifmibSize)
	}
	name, _, _ := bytes.Cut(b[:ifmibNameSize], []byte{0})
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(b[ifmibDataAt+at:]) }
	s := net.IOCountersStat{
		Name: string(name), PacketsRecv: u64(24), Errin: u64(32), PacketsSent: u64(40), Errout: u64(48),
		BytesRecv: u64(64), BytesSent: u64(72), Dropin: u64(96),
	}
	if b[ifmibDataAt] == typeLoopback {
		s.BytesRecv += nullHeader * s.PacketsRecv
		s.BytesSent += nullHeader * s.PacketsSent
	}
	return s, nil
}
