package capture

// Apple's additions to pcapng (libpcap's pcap/pcap-ng.h): a block for each process, and options of packets that refer
// to these by number, counted through a section from 0.
const (
	blockProcess = 0x80000001 // of the range for local use: other writers may mean something else by it

	optionProcessName = 2
	optionProcessPath = 3
	optionProcessUUID = 4

	optionPacketFlags     = 2
	optionPacketPID       = 8 // epb_processid_threadid of the IETF draft, section 4.3
	optionPacketProcess   = 0x8001
	optionPacketEffective = 0x8003
)

// The directions in epb_flags (draft-ietf-opsawg-pcapng section 4.3.1).
const (
	flagIn         = 1
	flagOut        = 2
	flagDirections = 3
)

const (
	maxProcessBlock = 16 << 10 // bytes of a block that is read, longer ones are skipped
	maxProcesses    = 16384    // of a section; at most 21 MiB
	maxProcessPath  = 1024
	maxPID          = 4 << 20 // PID_MAX_LIMIT of Linux, include/linux/threads.h; macOS stops at 99999: more is no process
	maxCmdline      = 4096
	// maxProcessBytes bounds what is kept of a section's processes beside their blocks in list, twice.
	maxProcessBytes = 16 << 20
)

// processes are those of a section, in the order of their blocks.
type processes struct {
	list  []described
	known map[Process]described // the newest of those that look alike
	own   Owner                 // of the packet read last; a Packet points here

	byPID     map[int32][]*Process // of Wireshark's blocks, in their order
	held      int                  // bytes of these
	oneBytes  int                  // of what is in one
	one       map[Process]*Process // what looks alike, but for process blocks, is one
	commented map[string]*comment  // by the options that it stands in
}

// described is a process block: nil where nothing could be made of it, which keeps its number all the same.
type described struct {
	process *Process
	uuid    [16]byte
}

// reset begins a section.
func (p *processes) reset() {
	p.list, p.known, p.held, p.oneBytes = p.list[:0], map[Process]described{}, 0, 0
	p.byPID, p.one, p.commented = map[int32][]*Process{}, map[Process]*Process{}, map[string]*comment{}
}

// add reads a process block. macOS writes one for each way in which a process appears, with and without its UUID, and more
// often than that: those that can be the same process become the same pointer.
func (p *processes) add(body []byte, order byteOrder) {
	if len(p.list) >= maxProcesses {
		return
	}
	d := described{}
	if len(body) >= 4 {
		d = describe(body, order)
	}
	if d.process != nil {
		if o, ok := p.known[*d.process]; ok && o.agrees(&d) {
			d.process = o.process
		}
		p.known[*d.process] = d
	}
	p.list = append(p.list, d)
}

func describe(body []byte, order byteOrder) (d described) {
	d.process = &Process{PID: int32(order.uint32(body))}
	all := options{rest: body[4:], order: order}
	for code, value, ok := all.next(); ok; code, value, ok = all.next() {
		switch {
		case code == optionProcessName:
			d.process.Name = optionText(value[:min(len(value), maxNameText)])
		case code == optionProcessPath:
			d.process.Path = optionText(value[:min(len(value), maxProcessPath)])
		case code == optionProcessUUID && len(value) == len(d.uuid):
			copy(d.uuid[:], value)
		}
	}
	if d.process.PID < 0 || d.process.PID > maxPID {
		d.process = nil
	}
	return d
}

// agrees says whether two blocks of the same PID, name and path can be about one process.
func (d *described) agrees(o *described) bool {
	var none [16]byte
	return d.uuid == o.uuid || d.uuid == none || o.uuid == none
}

func (p *processes) at(number uint32) *Process {
	if uint64(number) >= uint64(len(p.list)) {
		return nil
	}
	return p.list[number].process
}

// processBlock reads a process block or a custom block where it stands, or skips it.
func (r *NgReader) processBlock(kind uint32, length int64) error {
	if length > maxProcessBlock {
		if kind == blockProcess {
			r.processes.add(nil, r.order)
		}
		return r.skipBlock(kind, length)
	}
	body, err := r.body(kind, length)
	if err != nil {
		return err
	}
	if kind == blockProcess {
		r.processes.add(body, r.order)
	} else {
		r.processes.addCustom(body, r.order)
	}
	r.in.skip(int(length))
	return nil
}
