package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
)

// WriterOptions says what a pcapng file tells about its making. Empty texts are left out.
type WriterOptions struct {
	Hardware    string // of the capturing machine, such as "arm64"
	OS          string // such as "Darwin 24.1"
	Application string // such as "apptap 1.0"
	Filter      string // the capture filter, as libpcap words it; written with each interface
	Interfaces  []Interface
	// WiresharkProcesses says that processes are described in Wireshark's custom blocks as well. Wireshark 5 knows these; older
	// versions list each of them as a packet.
	WiresharkProcesses bool
}

// Writer writes a pcapng file of one little-endian section with time stamps in nanoseconds. It is not
// safe for concurrent use.
//
// A write error is returned by the call that meets it and by every WritePacket after it; the caller
// decides whether to stop. Nothing more is written then, and Close does not repeat it.
type Writer struct {
	out        out
	filter     string
	system     string
	hardware   string
	interfaces int
	stats      []Stats
	last       int64 // newest time written: the time of the statistics blocks
	wireshark  bool
	processes  map[*Process]uint32 // numbers of the blocks written
}

// NewWriter writes a section header and a description of each interface to w. It does not close w.
func NewWriter(w io.Writer, o WriterOptions) (*Writer, error) {
	nw := &Writer{out: newOut(w), filter: o.Filter, system: o.OS, hardware: o.Hardware, wireshark: o.WiresharkProcesses}
	b := nw.out.begin(blockSection)
	b = append(b, 0x4d, 0x3c, 0x2b, 0x1a)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, math.MaxUint64) // section length: not known
	const hardware, system, application = 2, 3, 4           // draft-ietf-opsawg-pcapng section 4.1
	b = appendText(b, hardware, o.Hardware)
	b = appendText(b, system, o.OS)
	b = appendText(b, application, o.Application)
	if err := nw.out.end(appendOption(b, optionEnd, nil)); err != nil {
		return nil, err
	}
	for _, i := range o.Interfaces {
		if _, err := nw.AddInterface(i); err != nil {
			return nil, err
		}
	}
	return nw, nil
}

// AddInterface describes one more interface and returns its index, which Packet.Interface refers to.
func (w *Writer) AddInterface(i Interface) (int, error) {
	b := w.out.begin(blockInterface)
	b = binary.LittleEndian.AppendUint16(b, uint16(i.LinkType))
	b = append(b, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(min(max(i.SnapLen, 0), math.MaxInt32)))
	b = appendText(b, optionInterfaceName, i.Name)
	b = appendText(b, optionInterfaceDescription, i.Description)
	for _, addr := range i.Addrs {
		b = appendPrefix(b, addr)
	}
	b = appendOption(b, optionInterfaceResolution, []byte{9})
	b = appendText(b, optionInterfaceOS, w.system)
	b = appendText(b, optionInterfaceHardware, w.hardware)
	if w.filter != "" {
		const filterString = 0 // the first byte says how the filter is written
		b = appendOption(b, optionInterfaceFilter, append([]byte{filterString}, w.filter...))
	}
	w.interfaces++
	w.stats = append(w.stats, i.Stats)
	return w.interfaces - 1, w.out.end(appendOption(b, optionEnd, nil))
}

// SetStats says what interface i received and dropped in all; Close writes it.
func (w *Writer) SetStats(i int, s Stats) { w.stats[i] = s }

// WritePacket appends a packet, and before it the processes of its Owner that no block describes yet. The format cannot hold
// times before 1970: they become 1970. It copies p.Data.
func (w *Writer) WritePacket(p *Packet) error {
	if p.Interface < 0 || p.Interface >= w.interfaces {
		return fmt.Errorf("write packet: interface %d of %d is not described", p.Interface, w.interfaces)
	}
	if err := checkPacket(p); err != nil {
		return err
	}
	var owner owned
	if p.Owner != nil && p.Owner.For() != nil {
		var err error
		if owner, err = w.describeOwner(p.Owner); err != nil {
			return err
		}
	}
	stamp := uint64(max(p.Time, 0))
	w.last = max(w.last, p.Time)
	b := append(w.out.begin(blockEnhancedPacket), make([]byte, packetFields)...)
	fields := b[len(b)-packetFields:]
	binary.LittleEndian.PutUint32(fields, uint32(p.Interface))
	binary.LittleEndian.PutUint32(fields[4:], uint32(stamp>>32))
	binary.LittleEndian.PutUint32(fields[8:], uint32(stamp))
	binary.LittleEndian.PutUint32(fields[12:], uint32(len(p.Data)))
	binary.LittleEndian.PutUint32(fields[16:], uint32(p.Length))
	b = append(b, p.Data...)
	b = appendPadding(b, len(p.Data))
	if p.Owner != nil && p.Owner.For() != nil {
		b = appendOwner(b, p.Owner, owner)
	}
	return w.out.end(b)
}

// packetFields is the length of an enhanced packet block's fields before the packet.
const packetFields = 20

// checkPacket refuses what NewReader would not read back.
func checkPacket(p *Packet) error {
	if len(p.Data) > maxRecord-blockFraming-packetFields-ownerOptions || p.Length < 0 || int64(p.Length) > math.MaxUint32 {
		return fmt.Errorf("write packet: %d captured bytes of %d do not fit a capture file", len(p.Data), p.Length)
	}
	return nil
}

// WriteBlock appends a block of a type of its writer's own: 0x80000000 and above are for local use, and readers pass over
// those that they do not know (draft-ietf-opsawg-pcapng section 11.1). body is padded with zeros.
func (w *Writer) WriteBlock(kind uint32, body []byte) error {
	if len(body) > maxRecord-blockFraming {
		return fmt.Errorf("write block of type %#x: %d bytes do not fit a capture file", kind, len(body))
	}
	return w.out.end(appendPadding(append(w.out.begin(kind), body...), len(body)))
}

// Pending is how many bytes were written and not handed to the destination yet.
func (w *Writer) Pending() int64 { return w.out.pending() }

// Flush hands everything written so far to the destination.
func (w *Writer) Flush() error { return w.out.flush() }

// Close writes the interfaces' statistics, where they are known, and flushes. It does not close the
// destination.
func (w *Writer) Close() error {
	if w.out.err != nil {
		return nil
	}
	for i, s := range w.stats {
		if !s.Known {
			continue
		}
		if err := w.statistics(i, s); err != nil {
			return err
		}
	}
	return w.out.flush()
}

func (w *Writer) statistics(i int, s Stats) error {
	b := w.out.begin(blockStatistics)
	b = binary.LittleEndian.AppendUint32(b, uint32(i))
	b = binary.LittleEndian.AppendUint32(b, uint32(uint64(w.last)>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(uint64(w.last)))
	// The same number stands as received and as accepted: ps_recv is counted behind the filter on
	// Linux, and readers look at either.
	b = appendCount(b, optionStatsReceived, s.Received)
	b = appendCount(b, optionStatsDropped, s.DroppedInterface)
	b = appendCount(b, optionStatsAccepted, s.Received)
	b = appendCount(b, optionStatsOSDrop, s.DroppedKernel)
	return w.out.end(appendOption(b, optionEnd, nil))
}

func appendCount(b []byte, code uint16, count uint64) []byte {
	return appendOption(b, code, binary.LittleEndian.AppendUint64(nil, count))
}

// appendText appends a string option, unless it is empty. An option holds 65,535 bytes.
func appendText(b []byte, code uint16, text string) []byte {
	if text == "" {
		return b
	}
	return appendOption(b, code, []byte(text))
}

func appendPrefix(b []byte, p netip.Prefix) []byte {
	addr := p.Addr()
	if addr.Is4() {
		value := append(addr.AsSlice(), net.CIDRMask(p.Bits(), 32)...)
		return appendOption(b, optionInterfaceIPv4, value)
	}
	return appendOption(b, optionInterfaceIPv6, append(addr.AsSlice(), byte(p.Bits())))
}

func appendOption(b []byte, code uint16, value []byte) []byte {
	value = value[:min(len(value), math.MaxUint16)]
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return appendPadding(append(b, value...), len(value))
}

// appendPadding fills up to the 32-bit boundary after n bytes.
func appendPadding(b []byte, n int) []byte {
	return append(b, make([]byte, padded(n)-n)...)
}
