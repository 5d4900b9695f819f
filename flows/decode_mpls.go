package flows

import "encoding/binary"

// mpls steps over the label stack (RFC 3032) and guesses what follows from its first nibble, as every
// MPLS node must (RFC 4385 §3, RFC 4928): 4 and 6 are IP, anything else is a pseudowire's Ethernet, with or without a
// control word.
func (d *decoder) mpls() Kind {
	for d.deeper() {
		if len(d.data) < 4 {
			return simple(kindTruncated)
		}
		label := binary.BigEndian.Uint32(d.data)
		d.skip(4)
		if label>>8&1 == 0 {
			continue
		}
		if len(d.data) < 1 {
			return simple(kindTruncated)
		}
		switch d.data[0] >> 4 {
		case 4:
			return d.ipv4()
		case 6:
			return d.ipv6()
		}
		return d.pseudowire()
	}
	return simple(kindNesting)
}

// pseudowire decodes Ethernet over MPLS (RFC 4448).
func (d *decoder) pseudowire() Kind {
	if len(d.data) >= 2 && d.data[0] == 0x10 && d.data[1] == 0 {
		return etherKind(etherMPLS) // an associated channel: operations, no traffic (RFC 5586 §2.1)
	}
	if d.controlWord() && !d.drop(4) {
		return simple(kindTruncated)
	}
	return d.ethernet()
}

// controlWord says whether a pseudowire's packet begins with one: 16 bits of zero (RFC 4448 §4.6). A destination
// address can begin so too, 00:00:5e of VRRP for one; then a familiar EtherType stands where that would have it.
func (d *decoder) controlWord() bool {
	if len(d.data) < 2 || d.data[0] != 0 || d.data[1] != 0 {
		return false
	}
	return !looksEthernet(d.data) || looksEthernet(d.data[4:])
}

// looksEthernet says whether a familiar EtherType or a SNAP header stands behind two addresses.
func looksEthernet(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	switch t := binary.BigEndian.Uint16(b[12:]); t {
	case etherIPv4, etherIPv6, etherARP, etherVLAN, etherQinQ, etherOldQinQ, etherOldQinQ2, etherMPLS, etherMPLSMulti, etherPPPoE, etherPPP,
		etherPBB, etherETag, etherVNTag, etherHSR, etherRTag, etherCMD, etherTRILL, etherTrans, etherFabricPath, etherArista, etherMACsec, etherNSH:
		return true
	default:
		return t < etherMinimum && b[14] == 0xaa && b[15] == 0xaa
	}
}
