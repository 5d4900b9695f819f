package capture

import "encoding/binary"

// WriteProcess appends what is known of a process, so that packets may name it: a process block as Apple's tcpdump writes
// (libpcap's pcap/pcap-ng.h) and, if the file was begun so, Wireshark's too. The same pointer is written once. A packet's
// Owner does it by itself; who knows a process before its first packet is told earlier what there is.
func (w *Writer) WriteProcess(p *Process) error {
	_, _, err := w.number(p)
	return err
}

// number is that of p's block, which is written now if there is none. Readers number no more than maxProcesses, so further
// processes have none.
func (w *Writer) number(p *Process) (number uint32, ok bool, err error) {
	if number, ok = w.processes[p]; ok {
		return number, true, nil
	}
	if len(w.processes) == maxProcesses || p.PID < 0 {
		return 0, false, nil
	}
	if w.processes == nil {
		w.processes = map[*Process]uint32{}
	}
	number = uint32(len(w.processes))
	w.processes[p] = number
	if err = w.appleProcess(p); err == nil && w.wireshark {
		err = w.wiresharkProcess(p)
	}
	return number, true, err
}

func (w *Writer) appleProcess(p *Process) error {
	b := binary.LittleEndian.AppendUint32(w.out.begin(blockProcess), uint32(p.PID))
	b = appendText(b, optionProcessName, p.Name[:min(len(p.Name), maxNameText)])
	b = appendText(b, optionProcessPath, p.Path[:min(len(p.Path), maxProcessPath)])
	return w.out.end(appendOption(b, optionEnd, nil))
}

// wiresharkProcess writes the custom block in which Wireshark 5 keeps processes. The entry is little-endian in every file
// (the block's own options, of which there are none, are not).
func (w *Writer) wiresharkProcess(p *Process) error {
	var entry []byte
	entry = binary.LittleEndian.AppendUint32(entry, uint32(p.PID))
	entry = appendText(entry, optionEntryName, p.Name[:min(len(p.Name), maxNameText)])
	entry = appendText(entry, optionEntryPath, p.Path[:min(len(p.Path), maxProcessPath)])
	entry = appendText(entry, optionEntryCmdline, p.Cmdline[:min(len(p.Cmdline), maxCmdline)])
	if p.PPID > 0 {
		entry = appendOption(entry, optionEntryParent, binary.LittleEndian.AppendUint32(nil, uint32(p.PPID)))
	}
	if p.User != "" {
		entry = appendOption(entry, optionEntryUID, binary.LittleEndian.AppendUint32(nil, p.UID))
		entry = appendText(entry, optionEntryUser, p.User[:min(len(p.User), maxNameText)])
	}
	if p.StartTime > 0 {
		entry = appendOption(entry, optionEntryStart, binary.LittleEndian.AppendUint64(nil, uint64(p.StartTime)))
	}
	entry = appendOption(entry, optionEnd, nil)
	b := binary.LittleEndian.AppendUint32(w.out.begin(blockCustom), penWireshark)
	b = binary.LittleEndian.AppendUint32(b, entryProcess)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(entry)))
	return w.out.end(append(b, entry...))
}

// ownerOptions is the most that appendOwner appends, in bytes.
const ownerOptions = 40

// owned are the numbers under which a packet names its processes; each is there or not.
type owned struct {
	process, effective       uint32
	hasProcess, hasEffective bool
}

// describeOwner writes the processes of o that have no block yet.
func (w *Writer) describeOwner(o *Owner) (n owned, err error) {
	if o.Process != nil {
		if n.process, n.hasProcess, err = w.number(o.Process); err != nil {
			return n, err
		}
	}
	if o.Effective != nil && o.Effective != o.Process {
		n.effective, n.hasEffective, err = w.number(o.Effective)
	}
	return n, err
}

// appendOwner appends the options that say whose a packet is: which way it went, the IETF draft's process and thread
// (0 = not known), and Apple's numbers of process blocks. The draft's process is whom the packet is for.
func appendOwner(b []byte, o *Owner, n owned) []byte {
	direction := uint32(flagIn)
	if o.Outgoing {
		direction = flagOut
	}
	if !o.Sideless {
		b = appendNumber(b, optionPacketFlags, direction)
	}
	if pid := o.For().PID; pid > 0 {
		b = binary.LittleEndian.AppendUint16(b, optionPacketPID)
		b = binary.LittleEndian.AppendUint16(b, 8)
		b = binary.LittleEndian.AppendUint64(b, uint64(uint32(pid)))
	}
	if n.hasProcess {
		b = appendNumber(b, optionPacketProcess, n.process)
	}
	if n.hasEffective {
		b = appendNumber(b, optionPacketEffective, n.effective)
	}
	return binary.LittleEndian.AppendUint32(b, optionEnd)
}

func appendNumber(b []byte, code uint16, number uint32) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, 4)
	return binary.LittleEndian.AppendUint32(b, number)
}
