package capture

import "math"

// Wireshark's custom blocks: the number of the company that its entries are registered with, the kind of the entry, its
// length, the entry. Entries of kind 3 describe a process (Wireshark's test/captures/_gen_process_info_blocks.py), which
// packets refer to by the PID of epb_processid_threadid.
const (
	blockCustom       = 0x00000bad
	blockCustomNoCopy = 0x40000bad

	penWireshark = 32622
	entryProcess = 3

	optionEntryName    = 2
	optionEntryPath    = 3
	optionEntryCmdline = 4
	optionEntryParent  = 5
	optionEntryUID     = 6
	optionEntryUser    = 7
	optionEntryUUID    = 8
	optionEntryStart   = 9
)

// addCustom reads a custom block that may describe a process; every other is none of ours.
func (p *processes) addCustom(body []byte, order byteOrder) {
	const fixed = 16 // company, kind and length of the entry, PID
	if len(body) < fixed || order.uint32(body) != penWireshark || littleEndian.uint32(body[4:]) != entryProcess {
		return
	}
	length, pid := littleEndian.uint32(body[8:]), littleEndian.uint32(body[12:])
	if length < 4 || uint64(length) > uint64(len(body)-12) || pid > maxPID || p.held >= maxProcessBytes {
		return
	}
	q := Process{PID: int32(pid)}
	all := options{rest: body[fixed : 12+length], order: littleEndian}
	for code, value, ok := all.next(); ok; code, value, ok = all.next() {
		q.setEntry(code, value)
	}
	known := p.same(q)
	for _, o := range p.byPID[q.PID] {
		if o == known {
			return
		}
	}
	p.held += q.size()
	p.byPID[q.PID] = append(p.byPID[q.PID], known)
}

// setEntry takes over one option of an entry about a process.
func (p *Process) setEntry(code uint16, value []byte) {
	switch {
	case code == optionEntryName:
		p.Name = optionText(value[:min(len(value), maxNameText)])
	case code == optionEntryPath:
		p.Path = optionText(value[:min(len(value), maxProcessPath)])
	case code == optionEntryCmdline:
		p.Cmdline = string(value[:min(len(value), maxCmdline)])
	case code == optionEntryUser:
		p.User = optionText(value[:min(len(value), maxNameText)])
	case code == optionEntryParent && len(value) == 4:
		p.PPID = int32(min(littleEndian.uint32(value), maxPID))
	case code == optionEntryUID && len(value) == 4:
		p.UID = littleEndian.uint32(value)
	case code == optionEntryStart && len(value) == 8:
		p.StartTime = int64(min(littleEndian.uint64(value), math.MaxInt64))
	}
}

// atTime is the process that had a PID at a time, as Wireshark finds it: of those with a start the one that had started last;
// where none had, the last block of those without, and else the first to start. nil if no block is about the PID.
func (p *processes) atTime(pid int32, time int64) *Process {
	var started, first, timeless *Process
	for _, q := range p.byPID[pid] {
		switch {
		case q.StartTime == 0:
			timeless = q
		case q.StartTime <= time && (started == nil || q.StartTime >= started.StartTime):
			started = q
		case first == nil || q.StartTime < first.StartTime:
			first = q
		}
	}
	for _, q := range []*Process{started, timeless, first} {
		if q != nil {
			return q
		}
	}
	return nil
}
