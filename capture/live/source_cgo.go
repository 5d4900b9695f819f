//go:build cgo

package live

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unsafe"

	"apptap/capture"

	"github.com/google/gopacket/pcap"
	"golang.org/x/net/bpf"
)

// pcapSource captures on one interface through libpcap. Its packets' Data lies in the kernel's ring and is
// valid until the next Next. It is not safe for concurrent use.
type pcapSource struct {
	handle     *pcap.Handle
	interfaces [1]capture.Interface
	counters   counters
}

// openPcap is Open through libpcap.
func openPcap(c Config) (capture.Source, error) {
	handle, err := activate(c)
	if err != nil {
		return nil, err
	}
	s := &pcapSource{handle: handle}
	if err := s.prepare(c); err != nil {
		handle.Close()
		return nil, err
	}
	return s, nil
}

// activate opens the device, with less than c asks for where that is all there is.
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
	if c, ok := c.makeDo(err.Error()); ok {
		return activate(c)
	}
	return nil, explainActivate(c.Interface, err)
}

// configure sets what must be set before activation. gopacket polls with the timeout itself and puts
// the handle into non-blocking mode, so Next returns within it even where libpcap would wait for a
// packet.
func configure(inactive *pcap.InactiveHandle, c Config) error {
	var tap error
	if c.tapped {
		tap = wantTap(inactive)
	}
	if c.TimeStamps != "" {
		if err := stampBy(inactive, c.TimeStamps); err != nil {
			return err
		}
	}
	return errors.Join(
		tap,
		inactive.SetSnapLen(c.SnapLen),
		inactive.SetPromisc(c.Promiscuous),
		inactive.SetTimeout(c.ReadTimeout),
		inactive.SetBufferSize(c.BufferBytes),
	)
}

// stampBy chooses what stamps packets. libpcap only warns of what an interface cannot do, and gopacket drops the warning.
func stampBy(inactive *pcap.InactiveHandle, name string) error {
	host, err := pcap.TimestampSourceFromString("host")
	if err != nil {
		return fmt.Errorf("time stamps of libpcap: %w", err)
	}
	there := inactive.SupportedTimestamps()
	if len(there) == 0 {
		there = []pcap.TimestampSource{host} // libpcap lists nothing where there is no choice
	}
	names := make([]string, len(there))
	for i, t := range there {
		if names[i] = t.String(); names[i] == name {
			return inactive.SetTimestampSource(t)
		}
	}
	return fmt.Errorf("no time stamps of type %q there: it has %s", name, strings.Join(names, ", "))
}

// handleOf is the pcap_t of a handle, which gopacket keeps to itself.
func handleOf(inactive *pcap.InactiveHandle) (unsafe.Pointer, error) {
	field := reflect.ValueOf(inactive).Elem().FieldByName("cptr")
	if field.Kind() != reflect.Pointer || field.IsNil() {
		return nil, errors.New("gopacket keeps its handle elsewhere than version 1.1.19 does")
	}
	return field.UnsafePointer(), nil
}

func (s *pcapSource) prepare(c Config) error {
	linkType, err := linkTypeOf(s.handle)
	if err != nil {
		return fmt.Errorf("capture on %s: %w", c.Interface, err)
	}
	if err := s.setFilter(c, linkType); err != nil {
		return err
	}
	s.interfaces[0] = describe(c.Interface)
	s.interfaces[0].LinkType = linkType
	s.interfaces[0].SnapLen = s.handle.SnapLen()
	return nil
}

// setFilter always sets one: only then libpcap gives a packet no more room in the ring than its snaplen. The
// open handle compiles what no other compiler here can: "inbound", and "vlan" where the kernel takes the tag away.
func (s *pcapSource) setFilter(c Config, linkType capture.LinkType) error {
	var program []bpf.RawInstruction
	if c.Filter != "" {
		compiled, err := s.handle.CompileBPFFilter(c.Filter)
		if err != nil {
			return newFilterError(c.Filter, err.Error(), func(try string) error {
				_, err := s.handle.CompileBPFFilter(try)
				return err
			})
		}
		for _, in := range compiled {
			program = append(program, bpf.RawInstruction{Op: in.Code, Jt: in.Jt, Jf: in.Jf, K: in.K})
		}
	}
	program, err := withKeeping(program, c, linkType)
	if err != nil {
		return err
	}
	instructions := make([]pcap.BPFInstruction, len(program))
	for i, in := range program {
		instructions[i] = pcap.BPFInstruction{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	if err := s.handle.SetBPFInstructionFilter(instructions); err != nil {
		return fmt.Errorf("set filter on %s: %w", c.Interface, err)
	}
	return nil
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
func (s *pcapSource) Next(p *capture.Packet) error {
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

func (s *pcapSource) explain(err error) error {
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
func (s *pcapSource) Interfaces() []capture.Interface {
	s.interfaces[0].Stats = s.Stats()
	return s.interfaces[:]
}

// Stats implements capture.Source with pcap_stats(3). It may be called after Close and then says what
// held at that moment.
func (s *pcapSource) Stats() capture.Stats {
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
func (s *pcapSource) Close() error {
	if s.handle == nil {
		return nil
	}
	s.Stats()
	s.handle.Close()
	s.handle = nil
	return nil
}

var _ capture.Source = (*pcapSource)(nil)

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
