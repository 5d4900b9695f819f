package live

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"apptap/capture"
)

// fakeTap is a source of packets of one link type.
type fakeTap struct {
	link    capture.LinkType
	packets [][]byte
	closed  bool
}

func (f *fakeTap) Next(p *capture.Packet) error {
	if len(f.packets) == 0 {
		return io.EOF
	}
	*p = capture.Packet{Data: f.packets[0], Length: len(f.packets[0]) + 100, LinkType: f.link}
	f.packets = f.packets[1:]
	return nil
}

func (f *fakeTap) Interfaces() []capture.Interface {
	return []capture.Interface{{Name: "pktap,en0", LinkType: f.link}}
}
func (f *fakeTap) Stats() capture.Stats { return capture.Stats{Received: 7, DroppedKernel: 2} }
func (f *fakeTap) Close() error         { f.closed = true; return nil }

// tapHeader is a PKTAP header of process pid before a frame.
func tapHeader(pid uint32, frame string) []byte {
	b := make([]byte, 156)
	binary.LittleEndian.PutUint32(b, 156)
	binary.LittleEndian.PutUint32(b[4:], 1)
	binary.LittleEndian.PutUint32(b[8:], 1)
	binary.LittleEndian.PutUint32(b[36:], 2)
	binary.LittleEndian.PutUint32(b[52:], pid)
	copy(b[56:], "curl")
	binary.LittleEndian.PutUint32(b[84:], ^uint32(0))
	return append(b, frame...)
}

func plainOf(loopback bool) (*Source, *fakeTap) {
	below := &fakeTap{link: capture.LinkTypeEthernet}
	return &Source{Source: namedTap{below, capture.Interface{Name: "en0", LinkType: capture.LinkTypeEthernet, Loopback: loopback}}, Reader: ReaderPcap}, below
}

type namedTap struct {
	*fakeTap
	iface capture.Interface
}

func (n namedTap) Interfaces() []capture.Interface { return []capture.Interface{n.iface} }

func startsWith(letter byte) compileFunc {
	return func(t capture.LinkType, _ int, expr string) (func(*capture.Packet) bool, error) {
		if t != capture.LinkTypeEthernet || expr != "starts with it" {
			return nil, errors.New("syntax error")
		}
		return func(p *capture.Packet) bool { return p.LinkType == t && p.Data[0] == letter }, nil
	}
}

// TestTap: frames come without their header and with whom it named, as of the interface below; a filter sees the frames.
func TestTap(t *testing.T) {
	plain, below := plainOf(false)
	inner := &fakeTap{link: capture.LinkTypeUser2, packets: [][]byte{tapHeader(402, "abcdef"), tapHeader(403, "xyz"), []byte("a packet with no header")}}
	var asked Config
	s, err := plain.tapped(Config{Interface: "en0", Filter: "starts with it", SnapLen: 4, Keep: KeepHeaders},
		func(c Config) (capture.Source, error) { asked = c; return inner, nil }, startsWith('a'))
	if err != nil || s.Reader != ReaderPKTAP || s.NoTap != nil || !below.closed {
		t.Fatalf("got %+v, %v, interface below closed %v; want a tap in its place", s, err, below.closed)
	}
	if want := (Config{Interface: "pktap,en0", SnapLen: 4 + tapRoom, tapped: true}); asked != want {
		t.Errorf("opened with %+v, want %+v", asked, want)
	}
	var p capture.Packet
	if err := s.Next(&p); err != nil || string(p.Data) != "abcd" || p.Length != 106 || p.LinkType != capture.LinkTypeEthernet {
		t.Errorf("got %+v, %v; want the first frame, 4 of 106 bytes", p, err)
	}
	if o := p.Owner; o == nil || !o.Header || !o.Outgoing || o.For().PID != 402 || o.For().Name != "curl" || o.Effective != nil {
		t.Errorf("owner %+v, want curl, outgoing, by its header", o)
	}
	if err := s.Next(&p); err != io.EOF {
		t.Errorf("got %+v, %v; want no other packet to match", p, err)
	}
	if i := s.Interfaces()[0]; i.Name != "en0" || i.LinkType != capture.LinkTypeEthernet || i.Stats.DroppedKernel != 2 {
		t.Errorf("interface %+v; want en0 with the drops of the tap", i)
	}
	if s.Close(); !inner.closed {
		t.Error("the tap was left open")
	}
}

// TestTapOfTunnel: where the interface below has bare IP, the family that a tap puts in front is taken off, and a filter sees the packets.
func TestTapOfTunnel(t *testing.T) {
	null := tapHeader(402, "\x02\x00\x00\x00packet")
	binary.LittleEndian.PutUint32(null[8:], 0) // DLT_NULL
	for _, tt := range []struct {
		name   string
		below  capture.LinkType
		link   capture.LinkType
		data   string
		length int
	}{
		{"bare IP below", capture.LinkTypeRaw, capture.LinkTypeRaw, "packet", 106},
		{"a family below too", capture.LinkTypeNull, capture.LinkTypeNull, "\x02\x00\x00\x00packet", 110},
	} {
		plain := &Source{Source: namedTap{&fakeTap{}, capture.Interface{Name: "utun4", LinkType: tt.below}}}
		s, err := plain.tapped(Config{Interface: "utun4", Filter: "ip", SnapLen: 100},
			func(Config) (capture.Source, error) {
				return &fakeTap{link: capture.LinkTypePKTAP, packets: [][]byte{null}}, nil
			},
			func(link capture.LinkType, _ int, _ string) (func(*capture.Packet) bool, error) {
				return func(p *capture.Packet) bool { return p.LinkType == link }, nil
			})
		if err != nil || s.Reader != ReaderPKTAP {
			t.Fatalf("%s: %+v, %v; want a tap", tt.name, s, err)
		}
		var p capture.Packet
		if err := s.Next(&p); err != nil || p.LinkType != tt.link || string(p.Data) != tt.data || p.Length != tt.length {
			t.Errorf("%s: got %v, %q of %d bytes, %v; want %v, %q of %d", tt.name, p.LinkType, p.Data, p.Length, err, tt.link, tt.data, tt.length)
		}
	}
}

// TestTapOfTaps: what libpcap makes a tap for by itself is tapped no second time, and that is said.
func TestTapOfTaps(t *testing.T) {
	for name, want := range map[string]bool{"any": true, "all": true, "pktap": true, "pktap0": true, "pktap,en0": true, "iptap": true, "en0": false, "anpi0": false} {
		plain, below := plainOf(false)
		s, err := plain.tapped(Config{Interface: name, SnapLen: 100},
			func(Config) (capture.Source, error) { return &fakeTap{link: capture.LinkTypePKTAP}, nil }, nil)
		if told := err == nil && s.NoTap != nil; told != want || below.closed == want {
			t.Errorf("%s: %+v, %v; want it left as it is and told of: %v", name, s, err, want)
		}
	}
}

// TestTapFallsBack: where there is no tap the interface stays open, and why is said.
func TestTapFallsBack(t *testing.T) {
	denied := errors.New("permission denied")
	open := func(link capture.LinkType, err error) func(Config) (capture.Source, error) {
		return func(Config) (capture.Source, error) {
			if err != nil {
				return nil, err
			}
			return &fakeTap{link: link}, nil
		}
	}
	for name, tt := range map[string]struct {
		loopback bool
		filter   string
		open     func(Config) (capture.Source, error)
		told     bool
	}{
		"no rights":               {false, "", open(0, denied), true},
		"no header":               {false, "", open(capture.LinkTypeRaw, nil), true},
		"a filter that is wrong":  {false, "nonsense", open(capture.LinkTypePKTAP, nil), true},
		"loopback, twice on taps": {true, "", open(capture.LinkTypePKTAP, nil), false},
	} {
		plain, below := plainOf(tt.loopback)
		s, err := plain.tapped(Config{Interface: "en0", Filter: tt.filter, SnapLen: 100}, tt.open, startsWith('a'))
		if err != nil || s != plain || below.closed || (s.NoTap != nil) != tt.told {
			t.Errorf("%s: got %+v, %v, closed %v; want the interface as it was, told %v", name, s, err, below.closed, tt.told)
		}
	}
}

// TestTapSkips: a filter that nothing passes does not keep the reader from being asked whether to go on.
func TestTapSkips(t *testing.T) {
	plain, _ := plainOf(false)
	inner := &fakeTap{link: capture.LinkTypePKTAP}
	for range maxSkipped + 1 {
		inner.packets = append(inner.packets, tapHeader(1, "x"))
	}
	s, err := plain.tapped(Config{Interface: "en0", Filter: "starts with it", SnapLen: 100},
		func(Config) (capture.Source, error) { return inner, nil }, startsWith('a'))
	if err != nil {
		t.Fatal(err)
	}
	var p capture.Packet
	if err := s.Next(&p); !errors.Is(err, capture.ErrTimeout) || len(inner.packets) != 1 {
		t.Errorf("got %v with %d packets left, want a timeout with 1", err, len(inner.packets))
	}
}
