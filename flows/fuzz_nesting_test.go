package flows_test

import (
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"apptap/capture"
	"apptap/flows"
)

// onion is a segment inside encapsulations, and what is true of it.
type onion struct {
	data   []byte
	shape  shape
	tunnel uint16 // port of the outermost UDP tunnel, 0 = none
	names  []string
}

// peel builds an onion: each step picks one of the wrappings that fit, at most six so that the bound on nesting is far.
func peel(v6 bool, steps []byte) onion {
	o := onion{data: segment(v6)}
	for _, step := range steps[:min(len(steps), 6)] {
		var fitting []wrapping
		for _, w := range wrappings() {
			if w.from == o.shape {
				fitting = append(fitting, w)
			}
		}
		w := fitting[int(step)%len(fitting)]
		o.data, o.shape, o.names = w.wrap(o.data), w.to, append(o.names, w.name)
		if w.tunnel {
			o.tunnel = uint16(o.data[22])<<8 | uint16(o.data[23])
		}
	}
	return o
}

// FuzzNesting builds frames whose innermost segment is known, and demands that both views find what they should, and
// that gopacket, where it gets as far, has found the same.
func FuzzNesting(f *testing.F) {
	for i := range byte(40) {
		f.Add(i%2 == 0, []byte{i, i * 7, i * 3})
	}
	f.Fuzz(func(t *testing.T, v6 bool, steps []byte) {
		o := peel(v6, steps)
		link := capture.LinkTypeRaw
		if o.shape == etherFrame {
			link = capture.LinkTypeEthernet
		}
		checkViews(t, link, o, v6)
		if link == capture.LinkTypeEthernet {
			innermostOfGopacket(t, o)
		}
	})
}

func checkViews(t *testing.T, link capture.LinkType, o onion, v6 bool) {
	t.Helper()
	want := flows.MakeKey(flows.TCP, host4, peer4)
	if v6 {
		want = flows.MakeKey(flows.TCP, host6, peer6)
	}
	p := packet(link, o.data)
	var inner, outer flows.Observation
	flows.Inner.Decode(p, &inner)
	flows.Outer.Decode(p, &outer)
	if got := keyOf(&inner); !inner.Kind.Decoded() || got != want || inner.Payload != 7 || inner.IPBytes != 47 && inner.IPBytes != 67 {
		t.Errorf("%q inner: kind %v, %v, payload %d of %d IP bytes; want %v, 7", o.names, inner.Kind, got, inner.Payload, inner.IPBytes, want)
	}
	if o.tunnel != 0 {
		want = flows.MakeKey(flows.UDP, netip.MustParseAddrPort("10.0.0.1:40000"), netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), o.tunnel))
	}
	if got := keyOf(&outer); !outer.Kind.Decoded() || got != want {
		t.Errorf("%q outer: kind %v, %v; want %v", o.names, outer.Kind, got, want)
	}
}

func keyOf(o *flows.Observation) flows.Key {
	return flows.Key{Local: o.Src, Remote: o.Dst, Proto: o.Proto, IPv6: o.IPv6}
}

// innermostOfGopacket keeps the builder honest: there is one TCP header in the frame.
func innermostOfGopacket(t *testing.T, o onion) {
	t.Helper()
	parsed := gopacket.NewPacket(o.data, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	tcp, ok := parsed.Layer(layers.LayerTypeTCP).(*layers.TCP)
	if !ok || parsed.ErrorLayer() != nil {
		return // gopacket knows fewer encapsulations
	}
	if tcp.SrcPort != 51584 || tcp.DstPort != 443 || tcp.Seq != 1000 {
		t.Errorf("%q: gopacket has %v -> %v, seq %d", o.names, tcp.SrcPort, tcp.DstPort, tcp.Seq)
	}
}

// TestWrappings: each encapsulation alone, and each inside each other one.
func TestWrappings(t *testing.T) {
	for first := range byte(60) {
		for second := range byte(60) {
			o := peel(second%2 == 1, []byte{first, second})
			link := capture.LinkTypeRaw
			if o.shape == etherFrame {
				link = capture.LinkTypeEthernet
			}
			checkViews(t, link, o, second%2 == 1)
		}
	}
}
