package flows

import (
	"strconv"
	"strings"

	"apptap/capture"
)

// Observation is what one packet tells the Table: small, free of pointers into the packet, so that
// readers can send batches of them to the goroutine that owns the Table.
type Observation struct {
	Time     int64 // nanoseconds since 1970 UTC
	Src, Dst Endpoint
	Frame    uint32 // frame bytes: original wire length
	IPBytes  uint32 // IP total length, IP header included; 0 without IP
	Payload  uint32 // TCP or UDP payload bytes
	Seq, Ack uint32 // TCP, valid unless Snapped

	// FragID, FragMore and FragLater describe an IP fragment: FragMore is set on a first fragment with
	// more to come, FragLater on every other, whose ports are then zero.
	FragID              uint32
	FragMore, FragLater bool

	Interface uint16
	Kind      Kind // zero for a packet of a flow
	Flags     TCPFlags
	Proto     Protocol
	IPv6      bool
	Snapped   bool // cut before the end of the transport header
	Outgoing  bool // the capture itself says that this host sent it (SLL packet type)

	fromLow bool // Src is the low endpoint of the flow's pair
	signs   signs
	marks   marks
	hash    uint32 // of the pair
}

// marks are what is rarely so of a packet.
type marks uint8

const (
	markTagged  marks = 1 << iota // a VLAN tag is the first that follows the link-layer addresses
	markCarried                   // a tunnel carries it in IP fragments, of which this is the first: FragID is the carrier's fragmentKey.number
)

// TCPFlags are the control bits of a TCP header (RFC 9293 §3.1).
type TCPFlags uint8

// The control bits that matter here.
const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Kind says why a packet belongs to no flow. The zero Kind is a packet that does.
type Kind struct {
	class kindClass
	value uint16 // an EtherType, IP protocol or link type
}

type kindClass uint8

const (
	kindFlow kindClass = iota
	kindEtherType
	kindIPProtocol
	kindLinkType
	kindPPP // value is the PPP protocol number
	kindLLC
	kindTruncated // too short for the headers it announces
	kindMalformed // a header contradicts itself
	kindFragment  // a fragment whose first part was not captured
	kindNesting   // more headers inside one another than are followed
	kindWLAN      // a 802.11 frame without readable data
)

// Decoded says whether the packet belongs to a flow.
func (k Kind) Decoded() bool { return k.class == kindFlow }

// String is the report's name of the kind.
func (k Kind) String() string {
	switch k.class {
	case kindEtherType:
		if name, ok := etherTypeNames[k.value]; ok {
			return name
		}
		return "ethertype_0x" + strconv.FormatUint(uint64(k.value), 16)
	case kindIPProtocol:
		if name, ok := ipProtocolNames[k.value]; ok {
			return name
		}
		return "ip_protocol_" + strconv.Itoa(int(k.value))
	case kindLinkType:
		return "linktype_" + strings.ToLower(capture.LinkType(k.value).String())
	case kindPPP:
		return "ppp_0x" + strconv.FormatUint(uint64(k.value), 16)
	case kindLLC:
		return "llc"
	case kindTruncated:
		return "truncated"
	case kindMalformed:
		return "malformed"
	case kindFragment:
		return "fragment"
	case kindNesting:
		return "nested_too_deep"
	case kindWLAN:
		return "wlan"
	}
	return "flow"
}

// Names of https://www.iana.org/assignments/ieee-802-numbers and protocol-numbers, for kinds seen on
// ordinary networks.
var (
	etherTypeNames = map[uint16]string{
		0x0806: "arp", 0x8035: "rarp", 0x809b: "appletalk", 0x8137: "ipx", 0x8808: "mac_control",
		0x8809: "slow_protocols", 0x8847: "mpls", 0x8848: "mpls", 0x8863: "pppoe_discovery", 0x8864: "pppoe",
		0x888e: "eapol", 0x88a2: "ata_over_ethernet", 0x88cc: "lldp", 0x88e1: "homeplug", 0x88e5: "macsec",
		0x88f7: "ptp", 0x8902: "cfm", 0x9000: "loopback_test",
	}
	ipProtocolNames = map[uint16]string{
		1: "icmp", 2: "igmp", 4: "ipip", 41: "ipv6_in_ip", 46: "rsvp", 47: "gre", 50: "esp", 51: "ah", 58: "icmpv6",
		59: "ipv6_no_next_header", 88: "eigrp", 89: "ospf", 103: "pim", 108: "ipcomp", 112: "vrrp", 115: "l2tp", 132: "sctp",
		136: "udplite", 137: "mpls_in_ip",
	}
)
