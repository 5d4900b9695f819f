package flows

import (
	"encoding/binary"

	"apptap/capture"
)

// maxHeaders bounds how many headers of one frame are followed. Real frames have fewer than ten; a
// frame made of VLAN tags alone must not cost more than this.
const maxHeaders = 32

// Tunnels says which flow a packet belongs to that carries one TCP or UDP packet inside another.
// Encapsulations without ports (VLAN, MPLS, PPPoE, GRE, IP in IP, ...) are always stripped.
type Tunnels uint8

// Outer takes the first TCP or UDP header of a frame, Inner follows tunnels over UDP (VXLAN, GENEVE, GTP-U, ...) to the last.
const (
	Outer Tunnels = iota
	Inner
)

// Decode reads the headers of p down to TCP or UDP and fills o. It never fails: a packet that belongs
// to no flow has a Kind that says why, and is counted as such. It allocates nothing and keeps nothing of p.
//
// It returns the captured part of the TCP or UDP payload, which is a part of p.Data; of IP fragments only that
// of a TCP segment's first.
//
// Lengths come from the headers, not from what was captured, so a snaplen changes no figure. Like
// Wireshark, an IPv4 total length or IPv6 payload length of 0 stands for a segmentation-offload
// super-frame and means all that the frame holds.
func (t Tunnels) Decode(p *capture.Packet, o *Observation) (payload []byte) {
	if payload, ok := t.quick(p, o); ok {
		return payload
	}
	return t.decode(p, o)
}

// decode is Decode of any frame.
func (t Tunnels) decode(p *capture.Packet, o *Observation) (payload []byte) {
	*o = Observation{Time: p.Time, Frame: clampLength(p.Length), Interface: uint16(p.Interface)}
	d := decoder{data: p.Data, wire: p.Length, o: o, tunnels: t}
	d.run(p.LinkType)
	return d.payload
}

// DecodeTraced is Decode that also takes what tells the packet from others of its flow, for Repeats.
func (t Tunnels) DecodeTraced(p *capture.Packet, o *Observation) (payload []byte, trace Trace) {
	*o = Observation{Time: p.Time, Frame: clampLength(p.Length), Interface: uint16(p.Interface)}
	d := decoder{data: p.Data, wire: p.Length, o: o, tunnels: t}
	d.run(p.LinkType)
	return d.payload, d.trace(p)
}

func (d *decoder) run(t capture.LinkType) {
	if d.o.Kind = d.link(t); d.o.Kind.Decoded() {
		d.o.locate() // here and not in the Table: this runs beside the goroutine that owns it
		return
	}
	d.payload = nil
}

func clampLength(n int) uint32 {
	if n < 0 {
		return 0
	}
	return uint32(min(n, 1<<31-1))
}

// decoder walks one frame. data is what was captured of the current header and all that follows; wire
// is how long that was on the wire, so wire >= len(data) but for frames whose headers lie.
type decoder struct {
	data    []byte
	wire    int
	hops    int
	id      uint16 // of the IPv4 header last seen
	tunnels Tunnels
	o       *Observation
	payload []byte   // captured, of the flow that o is of
	headers *Headers // of those that have addresses; nil = nobody asks
}

// deeper counts a header; false says that there are more inside one another than are followed.
func (d *decoder) deeper() bool {
	d.hops++
	return d.hops <= maxHeaders
}

var flow = Kind{}

func etherKind(t uint16) Kind     { return Kind{kindEtherType, t} }
func protocolKind(p uint8) Kind   { return Kind{kindIPProtocol, uint16(p)} }
func simple(class kindClass) Kind { return Kind{class: class} }

// skip moves past n bytes of header; the caller has checked that they were captured.
func (d *decoder) skip(n int) {
	d.data = d.data[n:]
	d.wire -= n
}

// link decodes the link-layer header (https://www.tcpdump.org/linktypes.html).
func (d *decoder) link(t capture.LinkType) Kind {
	if d.headers != nil {
		d.headers.Links = append(d.headers.Links, t)
	}
	switch t {
	case capture.LinkTypeEthernet:
		return d.ethernet()
	case capture.LinkTypeRaw:
		return d.rawIP()
	case capture.LinkTypeIPv4:
		return d.ipv4()
	case capture.LinkTypeIPv6:
		return d.ipv6()
	case capture.LinkTypeNull, capture.LinkTypeLoop:
		return d.null()
	case capture.LinkTypeLinuxSLL:
		return d.sll()
	case capture.LinkTypeLinuxSLL2:
		return d.sll2()
	case capture.LinkTypePPP, capture.LinkTypePPPHDLC:
		return d.ppp()
	case capture.LinkTypePPPDirection:
		if !d.drop(1) {
			return simple(kindTruncated)
		}
		d.o.Frame-- // who sent it was not on the wire
		return d.ppp()
	case capture.LinkTypePPPoE:
		return d.pppoe()
	case capture.LinkTypeCHDLC:
		return d.ciscoHDLC()
	case capture.LinkTypeFDDI:
		if !d.drop(13) {
			return simple(kindTruncated)
		}
		return d.llc() // frame control, two addresses (ISO 9314-2)
	case capture.LinkTypeIEEE8025:
		return d.tokenRing()
	case capture.LinkTypeIEEE80211:
		return d.wlan()
	case capture.LinkTypeIEEE80211Radio:
		return d.radiotap()
	case capture.LinkTypeIEEE80211Prism:
		if !d.drop(144) {
			return simple(kindTruncated)
		}
		return d.wlan()
	case capture.LinkTypeIEEE80211AVS:
		return d.avs()
	case capture.LinkTypeNFLOG:
		return d.nflog()
	case capture.LinkTypePKTAP, capture.LinkTypeUser2:
		return d.pktap(t)
	}
	return d.shim(t)
}

// drop skips n bytes of a header that says nothing of interest; false says that they were not captured.
func (d *decoder) drop(n int) bool {
	if len(d.data) < n {
		return false
	}
	d.skip(n)
	return true
}

func (d *decoder) ethernet() Kind {
	if len(d.data) < 14 {
		return simple(kindTruncated)
	}
	d.note(HeaderEthernet, 14)
	etherType := binary.BigEndian.Uint16(d.data[12:])
	d.skip(14)
	return d.etherType(etherType)
}

// sll is the Linux "cooked" header, LINKTYPE_LINUX_SLL.
func (d *decoder) sll() Kind {
	if len(d.data) < 16 {
		return simple(kindTruncated)
	}
	d.note(HeaderSLL, 16)
	d.o.Outgoing = binary.BigEndian.Uint16(d.data) == sllOutgoing
	arphrd, etherType := binary.BigEndian.Uint16(d.data[2:]), binary.BigEndian.Uint16(d.data[14:])
	d.skip(16)
	return d.sllPayload(arphrd, etherType)
}

func (d *decoder) sll2() Kind {
	if len(d.data) < 20 {
		return simple(kindTruncated)
	}
	d.note(HeaderSLL2, 20)
	d.o.Outgoing = d.data[10] == sllOutgoing
	etherType, arphrd := binary.BigEndian.Uint16(d.data), binary.BigEndian.Uint16(d.data[8:])
	d.skip(20)
	return d.sllPayload(arphrd, etherType)
}

const (
	sllOutgoing   = 4   // LINUX_SLL_OUTGOING: sent by this host
	arphrdFRAD    = 770 // ARPHRD_FRAD: Frame Relay
	arphrdRadio   = 803 // ARPHRD_IEEE80211_RADIOTAP
	arphrdNetlink = 824 // ARPHRD_NETLINK: no network protocol follows

	// Linux has numbers of its own where a frame has no EtherType (linux/if_ether.h).
	ethPAll = 0x0003 // ETH_P_ALL: an Ethernet frame, as libpcap has it
	ethPPPP = 0x0007 // ETH_P_PPP_MP
)

func (d *decoder) sllPayload(arphrd, etherType uint16) Kind {
	switch {
	case arphrd == arphrdNetlink:
		return simple(kindLLC)
	case arphrd == arphrdFRAD:
		return d.frameRelay()
	case arphrd == arphrdRadio:
		return d.radiotap()
	case etherType == ethPAll:
		return d.ethernet()
	case etherType == ethPPPP:
		return d.ppp()
	}
	return d.etherType(etherType)
}

// null is the BSD loopback header: the address family in the byte order of the machine that captured
// (LINKTYPE_NULL) or in network order (LINKTYPE_LOOP). Families are small numbers, so the order shows; some writers put an
// EtherType into the second half.
func (d *decoder) null() Kind {
	if len(d.data) < 4 {
		return simple(kindTruncated)
	}
	family, etherType := binary.LittleEndian.Uint32(d.data), binary.BigEndian.Uint16(d.data[2:])
	if family > 0xffff {
		family = binary.BigEndian.Uint32(d.data)
	}
	d.skip(4)
	if family > 0xffff && etherType >= etherMinimum {
		return d.etherType(etherType)
	}
	return d.family(family)
}

func (d *decoder) rawIP() Kind {
	if len(d.data) < 1 {
		return simple(kindTruncated)
	}
	switch d.data[0] >> 4 {
	case 4:
		return d.ipv4()
	case 6:
		return d.ipv6()
	}
	return simple(kindMalformed)
}
