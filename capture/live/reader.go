package live

import (
	"errors"
	"fmt"

	"apptap/capture"
)

// Reader says what takes packets from the kernel.
type Reader string

// The readers. ReaderAuto takes the ring wherever that works: the whole of apptap takes some 20 % less processor time
// with it (docs/performance.md), and nothing has to be installed for it.
const (
	ReaderAuto Reader = ""
	ReaderRing Reader = "ring" // a TPACKET_V3 ring of our own, Linux only
	ReaderPcap Reader = "pcap" // libpcap
	// ReaderPKTAP is libpcap on a packet tap above the interface, in which each packet says whose it is: macOS only, root only.
	ReaderPKTAP Reader = "pktap"
)

// Source captures on one interface. Its packets' Data lies in the kernel's buffer and is valid until the next Next.
// It is not safe for concurrent use.
type Source struct {
	capture.Source
	Reader Reader // what it is, never ReaderAuto
	// NoRing is why ReaderAuto did not take the ring, nil if it did or was not asked to.
	NoRing error
	// NoTap is why ReaderAuto did not take ReaderPKTAP where the system has it, nil if it did or there was no use for it.
	NoTap error
}

// Open starts to capture. Its error is a *NoInterfaceError, a *PermissionError or a *FilterError where
// that is what is wrong. Time stamps are the kernel's, in nanoseconds where the system has them.
func Open(c Config) (*Source, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	switch c.Reader {
	case ReaderRing:
		return opened(ReaderRing, nil)(openRing(c))
	case ReaderPcap:
		return opened(ReaderPcap, nil)(openPcap(c))
	case ReaderPKTAP:
		return openTapped(c)
	case ReaderAuto:
		return openAny(c)
	}
	return nil, fmt.Errorf("capture on %s: no reader %q: there are ring, pcap and pktap", c.Interface, c.Reader)
}

// openAny taps where the system has taps; what is opened instead says why not.
func openAny(c Config) (*Source, error) {
	plain, err := openEither(c)
	if err != nil || !taps {
		return plain, err
	}
	return plain.tapped(c, openPcap, compileMatch)
}

// openTapped is a tap or nothing.
func openTapped(c Config) (*Source, error) {
	if !taps {
		return nil, fmt.Errorf("capture on %s: only macOS has packet taps that name processes: %w", c.Interface, errors.ErrUnsupported)
	}
	s, err := openAny(c)
	switch {
	case err != nil:
		return nil, err
	case s.Reader == ReaderPKTAP:
		return s, nil
	case s.NoTap == nil:
		err = fmt.Errorf("capture on %s: a tap on a loopback interface has each packet twice", c.Interface)
	default:
		err = s.NoTap
	}
	s.Close() // nothing was read
	return nil, err
}

// openEither falls back to libpcap. Where that is missing, what the ring said is the answer, unless it was about the
// filter, which only libpcap compiles.
func openEither(c Config) (*Source, error) {
	ring, ringErr := openRing(c)
	if ringErr == nil {
		return opened(ReaderRing, nil)(ring, nil)
	}
	source, err := openPcap(c)
	if err != nil && errors.Is(err, errors.ErrUnsupported) && !errors.Is(ringErr, errors.ErrUnsupported) {
		return nil, ringErr
	}
	return opened(ReaderPcap, ringErr)(source, err)
}

func opened(r Reader, noRing error) func(capture.Source, error) (*Source, error) {
	return func(s capture.Source, err error) (*Source, error) {
		if err != nil {
			return nil, err
		}
		return &Source{Source: s, Reader: r, NoRing: noRing}, nil
	}
}
