package capture

// Apple's additions to pcapng (libpcap's pcap/pcap-ng.h): a block for each process, and options of packets that refer
// to these by number, counted through a section from 0.
const (
	blockProcess = 0x80000001 // of the range for local use: other writers may mean something else by it

	optionProcessName = 2
	optionProcessPath = 3
	optionProcessUUID = 4

	optionPacketFlags     = 2
	optionPacketProcess   = 0x8001
	optionPacketEffective = 0x8003
)

const (
	maxProcessBlock = 16 << 10 // bytes of a block that is read, longer ones are skipped
	maxProcesses    = 16384    // of a section; at most 21 MiB
	maxProcessPath  = 1024
	maxPID          = 99999 // PID_MAX of xnu bsd/sys/proc_internal.h: more is no process
)

// processes are those of a section, in the order of their blocks.
type processes struct {
	list  []described
	known map[Process]described // the newest of those that look alike
	own   Owner                 // of the packet read last; a Packet points here
}

// described is a process block: nil where nothing could be made of it, which keeps its number all the same.
type described struct {
	process *Process
	uuid    [16]byte
}

// reset begins a section.
func (p *processes) reset() { p.list, p.known = p.list[:0], map[Process]described{} }

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

// of reads the options of a packet, and returns nil if they do not say who it belongs to, or not at which end.
func (p *processes) of(rest []byte, order byteOrder) *Owner {
	const directions, in, out = 3, 1, 2
	p.own = Owner{}
	direction := uint32(0)
	all := options{rest: rest, order: order}
	for code, value, ok := all.next(); ok; code, value, ok = all.next() {
		if len(value) != 4 {
			continue
		}
		switch number := order.uint32(value); code {
		case optionPacketFlags:
			direction = number & directions
		case optionPacketProcess:
			p.own.Process = p.at(number)
		case optionPacketEffective:
			p.own.Effective = p.at(number)
		}
	}
	if direction != in && direction != out || p.own.For() == nil {
		return nil
	}
	p.own.Outgoing = direction == out
	return &p.own
}

func (p *processes) at(number uint32) *Process {
	if uint64(number) >= uint64(len(p.list)) {
		return nil
	}
	return p.list[number].process
}

// processBlock reads a process block where it stands, or skips it.
func (r *NgReader) processBlock(length int64) error {
	if length > maxProcessBlock {
		r.processes.add(nil, r.order)
		return r.skipBlock(blockProcess, length)
	}
	body, err := r.body(blockProcess, length)
	if err != nil {
		return err
	}
	r.processes.add(body, r.order)
	r.in.skip(int(length))
	return nil
}
