package live

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"apptap/capture"
)

// TapSample is what packets of a tap look like, for apptap doctor: it names nobody.
type TapSample struct {
	LinkType capture.LinkType // of the tap itself
	Packets  int              // that have a header as capture.DescribeTap knows it
	Unknown  int              // that have none
	// Own are packets that their headers say are this process's, Nobody those that say nobody's.
	Own, Nobody int
	// Headers are how many packets have a header of which description; Samples is one of each, in hexadecimal without names and UUIDs.
	Headers map[string]int
	Samples []string
}

const (
	// maxSampled bounds the packets of a sample, maxQuiet how many times in a row there may be none before it is over.
	maxSampled, maxQuiet = 10_000, 10
)

// SampleTap taps an interface while talk sends something. Its error wraps errors.ErrUnsupported where the system has no taps.
func SampleTap(iface string, pid int32, talk func() error) (*TapSample, error) {
	if !taps {
		return nil, fmt.Errorf("tap %s: only macOS has packet taps: %w", iface, errors.ErrUnsupported)
	}
	c, err := Config{Interface: tapPrefix + iface}.withDefaults()
	if err != nil {
		return nil, err
	}
	c.tapped = true
	source, err := openPcap(c)
	if err != nil {
		return nil, err
	}
	defer source.Close() // all that is wanted was read
	s := &TapSample{LinkType: source.Interfaces()[0].LinkType, Headers: map[string]int{}}
	if err := talk(); err != nil {
		return s, fmt.Errorf("talk on %s: %w", iface, err)
	}
	return s, s.read(source, pid)
}

func (s *TapSample) read(source capture.Source, pid int32) error {
	var p capture.Packet
	for quiet := 0; quiet < maxQuiet && s.Packets+s.Unknown < maxSampled; {
		switch err := source.Next(&p); {
		case errors.Is(err, capture.ErrTimeout):
			quiet++
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		default:
			quiet = 0
			s.add(&p, pid)
		}
	}
	return nil
}

func (s *TapSample) add(p *capture.Packet, pid int32) {
	d, ok := capture.DescribeTap(p.Data)
	if !ok {
		s.Unknown++
		return
	}
	s.Packets++
	switch d.PID {
	case pid:
		s.Own++
	case 0, -1:
		s.Nobody++
	}
	if s.Headers[d.Words]++; s.Headers[d.Words] == 1 {
		s.Samples = append(s.Samples, hex.EncodeToString(d.Anonymous))
	}
}
