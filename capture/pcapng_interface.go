package capture

import "net/netip"

// Option codes of interface description blocks and interface statistics blocks
// (draft-ietf-opsawg-pcapng sections 4.2 and 4.6).
const (
	optionInterfaceName        = 2
	optionInterfaceDescription = 3
	optionInterfaceIPv4        = 4
	optionInterfaceIPv6        = 5
	optionInterfaceResolution  = 9
	optionInterfaceFilter      = 11
	optionInterfaceOS          = 12
	optionInterfaceOffset      = 14
	optionInterfaceHardware    = 15

	optionStatsReceived = 4
	optionStatsDropped  = 5
	optionStatsAccepted = 6
	optionStatsOSDrop   = 7
)

// Bounds of what is kept of one interface: with maxInterfaces, a hostile file costs at most 150 MiB.
const (
	maxNameText        = 256
	maxDescriptionText = 1024
	maxAddresses       = 32
)

// describeInterface reads an interface description block. An option with a value that cannot be is
// left out: the packets matter more.
func (r *NgReader) describeInterface(body []byte) error {
	const fixed = 8
	if len(body) < fixed {
		return r.in.damaged(r.in.offset(), "interface description has a body of %d bytes, %d are needed", len(body), fixed)
	}
	if len(r.interfaces) == maxInterfaces {
		return r.in.damaged(r.in.offset(), "more than %d interfaces", maxInterfaces)
	}
	described := Interface{
		LinkType: LinkType(r.order.uint16(body)).Canonical(),
		SnapLen:  snapLen(r.order.uint32(body[4:])),
		Source:   r.in.name,
	}
	resolution, offset := byte(microseconds), int64(0)
	all := options{rest: body[fixed:], order: r.order}
	for code, value, ok := all.next(); ok; code, value, ok = all.next() {
		switch {
		case code == optionInterfaceResolution && len(value) == 1:
			resolution = value[0]
		case code == optionInterfaceOffset && len(value) == 8:
			offset = int64(r.order.uint64(value))
		default:
			described.set(code, value)
		}
	}
	r.interfaces = append(r.interfaces, described)
	r.clocks = append(r.clocks, newClock(resolution, offset))
	return nil
}

// set takes over one option of an interface description.
func (i *Interface) set(code uint16, value []byte) {
	switch code {
	case optionInterfaceName:
		i.Name = optionText(value[:min(len(value), maxNameText)])
	case optionInterfaceDescription:
		i.Description = optionText(value[:min(len(value), maxDescriptionText)])
	case optionInterfaceIPv4, optionInterfaceIPv6:
		if p, ok := optionPrefix(code, value); ok && len(i.Addrs) < maxAddresses {
			i.Addrs = append(i.Addrs, p)
		}
	}
}

// optionPrefix reads an address with its netmask (IPv4) or prefix length (IPv6).
func optionPrefix(code uint16, value []byte) (netip.Prefix, bool) {
	switch {
	case code == optionInterfaceIPv4 && len(value) == 8:
		ones := 0
		for ones < 32 && value[4+ones/8]&(0x80>>(ones%8)) != 0 {
			ones++
		}
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(value)), ones), true
	case code == optionInterfaceIPv6 && len(value) == 17 && value[16] <= 128:
		return netip.PrefixFrom(netip.AddrFrom16([16]byte(value)), int(value[16])), true
	}
	return netip.Prefix{}, false
}

// statistics reads an interface statistics block. The counters run from the start of the capture, so
// the last block about an interface is the one that counts. Received is isb_filteraccept where it is
// written and isb_ifrecv elsewhere, which tcpdump and dumpcap fill with pcap_stats' ps_recv.
func (r *NgReader) statistics(body []byte) {
	const fixed = 12
	if len(body) < fixed || uint64(r.order.uint32(body)) >= uint64(len(r.interfaces)-r.first) {
		return // counters without an interface say nothing
	}
	stats := Stats{}
	accepted := false
	all := options{rest: body[fixed:], order: r.order}
	for code, value, ok := all.next(); ok; code, value, ok = all.next() {
		if len(value) != 8 {
			continue
		}
		count := r.order.uint64(value)
		switch code {
		case optionStatsReceived:
			if !accepted {
				stats.Received = count
			}
		case optionStatsAccepted:
			stats.Received, accepted = count, true
		case optionStatsDropped:
			stats.DroppedInterface = count
		case optionStatsOSDrop:
			stats.DroppedKernel = count
		default:
			continue
		}
		stats.Known = true
	}
	if stats.Known {
		r.interfaces[r.first+int(r.order.uint32(body))].Stats = stats
	}
}
