package anonymize

import (
	"bytes"
	"testing"

	"apptap/capture"
)

// TestRewriteLeavesNothing rewrites frames whose secret stands where no header that is known has an address.
func TestRewriteLeavesNothing(t *testing.T) {
	secret := []byte{0xde, 0xad, 0xbe, 0xef, 0x5e, 0xc1}
	ip := append([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}, 0, 53, 0, 53, 0, 8, 0, 0)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	ethernet := func(etherType ...byte) []byte { return join(make([]byte, 12), etherType) }
	tap := make([]byte, 108) // a PKTAP header: length 108, then a frame of link type 138, Apple's IP over IEEE 1394
	tap[0], tap[4], tap[8] = 108, 1, 138
	tapOfTokenRing := bytes.Clone(tap)
	tapOfTokenRing[8] = 6
	for _, tt := range []struct {
		name string
		link capture.LinkType
		data []byte
		kept bool
	}{
		{"contexts of NSH", capture.LinkTypeEthernet, join(ethernet(0x89, 0x4f), []byte{0, 6, 1, 1, 0, 0, 1, 255}, secret, make([]byte, 10), ip), true},
		{"a tap of IEEE 1394", capture.LinkTypePKTAP, join(tap, secret, secret, make([]byte, 4), []byte{8, 0}, ip), false},
		{"a tap of token ring", capture.LinkTypePKTAP, join(tapOfTokenRing, []byte{0x10, 0x40}, secret, secret, []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, ip), false},
		{"a tap of Ethernet", capture.LinkTypePKTAP, join([]byte{108, 0, 0, 0, 1, 0, 0, 0, 1}, make([]byte, 99), secret, secret, []byte{8, 0}, ip), true},
		{"a cut fourth address of 802.11", capture.LinkTypeIEEE80211, join([]byte{8, 3, 0, 0}, make([]byte, 18), []byte{0, 0}, secret[:5]), true},
		{"an odd maximum segment size", capture.LinkTypeIPv4, join([]byte{0x45, 0, 0, 48, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2},
			[]byte{0, 80, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x70, 2, 0, 0, 0, 0, 0, 0, 2, 8}, secret), true},
	} {
		f := frames{Mapper: mapper(t, referenceKey)}
		got := f.rewrite(&capture.Packet{Data: tt.data, Length: len(tt.data), LinkType: tt.link})
		if bytes.Contains(got, secret[:5]) {
			t.Errorf("%s: the secret stays in %x", tt.name, got)
		}
		if (len(got) > 0) != tt.kept {
			t.Errorf("%s: %d bytes stay", tt.name, len(got))
		}
	}
}
