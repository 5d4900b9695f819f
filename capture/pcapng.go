package capture

// Block types of draft-ietf-opsawg-pcapng section 11.1.
const (
	blockSection        = 0x0a0d0d0a
	blockInterface      = 0x00000001
	blockPacket         = 0x00000002 // obsolete, and still in old files
	blockSimplePacket   = 0x00000003
	blockNames          = 0x00000004
	blockStatistics     = 0x00000005
	blockEnhancedPacket = 0x00000006
)

const (
	blockHeader  = 8  // type and total length
	blockFraming = 12 // header, and the length again at the end
	// maxSkipped bounds a block that is only skipped (secrets, custom and unknown blocks): it is
	// streamed past, not held. Wireshark's limit is the same 128 MiB (wiretap/pcapng.c).
	maxSkipped = 128 << 20
	// maxInterfaces bounds what a file of nothing but interface descriptions can make us keep.
	maxInterfaces = 65536
)

var pcapngMagic = [4]byte{0x0a, 0x0d, 0x0d, 0x0a} // reads the same in both byte orders

func isPcapng(head []byte) bool { return [4]byte(head) == pcapngMagic }

// NgReader reads pcapng files: any number of sections, each in its own byte order and with its own
// interfaces. It is the Source that NewReader returns for a pcapng file; a caller that wants the names
// a file carries asserts for it. It is not safe for concurrent use.
type NgReader struct {
	in         *input
	opened     closers
	order      byteOrder
	first      int // index of this section's first interface
	interfaces []Interface
	clocks     []clock // one for each interface
	names      names
	processes  processes

	application string
	extra       map[uint32]func(body []byte)
	err         error // how the file ended; given again by every later Next
}

func newNgReader(in *input, opened closers) (*NgReader, error) {
	r := &NgReader{in: in, opened: opened}
	if err := r.section(); err != nil {
		return nil, err
	}
	return r, nil
}

// Next implements Source.
func (r *NgReader) Next(p *Packet) error {
	for r.err == nil {
		var found bool
		if found, r.err = r.block(p); found {
			return nil
		}
	}
	return r.err
}

// block reads one block and reports whether it filled in p.
func (r *NgReader) block(p *Packet) (bool, error) {
	head := r.in.peek(blockHeader)
	if len(head) < blockHeader {
		return false, r.in.ended(r.in.offset(), "block header", int64(len(head)), blockHeader)
	}
	kind := r.order.uint32(head)
	if kind == blockSection {
		return false, r.section()
	}
	length := int64(r.order.uint32(head[4:]))
	switch kind {
	case blockInterface, blockPacket, blockSimplePacket, blockNames, blockStatistics, blockEnhancedPacket:
	case blockProcess, blockCustom, blockCustomNoCopy:
		return false, r.processBlock(kind, length)
	default:
		if r.extra[kind] == nil {
			return false, r.skipBlock(kind, length)
		}
	}
	body, err := r.body(kind, length)
	if err != nil {
		return false, err
	}
	found, err := r.decode(kind, body, p)
	if err != nil {
		return false, err
	}
	r.in.skip(int(length))
	return found, nil
}

// decode reads the block at the reader's offset, which it does not move.
func (r *NgReader) decode(kind uint32, body []byte, p *Packet) (bool, error) {
	switch kind {
	case blockEnhancedPacket:
		return true, r.enhancedPacket(body, p)
	case blockPacket:
		return true, r.oldPacket(body, p)
	case blockSimplePacket:
		return true, r.simplePacket(body, p)
	case blockInterface:
		return false, r.describeInterface(body)
	case blockStatistics:
		r.statistics(body)
	case blockNames:
		r.names.add(body, r.order)
	default:
		r.extra[kind](body)
	}
	return false, nil
}

// body returns what stands between a block's two lengths.
func (r *NgReader) body(kind uint32, length int64) ([]byte, error) {
	if err := r.checkLength(kind, length, maxRecord); err != nil {
		return nil, err
	}
	block := r.in.peek(int(length))
	if int64(len(block)) < length {
		return nil, r.in.ended(r.in.offset(), "block", int64(len(block)), length)
	}
	if again := int64(r.order.uint32(block[length-4:])); again != length {
		return nil, r.in.damaged(r.in.offset(), "block says it has %d bytes at its start and %d at its end", length, again)
	}
	return block[blockHeader : length-4 : length-4], nil
}

func (r *NgReader) checkLength(kind uint32, length, most int64) error {
	if length < blockFraming || length%4 != 0 || length > most {
		return r.in.damaged(r.in.offset(), "block of type %#x has an impossible length of %d bytes", kind, length)
	}
	return nil
}

// skipBlock streams past a block that nobody here reads.
func (r *NgReader) skipBlock(kind uint32, length int64) error {
	if err := r.checkLength(kind, length, maxSkipped); err != nil {
		return err
	}
	at := r.in.offset()
	done := r.in.discard(length - 4)
	tail := r.in.peek(4)
	if len(tail) < 4 {
		return r.in.ended(at, "block", done+int64(len(tail)), length)
	}
	if again := int64(r.order.uint32(tail)); again != length {
		return r.in.damaged(at, "block says it has %d bytes at its start and %d at its end", length, again)
	}
	r.in.skip(4)
	return nil
}

// section reads a section header, from which on the byte order may be another and interfaces are
// numbered from 0 again. Its section length is not used: every block says its own, and writers that
// do not know it put -1.
func (r *NgReader) section() error {
	const fixed = blockHeader + 16 // byte-order magic, version, section length
	at := r.in.offset()
	head := r.in.peek(fixed)
	if len(head) < fixed {
		return r.in.ended(at, "section header", int64(len(head)), fixed)
	}
	order, ok := orderOf([4]byte(head[blockHeader:]))
	if !ok {
		return r.badSection("byte-order magic % x is neither order", head[blockHeader:blockHeader+4])
	}
	r.order = order
	// 1.2 is 1.0 with a wrong number, from some writers (draft-ietf-opsawg-pcapng section 4.1).
	if major, minor := order.uint16(head[12:]), order.uint16(head[14:]); major != 1 || minor != 0 && minor != 2 {
		return r.badSection("pcapng version %d.%d, apptap reads 1.0", major, minor)
	}
	length := int64(order.uint32(head[4:]))
	if length < fixed+4 {
		return r.badSection("section header has an impossible length of %d bytes", length)
	}
	body, err := r.body(blockSection, length)
	if err != nil {
		return err
	}
	r.application = applicationOf(body[16:], order) // behind what is fixed
	r.in.skip(int(length))
	r.first = len(r.interfaces)
	r.processes.reset()
	return nil
}

// applicationOf is the name of the program that wrote a section, "" if its options do not say (draft-ietf-opsawg-pcapng section 4.1).
func applicationOf(list []byte, order byteOrder) string {
	const application = 4
	o := options{list, order}
	for {
		switch code, value, ok := o.next(); {
		case !ok:
			return ""
		case code == application:
			return optionText(value)
		}
	}
}

// Application is the program that wrote the section that is being read, "" if it does not say.
func (r *NgReader) Application() string { return r.application }

// badSection is foreign content at the start of a file and damage later on.
func (r *NgReader) badSection(format string, args ...any) error {
	err := r.in.damaged(r.in.offset(), format, args...)
	if r.in.offset() > 0 {
		return err
	}
	err.Err = ErrFormat
	return err
}

func orderOf(magic [4]byte) (byteOrder, bool) {
	switch magic {
	case [4]byte{0x1a, 0x2b, 0x3c, 0x4d}:
		return bigEndian, true
	case [4]byte{0x4d, 0x3c, 0x2b, 0x1a}:
		return littleEndian, true
	}
	return littleEndian, false
}

// Interfaces implements Source: those of all sections read so far, in the order of the file.
func (r *NgReader) Interfaces() []Interface { return r.interfaces }

// Stats implements Source. It is Known once an interface statistics block has been read; they stand
// behind the packets, so usually at the end.
func (r *NgReader) Stats() Stats {
	var sum Stats
	for i := range r.interfaces {
		sum = sum.Add(r.interfaces[i].Stats)
	}
	return sum
}

// Names lists the names that the name resolution blocks read so far give to addresses, in the order
// of the file. The slice must not be changed.
func (r *NgReader) Names() []Name { return r.names.list }

// OnBlock has Next give the bodies of blocks of a type that it would pass over to read, in the order of the file.
// They are valid until read returns, and padded to a multiple of four bytes. BigEndian then says how they are written.
func (r *NgReader) OnBlock(kind uint32, read func(body []byte)) {
	if r.extra == nil {
		r.extra = map[uint32]func([]byte){}
	}
	r.extra[kind] = read
}

// BigEndian is the byte order of the section that is being read.
func (r *NgReader) BigEndian() bool { return r.order == bigEndian }

// Close implements Source.
func (r *NgReader) Close() error { return r.opened.Close() }
