package live

import (
	"fmt"
	"slices"
	"strings"

	"apptap/capture"
)

const (
	// tapPrefix before an interface's name is a packet tap of that interface alone. Plain pktap also has what goes through tunnels, twice.
	tapPrefix = "pktap,"
	// tapRoom is how much longer than frames captured packets are: a PKTAP header has 156 bytes, with names behind it no more than 255.
	tapRoom = 256
	// maxSkipped bounds how many packets in a row a filter passes over before the reader is asked whether to go on.
	maxSkipped = 1024
)

// tapSource reads a packet tap: it takes the header off each packet and says in Owner what stood there, so that all else is as on the
// interface below. Filters of the kernel do not see through the header, so they are applied here.
type tapSource struct {
	inner   capture.Source
	headers capture.HeaderOwners
	match   func(*capture.Packet) bool // nil wants all
	below   [1]capture.Interface
	snapLen int
}

// tapped puts a packet tap in the place of s, which is open on the interface, or says in NoTap why that cannot be.
func (s *Source) tapped(c Config, open func(Config) (capture.Source, error), compile compileFunc) (*Source, error) {
	below := s.Interfaces()[0]
	if below.Loopback {
		return s, nil // it would have each packet twice, once for each direction
	}
	if isTap(c.Interface) {
		s.NoTap = fmt.Errorf("%s is no interface but a tap: name an interface, as -i en0, and its packets name their processes", c.Interface)
		return s, nil
	}
	tap, err := openTap(c, below, open, compile)
	if err != nil {
		s.NoTap = err
		return s, nil
	}
	if err := s.Source.Close(); err != nil {
		tap.Close() // nothing was read
		return nil, err
	}
	return &Source{Source: tap, Reader: ReaderPKTAP, NoRing: s.NoRing}, nil
}

// isTap says whether libpcap makes a tap of several interfaces for a name (pcap-darwin.c, pktap_create): "pktap,any" would be one again, of
// frames of many kinds, and "pktap,pktap" one of nothing.
func isTap(name string) bool {
	if slices.Contains([]string{"any", "all"}, name) {
		return true
	}
	return slices.ContainsFunc([]string{"pktap", "iptap", "droptap"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// compileFunc compiles a filter expression for packets of a link type.
type compileFunc func(t capture.LinkType, snapLen int, expr string) (func(*capture.Packet) bool, error)

func compileMatch(t capture.LinkType, snapLen int, expr string) (func(*capture.Packet) bool, error) {
	f, err := CompileFilter(t, snapLen, expr)
	if err != nil {
		return nil, err
	}
	return f.Match, nil
}

func openTap(c Config, below capture.Interface, open func(Config) (capture.Source, error), compile compileFunc) (capture.Source, error) {
	t := &tapSource{snapLen: c.SnapLen}
	t.below[0] = below
	if c.Filter != "" {
		var err error
		if t.match, err = compile(below.LinkType, c.SnapLen, c.Filter); err != nil {
			return nil, err
		}
	}
	c.Interface, c.Filter, c.Keep, c.tapped = tapPrefix+c.Interface, "", KeepWhole, true
	c.SnapLen = min(c.SnapLen+tapRoom, DefaultSnapLen)
	var err error
	if t.inner, err = open(c); err != nil {
		return nil, err
	}
	if link := t.inner.Interfaces()[0].LinkType; link != capture.LinkTypePKTAP && link != capture.LinkTypeUser2 {
		t.inner.Close() // nothing was read
		return nil, fmt.Errorf("capture on %s: its packets are %v, without a header that names processes", c.Interface, link)
	}
	return t, nil
}

// Next implements capture.Source. A packet without a header that can be is given as it is.
func (t *tapSource) Next(p *capture.Packet) error {
	for range maxSkipped {
		if err := t.inner.Next(p); err != nil {
			return err
		}
		p.Owner = nil
		if t.headers.Unwrap(p) {
			t.asBelow(p)
		}
		if t.match == nil || t.match(p) {
			return nil
		}
	}
	return capture.ErrTimeout
}

// nullHeader is the family of DLT_NULL, four bytes.
const nullHeader = 4

// asBelow makes of a frame what the interface below shows: what VPNs of user space networking have as bare IP a tap has with a family
// in front (pktap_bpf_tap_packet of bsd/net/pktap.c, for DLT_RAW).
func (t *tapSource) asBelow(p *capture.Packet) {
	if t.below[0].LinkType == capture.LinkTypeRaw && p.LinkType == capture.LinkTypeNull && len(p.Data) >= nullHeader {
		p.LinkType, p.Data, p.Length = capture.LinkTypeRaw, p.Data[nullHeader:], p.Length-nullHeader
	}
	if len(p.Data) > t.snapLen {
		p.Data = p.Data[:t.snapLen]
	}
}

// Interfaces implements capture.Source: it is the one below.
func (t *tapSource) Interfaces() []capture.Interface {
	t.below[0].Stats = t.Stats()
	return t.below[:]
}

// Stats implements capture.Source.
func (t *tapSource) Stats() capture.Stats { return t.inner.Stats() }

// Close implements capture.Source.
func (t *tapSource) Close() error { return t.inner.Close() }

var _ capture.Source = (*tapSource)(nil)
