package capture

import (
	"encoding/binary"
	"strings"
	"testing"
)

// header1 and header2 are PKTAP headers of either version before a frame: process 301 sent it on behalf of 300.
func header1(length int, link uint32, frame string) []byte {
	b := make([]byte, length)
	u32 := binary.LittleEndian.PutUint32
	u32(b, uint32(length))
	u32(b[4:], 1)
	u32(b[8:], link)
	u32(b[36:], pktapFlagOut)
	u32(b[52:], 301)
	copy(b[56:], "com.apple.WebKit")
	u32(b[84:], 300)
	copy(b[88:], "Safari")
	return append(b, frame...)
}

func header2(link uint16, frame string) []byte {
	b := make([]byte, pktap2Least)
	binary.LittleEndian.PutUint16(b[6:], link)
	binary.LittleEndian.PutUint32(b[28:], 301)
	binary.LittleEndian.PutUint32(b[32:], 300)
	binary.LittleEndian.PutUint32(b[36:], pktapFlagOut|pktapFlagV2)
	b[4] = byte(len(b))
	b = append(b, "com.apple.WebKit\x00"...)
	b[5] = byte(len(b))
	b = append(b, "Safari\x00"...)
	b[0] = byte(len(b))
	return append(b, frame...)
}

func TestUnwrap(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		link LinkType
		want LinkType
		ok   bool
	}{
		{"version 1 of 156 bytes", header1(156, 1, "frame"), LinkTypeUser2, LinkTypeEthernet, true},
		{"version 1 of 108 bytes", header1(108, 0, "frame"), LinkTypePKTAP, LinkTypeNull, true},
		{"version 2", header2(1, "frame"), LinkTypePKTAP, LinkTypeEthernet, true},
		{"raw IP by the number of macOS", header1(156, 12, "frame"), LinkTypePKTAP, LinkTypeRaw, true},
		{"no PKTAP", header1(156, 1, "frame"), LinkTypeEthernet, 0, false},
		{"too short", header1(156, 1, "")[:39], LinkTypePKTAP, 0, false},
		{"header longer than the packet", header1(156, 1, "frame")[:150], LinkTypePKTAP, 0, false},
		{"header shorter than one is", append([]byte{50, 0, 0, 0}, make([]byte, 200)...), LinkTypePKTAP, 0, false},
	}
	var h HeaderOwners
	for _, tt := range tests {
		p := Packet{Data: tt.data, Length: len(tt.data) + 10, LinkType: tt.link}
		before := p
		if ok := h.Unwrap(&p); ok != tt.ok {
			t.Errorf("%s: unwrapped %v, want %v", tt.name, ok, tt.ok)
			continue
		}
		if !tt.ok {
			if len(p.Data) != len(before.Data) || p.Length != before.Length || p.LinkType != before.LinkType {
				t.Errorf("%s: got %+v, want it as it was", tt.name, p)
			}
			continue
		}
		if string(p.Data) != "frame" || p.Length != 15 || p.LinkType != tt.want {
			t.Errorf("%s: got %q, length %d, link type %v; want the frame, 15, %v", tt.name, p.Data, p.Length, p.LinkType, tt.want)
		}
		if o := p.Owner; o == nil || o.Process == nil || o.Effective == nil || o.Process.PID != 301 || o.For().Name != "Safari" || !o.Outgoing {
			t.Errorf("%s: owner %+v; want process 301 for Safari, outgoing", tt.name, o)
		}
	}
}

// FuzzUnwrap: what is left is the end of what there was, and no longer than it says.
func FuzzUnwrap(f *testing.F) {
	f.Add(header1(156, 1, "frame"), 200)
	f.Add(header1(108, 0, "frame"), 113)
	f.Add(header2(1, "frame"), 90)
	f.Fuzz(func(t *testing.T, data []byte, length int) {
		var h HeaderOwners
		p := Packet{Data: data, Length: max(length, len(data)), LinkType: LinkTypePKTAP}
		wire := p.Length
		if !h.Unwrap(&p) {
			return
		}
		header := len(data) - len(p.Data)
		if header < pktap2Least || p.Length != wire-header || p.Length < len(p.Data) || string(data[header:]) != string(p.Data) {
			t.Fatalf("header of %d bytes, length %d of %d, %d bytes left of %d", header, p.Length, wire, len(p.Data), len(data))
		}
	})
}

// TestLoopback: which way a packet went on lo0, by the packet's options and by either header.
func TestLoopback(t *testing.T) {
	on := func(name string, way uint32, second bool) Packet {
		b := header1(156, 1, "frame")
		copy(b[12:], name)
		if second {
			b = header2(1, "frame")
			b[3] = byte(len(b) - 5)
			b = append(b[:len(b)-5], name+"\x00frame"...)
			b[0] += byte(len(name) + 1)
			way |= pktapFlagV2
		}
		binary.LittleEndian.PutUint32(b[36:], way)
		return Packet{Data: b, Length: len(b), LinkType: LinkTypePKTAP}
	}
	tests := []struct {
		name  string
		p     Packet
		iface string
		want  Direction
	}{
		{"option", Packet{Direction: Incoming}, "lo0", Incoming},
		{"option on another interface", Packet{Direction: Incoming}, "en0", DirectionUnknown},
		{"no option", Packet{}, "lo0", DirectionUnknown},
		{"header, out", on("lo0", pktapFlagOut, false), "", Outgoing},
		{"header, in", on("lo0", pktapFlagIn, false), "", Incoming},
		{"header, both", on("lo0", pktapFlagIn|pktapFlagOut, false), "", DirectionUnknown},
		{"header, another interface", on("lo01", pktapFlagIn, false), "", DirectionUnknown},
		{"second header, in", on("lo0", pktapFlagIn, true), "", Incoming},
		{"second header, another interface", on("en0", pktapFlagIn, true), "", DirectionUnknown},
	}
	for _, tt := range tests {
		if len(tt.p.Data) > 0 && len(tt.p.Data) < pktapLeast {
			tt.p.Data = append(tt.p.Data, make([]byte, pktapLeast)...)
		}
		if got := Loopback(&tt.p, tt.iface); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestDescribeTap: a header is described without names and UUIDs.
func TestDescribeTap(t *testing.T) {
	long := header1(156, 1, "frame")
	for i := 124; i < 156; i++ {
		long[i] = 0xee
	}
	for _, tt := range []struct {
		name, words string
		data        []byte
		ok          bool
	}{
		{"version 1", "version 1, 156 bytes, link type 1, out", long, true},
		{"version 1, short", "version 1, 108 bytes, link type 0, out", header1(108, 0, "frame"), true},
		{"version 2", "version 2, 64 bytes, link type 1, out", header2(1, "frame"), true},
		{"longer than the packet", "", header1(156, 1, "")[:150], false},
		{"nothing", "", nil, false},
	} {
		d, ok := DescribeTap(tt.data)
		if ok != tt.ok || d.Words != tt.words {
			t.Errorf("%s: got %q, %v; want %q, %v", tt.name, d.Words, ok, tt.words, tt.ok)
		}
		if ok && (d.PID != 301 || d.Effective != 300) {
			t.Errorf("%s: process %d for %d, want 301 for 300", tt.name, d.PID, d.Effective)
		}
		for _, secret := range []string{"com.apple", "Safari", "\xee", "frame"} {
			if strings.Contains(string(d.Anonymous), secret) {
				t.Errorf("%s: %q is in %q", tt.name, secret, d.Anonymous)
			}
		}
	}
	if long[60] == 0 || long[130] != 0xee {
		t.Error("the packet itself was changed")
	}
}
