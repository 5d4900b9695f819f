package capture

import "bytes"

// pcapFormat is one of the layouts that share the classic 24-byte file header.
type pcapFormat struct {
	magic       [4]byte
	order       byteOrder
	nanoseconds bool
	record      int // bytes of a record header
}

const (
	pcapFileHeader   = 24 // pcap-savefile(5)
	pcapRecordHeader = 16
	// Kuznetzov's patched libpcap of 1998 adds an interface index, a protocol and a packet type to
	// each record header (libpcap sf-pcap.c, struct pcap_sf_patched_pkthdr).
	modifiedRecordHeader = 24
)

func pcapFormats() [6]pcapFormat {
	return [6]pcapFormat{
		{[4]byte{0xd4, 0xc3, 0xb2, 0xa1}, littleEndian, false, pcapRecordHeader},
		{[4]byte{0xa1, 0xb2, 0xc3, 0xd4}, bigEndian, false, pcapRecordHeader},
		{[4]byte{0x4d, 0x3c, 0xb2, 0xa1}, littleEndian, true, pcapRecordHeader},
		{[4]byte{0xa1, 0xb2, 0x3c, 0x4d}, bigEndian, true, pcapRecordHeader},
		{[4]byte{0x34, 0xcd, 0xb2, 0xa1}, littleEndian, false, modifiedRecordHeader},
		{[4]byte{0xa1, 0xb2, 0xcd, 0x34}, bigEndian, false, modifiedRecordHeader},
	}
}

func pcapFormatOf(head []byte) (pcapFormat, bool) {
	for _, f := range pcapFormats() {
		if bytes.HasPrefix(head, f.magic[:]) {
			return f, true
		}
	}
	return pcapFormat{}, false
}

// pcapReader reads classic pcap files.
type pcapReader struct {
	in        *input
	opened    closers
	format    pcapFormat
	nsPerUnit int64 // nanoseconds in the unit of a record's second time field
	// oldOrder and eitherOrder say that a record's two lengths are, or may be, the other way round.
	oldOrder, eitherOrder bool
	interfaces            [1]Interface
	err                   error // how the file ended; given again by every later Next
}

func newPcapReader(in *input, format pcapFormat, opened closers) (*pcapReader, error) {
	head := in.peek(pcapFileHeader)
	if len(head) < pcapFileHeader {
		return nil, in.ended(0, "file header", int64(len(head)), pcapFileHeader)
	}
	r := &pcapReader{in: in, opened: opened, format: format, nsPerUnit: 1000}
	if format.nanoseconds {
		r.nsPerUnit = 1
	}
	// Any version is read: 2.4 has been the only one written since 1998, so another is likely damage
	// to these four bytes alone.
	r.version(format.order.uint16(head[4:]), format.order.uint16(head[6:]))
	r.interfaces[0] = Interface{
		LinkType: pcapLinkType(format.order.uint32(head[20:])),
		SnapLen:  snapLen(format.order.uint32(head[16:])),
		Source:   in.name,
	}
	in.skip(pcapFileHeader)
	return r, nil
}

// pcapLinkType takes the link type out of its field. The upper 16 bits can say that each frame ends in
// an FCS and how long it is (pcap-savefile(5)). Length is nevertheless given as recorded, as every
// other reader does: files with that bit are rare, and one whose frames carry no FCS in spite of it
// would be miscounted.
func pcapLinkType(field uint32) LinkType { return LinkType(field & 0xffff).Canonical() }

// snapLen makes a recorded snaplen an int. Some writers put 0 or 2^32-1 for no limit.
func snapLen(recorded uint32) int {
	if recorded > 1<<31-1 {
		return 0
	}
	return int(recorded)
}

// Next implements Source.
func (r *pcapReader) Next(p *Packet) error {
	if r.err != nil {
		return r.err
	}
	head := r.in.peek(r.format.record)
	if len(head) < r.format.record {
		return r.fail(r.in.ended(r.in.offset(), "packet header", int64(len(head)), int64(r.format.record)))
	}
	captured, length := r.lengths(head)
	if captured > maxRecord {
		return r.fail(r.in.damaged(r.in.offset(), "packet claims %d captured bytes, more than %d", captured, maxRecord))
	}
	total := r.format.record + int(captured)
	record := r.in.peek(total)
	if len(record) < total {
		return r.fail(r.in.ended(r.in.offset(), "packet", int64(len(record)), int64(total)))
	}
	p.Time = r.time(record)
	setBytes(p, record[r.format.record:total], length)
	p.LinkType = r.interfaces[0].LinkType
	p.Interface = 0
	r.in.skip(total)
	return nil
}

// version notes how the two lengths of a record are ordered: before version 2.3 they came the other way
// round, and in 2.3 either way was written (libpcap sf-pcap.c, swap_type).
func (r *pcapReader) version(major, minor uint16) {
	r.oldOrder = major == 2 && minor <= 3
	r.eitherOrder = major == 2 && minor == 3
}

// lengths returns the captured and the original length of a record.
func (r *pcapReader) lengths(head []byte) (captured, length uint32) {
	captured, length = r.format.order.uint32(head[8:]), r.format.order.uint32(head[12:])
	if r.oldOrder && (captured > length || !r.eitherOrder) {
		return length, captured
	}
	return captured, length
}

// time cannot overflow: both fields are 32 bits wide, and 2^32 s is a quarter of what int64 holds.
func (r *pcapReader) time(head []byte) int64 {
	seconds, fraction := r.format.order.uint32(head), r.format.order.uint32(head[4:])
	return int64(seconds)*1e9 + int64(fraction)*r.nsPerUnit
}

// setBytes fills in a packet's bytes. A record that claims more captured bytes than the frame had is
// believed about the frame, as tshark does: the surplus is not part of it.
func setBytes(p *Packet, captured []byte, length uint32) {
	p.Owner, p.Direction = nil, DirectionUnknown
	p.Length = int(length)
	p.Data = captured[:min(len(captured), p.Length):min(len(captured), p.Length)]
}

func (r *pcapReader) fail(err error) error {
	r.err = err
	return err
}

// Interfaces implements Source: a pcap file has one, without a name.
func (r *pcapReader) Interfaces() []Interface { return r.interfaces[:] }

// Stats implements Source: a pcap file does not say what was dropped.
func (r *pcapReader) Stats() Stats { return Stats{} }

// Close implements Source.
func (r *pcapReader) Close() error { return r.opened.Close() }
