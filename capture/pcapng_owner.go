package capture

// saying is what the options of one packet say of its process.
type saying struct {
	direction          uint32
	process, effective *Process
	pid                uint32
	comments           bool
}

// of reads the options of a packet, and returns nil if they do not say whose it is, and which way it went. Blocks are asked before comments, and a PID
// alone is the last resort. Without a direction the process may be at either end.
func (p *processes) of(rest []byte, order byteOrder, time int64) (*Owner, Direction) {
	s := p.read(rest, order)
	way := [...]Direction{flagIn: Incoming, flagOut: Outgoing, flagDirections: DirectionUnknown}[s.direction]
	p.own = Owner{Process: s.process, Effective: s.effective}
	if p.own.For() == nil && s.pid > 0 && s.pid <= maxPID {
		p.own.Process, p.own.Dialect = p.atTime(int32(s.pid), time), DialectWireshark
	}
	if p.own.For() == nil && s.comments {
		p.own.Process, p.own.Dialect = p.inComments(rest, order)
	}
	if p.own.For() == nil && s.pid > 0 && s.pid <= maxPID {
		p.own.Process, p.own.Dialect = p.same(Process{PID: int32(s.pid)}), DialectPID
	}
	if p.own.For() == nil {
		return nil, way
	}
	p.own.Outgoing = s.direction == flagOut
	p.own.Sideless = s.direction != flagIn && s.direction != flagOut
	return &p.own, way
}

func (p *processes) read(rest []byte, order byteOrder) (s saying) {
	all := options{rest: rest, order: order}
	for code, value, ok := all.next(); ok; code, value, ok = all.next() {
		switch {
		case code == optionComment:
			s.comments = true
		case code == optionPacketPID && len(value) == 8:
			s.pid = order.uint32(value)
		case len(value) != 4:
		case code == optionPacketFlags:
			s.direction = order.uint32(value) & flagDirections
		case code == optionPacketProcess:
			s.process = p.at(order.uint32(value))
		case code == optionPacketEffective:
			s.effective = p.at(order.uint32(value))
		}
	}
	return s
}

// same is the one pointer for what looks alike.
func (p *processes) same(q Process) *Process {
	known := p.one[q]
	if known == nil {
		if p.oneBytes += q.size(); p.oneBytes > maxProcessBytes {
			clear(p.one)
			p.oneBytes = q.size()
		}
		known = &q
		p.one[q] = known
	}
	return known
}

// size is about how many bytes p takes.
func (p *Process) size() int {
	return 256 + len(p.Name) + len(p.Path) + len(p.User) + len(p.Cmdline)
}
