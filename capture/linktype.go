package capture

import "strconv"

// LinkType is a LINKTYPE_ value of https://www.tcpdump.org/linktypes.html: how a frame's bytes begin.
// gopacket's layers.LinkType is 8 bits wide and cannot hold SLL2 (276) or PKTAP (258).
type LinkType uint16

// The link types that apptap knows by name.
const (
	LinkTypeNull                LinkType = 0
	LinkTypeEthernet            LinkType = 1
	LinkTypeIEEE8025            LinkType = 6 // Token Ring
	LinkTypeARCNET              LinkType = 7
	LinkTypePPP                 LinkType = 9
	LinkTypeFDDI                LinkType = 10
	LinkTypePPPHDLC             LinkType = 50
	LinkTypePPPoE               LinkType = 51
	LinkTypeRaw                 LinkType = 101
	LinkTypeCHDLC               LinkType = 104
	LinkTypeIEEE80211           LinkType = 105
	LinkTypeLoop                LinkType = 108
	LinkTypeLinuxSLL            LinkType = 113
	LinkTypeIEEE80211Prism      LinkType = 119
	LinkTypeIEEE80211Radio      LinkType = 127
	LinkTypeIEEE80211AVS        LinkType = 163
	LinkTypeARCNETLinux         LinkType = 129
	LinkTypeUser2               LinkType = 149
	LinkTypePPPDirection        LinkType = 204
	LinkTypeIPv4                LinkType = 228
	LinkTypeIPv6                LinkType = 229
	LinkTypeNFLOG               LinkType = 239
	LinkTypePKTAP               LinkType = 258
	LinkTypeIPOIB               LinkType = 242 // IP over InfiniBand
	LinkTypeLinuxSLL2           LinkType = 276
	LinkTypeATMRFC1483          LinkType = 100
	LinkTypeFrameRelay          LinkType = 107
	LinkTypeENC                 LinkType = 109
	LinkTypePFLOG               LinkType = 117
	LinkTypeIEEE1394            LinkType = 138 // Apple's IP over FireWire
	LinkTypeJuniperEthernet     LinkType = 178
	LinkTypePPI                 LinkType = 192
	LinkTypeCHDLCDirection      LinkType = 205
	LinkTypeFrameRelayDirection LinkType = 206
	LinkTypeMPLS                LinkType = 219
	LinkTypeIPNET               LinkType = 226
	linkTypeOpenBSDRawDLT12     LinkType = 12 // DLT_RAW where LINKTYPE_RAW was meant: written by some tools
	linkTypeBSDOSRawDLT14       LinkType = 14
)

var linkTypeNames = map[LinkType]string{
	LinkTypeNull: "NULL", LinkTypeEthernet: "EN10MB", LinkTypeIEEE8025: "IEEE802", LinkTypeFDDI: "FDDI", LinkTypePPP: "PPP",
	LinkTypeIEEE80211Prism: "PRISM_HEADER", LinkTypeIEEE80211AVS: "IEEE802_11_RADIO_AVS", LinkTypePPPHDLC: "PPP_SERIAL",
	LinkTypePPPoE: "PPP_ETHER", LinkTypeRaw: "RAW", LinkTypeCHDLC: "C_HDLC", LinkTypeIEEE80211: "IEEE802_11",
	LinkTypeLoop: "LOOP", LinkTypeLinuxSLL: "LINUX_SLL", LinkTypeIEEE80211Radio: "IEEE802_11_RADIO",
	LinkTypeARCNET: "ARCNET", LinkTypeIPOIB: "IPOIB", LinkTypeJuniperEthernet: "JUNIPER_ETHER", LinkTypeARCNETLinux: "ARCNET_LINUX",
	LinkTypeUser2: "USER2", LinkTypePPPDirection: "PPP_WITH_DIR", LinkTypeIPv4: "IPV4", LinkTypeIPv6: "IPV6",
	LinkTypeATMRFC1483: "ATM_RFC1483", LinkTypeENC: "ENC", LinkTypePFLOG: "PFLOG", LinkTypeIEEE1394: "APPLE_IP_OVER_IEEE1394",
	LinkTypeFrameRelay: "FRELAY", LinkTypeFrameRelayDirection: "FRELAY_WITH_DIR", LinkTypePPI: "PPI", LinkTypeCHDLCDirection: "C_HDLC_WITH_DIR", LinkTypeMPLS: "MPLS", LinkTypeIPNET: "IPNET",
	// Not decoded, for there is no IP in them as a rule; their names say so in the report.
	143: "DOCSIS", 177: "LINUX_LAPD", 187: "BLUETOOTH_HCI_H4", 189: "USB_LINUX", 195: "IEEE802_15_4_WITHFCS",
	201: "BLUETOOTH_HCI_H4_WITH_PHDR", 220: "USB_LINUX_MMAPPED", 227: "CAN_SOCKETCAN", 230: "IEEE802_15_4_NOFCS",
	249: "USBPCAP", 251: "BLUETOOTH_LE_LL", 253: "NETLINK", 254: "BLUETOOTH_LINUX_MONITOR", 266: "USB_DARWIN",
	LinkTypeNFLOG: "NFLOG", LinkTypePKTAP: "PKTAP", LinkTypeLinuxSLL2: "LINUX_SLL2",
}

// String is libpcap's name of the link type, as tcpdump -L prints it, or its number.
func (t LinkType) String() string {
	if name, ok := linkTypeNames[t]; ok {
		return name
	}
	return strconv.Itoa(int(t))
}

// Canonical maps the DLT_ numbers that some writers put where a LINKTYPE_ belongs to the LINKTYPE_ meant.
func (t LinkType) Canonical() LinkType {
	if t == linkTypeOpenBSDRawDLT12 || t == linkTypeBSDOSRawDLT14 {
		return LinkTypeRaw
	}
	return t
}
