package capture

// The functions here decode packet blocks. They may leave p half filled in when they fail.

// enhancedPacket reads the block in which nearly every packet of a pcapng file stands
// (draft-ietf-opsawg-pcapng section 4.3).
func (r *NgReader) enhancedPacket(body []byte, p *Packet) error {
	const fixed = 20
	if len(body) < fixed {
		return r.in.damaged(r.in.offset(), "packet block has a body of %d bytes, %d are needed", len(body), fixed)
	}
	if err := r.timedPacket(uint64(r.order.uint32(body)), body, p); err != nil {
		return err
	}
	if end := fixed + padded(len(p.Data)); len(body) > end {
		p.Owner, p.Direction = r.processes.of(body[end:], r.order, p.Time)
	}
	return nil
}

// oldPacket reads the obsolete packet block: the same but for a 16-bit interface number and a count of
// packets lost since the one before (appendix A of the draft), 65535 where that is unknown.
func (r *NgReader) oldPacket(body []byte, p *Packet) error {
	const fixed, lostUnknown = 20, 0xffff
	if len(body) < fixed {
		return r.in.damaged(r.in.offset(), "packet block has a body of %d bytes, %d are needed", len(body), fixed)
	}
	if err := r.timedPacket(uint64(r.order.uint16(body)), body, p); err != nil {
		return err
	}
	if lost := r.order.uint16(body[2:]); lost != lostUnknown {
		stats := &r.interfaces[p.Interface].Stats
		stats.DroppedKernel += uint64(lost)
		stats.Known = true
	}
	return nil
}

// timedPacket reads what the two have in common: time stamp, both lengths and the bytes.
func (r *NgReader) timedPacket(number uint64, body []byte, p *Packet) error {
	if err := r.on(number, p); err != nil {
		return err
	}
	captured, length := r.order.uint32(body[12:]), r.order.uint32(body[16:])
	data := body[20:]
	if uint64(captured) > uint64(len(data)) {
		return r.in.damaged(r.in.offset(), "packet claims %d captured bytes in a block that holds %d", captured, len(data))
	}
	stamp := uint64(r.order.uint32(body[4:]))<<32 | uint64(r.order.uint32(body[8:]))
	p.Time = r.clocks[p.Interface].nanoseconds(stamp)
	setBytes(p, data[:captured], length)
	return nil
}

// simplePacket reads a block that has no time stamp and belongs to the section's first interface. Its
// Time is 0, which is what tshark shows: a made-up time would be worse.
func (r *NgReader) simplePacket(body []byte, p *Packet) error {
	if len(body) < 4 {
		return r.in.damaged(r.in.offset(), "simple packet block has a body of %d bytes, 4 are needed", len(body))
	}
	if err := r.on(0, p); err != nil {
		return err
	}
	length := r.order.uint32(body)
	captured, data := uint64(length), body[4:]
	if limit := r.interfaces[p.Interface].SnapLen; limit > 0 {
		captured = min(captured, uint64(limit))
	}
	if captured > uint64(len(data)) {
		return r.in.damaged(r.in.offset(), "packet claims %d captured bytes in a block that holds %d", captured, len(data))
	}
	p.Time = 0
	setBytes(p, data[:captured], length)
	return nil
}

// on puts p on an interface by its number within the section.
func (r *NgReader) on(number uint64, p *Packet) error {
	known := len(r.interfaces) - r.first
	if number >= uint64(known) {
		return r.in.damaged(r.in.offset(), "packet on interface %d of a section that describes %d", number, known)
	}
	p.Interface = r.first + int(number)
	p.LinkType = r.interfaces[p.Interface].LinkType
	return nil
}
