package flows_test

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// firstLayers is what gopacket takes a frame for, by link type, as far as it knows them. Its 802.11 without radiotap wants a
// check sequence at the end, which that link type leaves out.
var firstLayers = map[capture.LinkType]gopacket.LayerType{
	capture.LinkTypeEthernet:       layers.LayerTypeEthernet,
	capture.LinkTypeNull:           layers.LayerTypeLoopback,
	capture.LinkTypeLoop:           layers.LayerTypeLoopback,
	capture.LinkTypePPP:            layers.LayerTypePPP,
	capture.LinkTypePPPHDLC:        layers.LayerTypePPP,
	capture.LinkTypePPPoE:          layers.LayerTypePPPoE,
	capture.LinkTypeIPv4:           layers.LayerTypeIPv4,
	capture.LinkTypeIPv6:           layers.LayerTypeIPv6,
	capture.LinkTypeRaw:            layers.LayerTypeIPv4,
	capture.LinkTypeLinuxSLL:       layers.LayerTypeLinuxSLL,
	capture.LinkTypeMPLS:           layers.LayerTypeMPLS,
	capture.LinkTypeIEEE80211Radio: layers.LayerTypeRadioTap,
}

// againstGopacket compares the transport header that gopacket finds in a frame with what Decode says. Frames that the two may read
// differently are left out: damaged ones, fragments, and encapsulations within IP.
func againstGopacket(t *testing.T, link capture.LinkType, data []byte) (compared bool) {
	first, known := firstLayers[link]
	if !known || link == capture.LinkTypeRaw && len(data) > 0 && data[0]>>4 != 4 {
		return false
	}
	var o flows.Observation
	flows.Outer.Decode(packet(link, data), &o)
	data = slices.Clip(data) // its PPPoE reads as far as a length says, if the array goes on behind the frame
	parsed := gopacket.NewPacket(data, first, gopacket.DecodeOptions{NoCopy: true})
	if parsed.ErrorLayer() != nil {
		return false
	}
	var ip gopacket.NetworkLayer
	for _, layer := range parsed.Layers() {
		switch l := layer.(type) {
		case *layers.IPv4:
			if ip != nil || l.Version != 4 || l.IHL < 5 || l.Flags&layers.IPv4MoreFragments != 0 || l.FragOffset != 0 || l.Length < 20 || int(l.Length) > len(l.Contents)+len(l.Payload) {
				return false
			}
			ip = l
		case *layers.IPv6:
			if ip != nil || l.Version != 6 || l.Length == 0 || int(l.Length) > len(l.Payload) {
				return false
			}
			ip = l
		case *layers.TCP:
			if ip == nil {
				return false
			}
			want := flows.Endpoint{Addr: as16(ip), Port: uint16(l.SrcPort)}
			if !o.Kind.Decoded() || o.Src != want || o.Dst.Port != uint16(l.DstPort) || o.Seq != l.Seq || o.Payload != uint32(len(l.Payload)) {
				t.Errorf("%v, gopacket: %v -> %v seq %d, %d bytes; here %+v", link, l.SrcPort, l.DstPort, l.Seq, len(l.Payload), o)
			}
			return true
		case *layers.UDP:
			if ip == nil || len(l.Contents) < 8 {
				return false // gopacket takes a datagram without a header for one with ports 0
			}
			want := flows.Endpoint{Addr: as16(ip), Port: uint16(l.SrcPort)}
			if !o.Kind.Decoded() || o.Src != want || o.Dst.Port != uint16(l.DstPort) {
				t.Errorf("%v, gopacket: %v -> %v; here %+v", link, l.SrcPort, l.DstPort, o)
			}
			return true
		default:
			if ip != nil || !belowIP(layer) {
				return false // encapsulations and extension headers that the two follow differently
			}
		}
	}
	return false
}

// belowIP says that two readers have to agree on a layer.
func belowIP(layer gopacket.Layer) bool {
	switch l := layer.(type) {
	case *layers.PPPoE:
		return l.Code == layers.PPPoECodeSession && int(l.Length) == len(l.Payload) // gopacket does not look at either
	case *layers.LLC:
		return !l.IG && !l.CR && l.Control == 3 // as RFC 1042 has it
	case *layers.SNAP:
		return bytes.Equal(l.OrganizationalCode, make([]byte, 3)) // nor at this
	case *layers.Ethernet, *layers.Dot1Q, *layers.Loopback, *layers.PPP, *layers.MPLS, *layers.LinuxSLL,
		*layers.RadioTap, *layers.Dot11, *layers.Dot11Data, *layers.Dot11DataQOSData:
		return true
	}
	return false
}

func as16(ip gopacket.NetworkLayer) [16]byte {
	addr, _ := netip.AddrFromSlice(ip.NetworkFlow().Src().Raw())
	return addr.As16()
}

type linkFrame struct {
	link capture.LinkType
	data []byte
}

// framesOfGopacket are a segment in each way below IP that gopacket knows.
func framesOfGopacket() (frames []linkFrame) {
	ip := fixtures.TCP(host4, peer4, "PA", 1, 2, []byte("x"), fixtures.Link(capture.LinkTypeRaw))
	for _, f := range []linkFrame{
		{capture.LinkTypeRaw, nil},
		{capture.LinkTypeIPv4, nil},
		{capture.LinkTypeLoop, []byte("\x00\x00\x00\x02")},
		{capture.LinkTypeNull, []byte("\x02\x00\x00\x00")},
		{capture.LinkTypePPP, []byte("\xff\x03\x00\x21")},
		{capture.LinkTypePPPHDLC, []byte("\xff\x03\x00\x21")},
		{capture.LinkTypePPPoE, []byte("\x11\x00\x00\x01\x00\x2b\x00\x21")},
		{capture.LinkTypeMPLS, []byte("\x00\x01\x21\x40")},
		{capture.LinkTypeEthernet, []byte("abcdefghijkl\x88\x64\x11\x00\x00\x01\x00\x2b\x00\x21")},
		{capture.LinkTypeEthernet, []byte("abcdefghijkl\x88\x47\x00\x01\x20\x40\x00\x01\x21\x40")},
		{capture.LinkTypeLinuxSLL, []byte("\x00\x00\x00\x01\x00\x06abcdef\x00\x00\x08\x00")},
		{capture.LinkTypeIEEE80211Radio, []byte("\x00\x00\x08\x00\x00\x00\x00\x00\x08\x01\x00\x00abcdefghijklmnopqr\x10\x00\xaa\xaa\x03\x00\x00\x00\x08\x00")},
	} {
		frames = append(frames, linkFrame{f.link, append(f.data, ip...)})
	}
	return append(frames, linkFrame{capture.LinkTypeIPv6, fixtures.TCP(host6, peer6, "PA", 1, 2, []byte("x"), fixtures.Link(capture.LinkTypeRaw))})
}

// TestGopacketAgrees: no link type that gopacket knows is left out of the comparison.
func TestGopacketAgrees(t *testing.T) {
	missing := maps.Clone(firstLayers)
	for _, frame := range framesOfGopacket() {
		delete(missing, frame.link)
		if !againstGopacket(t, frame.link, frame.data) {
			t.Errorf("%v: gopacket finds no segment in % x", frame.link, frame.data)
		}
	}
	for link := range missing {
		t.Errorf("%v: no frame", link)
	}
}
