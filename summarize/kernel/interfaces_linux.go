package kernel

import "net"

// uncountedHeader is how many bytes of each frame a capture has and the interface's byte counters do not.
// The loopback driver counts a packet after eth_type_trans has pulled its Ethernet header
// (drivers/net/loopback.c, loopback_xmit).
func uncountedHeader(name string) uint64 {
	const ethernetHeader = 14
	i, err := net.InterfaceByName(name)
	if err != nil || i.Flags&net.FlagLoopback == 0 {
		return 0
	}
	return ethernetHeader
}
