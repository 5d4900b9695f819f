//go:build cgo

package live

import (
	"errors"
	"fmt"
	"io"

	"apptap/capture"

	"github.com/google/gopacket/pcap"
)

// Source captures on one interface through libpcap. Its packets' Data lies in the kernel's ring and is
// valid until the next Next. It is not safe for concurrent use.
type Source struct {
	handle     *pcap.Handle
	interfaces [1]capture.Interface
	counters   counters
}

// Open starts to capture. Its error is a *NoInterfaceError, a *PermissionError or a *FilterError where
// that is what is wrong. Time stamps are the kernel's, in nanoseconds where the system has them.
func Open(c Config) (*Source, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	handle, err := activate(c)
	if err != nil {
		return nil, err
	}
	s := &Source{handle: handle}
	if err := s.prepare(c); err != nil {
		handle.Close()
		return nil, err
	}
	return s, nil
}

// activate opens the device. Where an interface has no promiscuous mode, as the device any, it goes
// without: gopacket turns libpcap's warning into an error.
func activate(c Config) (*pcap.Handle, error) {
	inactive, err := pcap.NewInactiveHandle(c.Interface)
	if err != nil {
		return nil, fmt.Errorf("capture on %s: %w", c.Interface, err)
	}
	defer inactive.CleanUp()
	if err := configure(inactive, c); err != nil {
		return nil, fmt.Errorf("capture on %s: %w", c.Interface, err)
	}
	handle, err := inactive.Activate()
	if err == nil {
		return handle, nil
	}
	if c.Promiscuous && err.Error() == wordsNoPromiscuous {
		c.Promiscuous = false
		return activate(c)
	}
	return nil, explainActivate(c.Interface, err)
}

// configure sets what must be set before activation. gopacket polls with the timeout itself and puts
// the handle into non-blocking mode, so Next returns within it even where libpcap would wait for a
// packet.
func configure(inactive *pcap.InactiveHandle, c Config) error {
	return errors.Join(
		inactive.SetSnapLen(c.SnapLen),
		inactive.SetPromisc(c.Promiscuous),
		inactive.SetTimeout(c.ReadTimeout),
		inactive.SetBufferSize(c.BufferBytes),
	)
}

func (s *Source) prepare(c Config) error {
	linkType, err := linkTypeOf(s.handle)
	if err != nil {
		return fmt.Errorf("capture on %s: %w", c.Interface, err)
	}
	if err := s.setFilter(c.Filter); err != nil {
		return err
	}
	s.interfaces[0] = describe(c.Interface)
	s.interfaces[0].LinkType = linkType
	s.interfaces[0].SnapLen = s.handle.SnapLen()
	return nil
}

func (s *Source) setFilter(expr string) error {
	if expr == "" {
		return nil
	}
	err := s.handle.SetBPFFilter(expr)
	if err == nil {
		return nil
	}
	return newFilterError(expr, err.Error(), func(try string) error {
		_, err := s.handle.CompileBPFFilter(try)
		return err
	})
}

// linkTypeOf finds the link type of an open handle. gopacket cuts the number to 8 bits, so it is looked
// up among those that libpcap lists for the device; two with the same low bits cannot be told apart.
func linkTypeOf(handle *pcap.Handle) (capture.LinkType, error) {
	low := uint8(handle.LinkType())
	listed, err := handle.ListDataLinks()
	if err != nil {
		return 0, fmt.Errorf("list link types: %w", err)
	}
	var found []int
	for _, link := range listed {
		if dlt := pcap.DatalinkNameToVal(link.Name); dlt >= 0 && uint8(dlt) == low {
			found = append(found, dlt)
		}
	}
	return chooseLinkType(low, found)
}

// Next implements capture.Source. It waits for at most the read timeout.
func (s *Source) Next(p *capture.Packet) error {
	data, at, err := s.handle.ZeroCopyReadPacketData()
	if err != nil {
		return s.explain(err)
	}
	p.Time = at.Timestamp.UnixNano()
	p.Data = data
	p.Length = at.Length
	p.LinkType = s.interfaces[0].LinkType
	p.Interface = 0
	return nil
}

func (s *Source) explain(err error) error {
	switch {
	case errors.Is(err, pcap.NextErrorTimeoutExpired):
		return capture.ErrTimeout
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, pcap.NextErrorReadError):
		return fmt.Errorf("capture on %s: %w", s.interfaces[0].Name, s.handle.Error())
	}
	return fmt.Errorf("capture on %s: %w", s.interfaces[0].Name, err)
}

// Interfaces implements capture.Source: there is one.
func (s *Source) Interfaces() []capture.Interface {
	s.interfaces[0].Stats = s.Stats()
	return s.interfaces[:]
}

// Stats implements capture.Source with pcap_stats(3). It may be called after Close and then says what
// held at that moment.
func (s *Source) Stats() capture.Stats {
	if s.handle == nil {
		return s.counters.sum
	}
	now, err := s.handle.Stats()
	if err != nil {
		return s.counters.sum
	}
	return s.counters.update(uint32(now.PacketsReceived), uint32(now.PacketsDropped), uint32(now.PacketsIfDropped))
}

// Close implements capture.Source.
func (s *Source) Close() error {
	if s.handle == nil {
		return nil
	}
	s.Stats()
	s.handle.Close()
	s.handle = nil
	return nil
}

var _ capture.Source = (*Source)(nil)

// pcapInterfaces lists what libpcap finds: pseudo devices such as any, descriptions, wireless flags.
func pcapInterfaces() []InterfaceRow {
	found, err := pcap.FindAllDevs()
	if err != nil {
		return nil // the operating system's own list stands
	}
	rows := make([]InterfaceRow, 0, len(found))
	for _, f := range found {
		const loopback, up, wireless = 1, 2, 8 // PCAP_IF_*, pcap/pcap.h
		rows = append(rows, InterfaceRow{
			Name: f.Name, Description: f.Description,
			Up: f.Flags&up != 0, Loopback: f.Flags&loopback != 0, Wireless: f.Flags&wireless != 0,
		})
	}
	return rows
}
