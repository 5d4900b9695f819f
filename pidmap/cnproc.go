package pidmap

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Numbers of the proc connector, include/uapi/linux/connector.h and cn_proc.h.
const (
	connectorIndex = 1 // CN_IDX_PROC, also the multicast group
	connectorValue = 1 // CN_VAL_PROC
	connectorOn    = 1 // PROC_CN_MCAST_LISTEN

	netlinkHeaderLen   = 16 // struct nlmsghdr
	netlinkDone        = 3  // NLMSG_DONE: the type of every connector message
	connectorHeaderLen = 20 // struct cn_msg
	procEventHeaderLen = 16 // struct proc_event: what, cpu, timestamp_ns

	procEventNone = 0 // the answer to a listen request
	procEventFork = 0x00000001
	procEventExec = 0x00000002
	procEventExit = 0x80000000
)

// ErrConnector says that bytes are no message of the proc connector.
var ErrConnector = errors.New("not a proc connector message")

// procEvent is one event of the proc connector. Only whole processes are told of, never single threads.
type procEvent struct {
	what   uint32
	pid    int32  // the process: tgid; of a fork the child
	parent int32  // of a fork
	boot   uint64 // nanoseconds since boot
	err    uint32 // of procEventNone
}

// appendListen appends the netlink message that asks for events: nlmsghdr, cn_msg, enum proc_cn_mcast_op.
func appendListen(b []byte) []byte {
	const payload = 4
	b = binary.NativeEndian.AppendUint32(b, netlinkHeaderLen+connectorHeaderLen+payload)
	b = binary.NativeEndian.AppendUint16(b, netlinkDone)
	b = append(b, make([]byte, 10)...) // flags, sequence and port id: the kernel looks at none of them
	b = binary.NativeEndian.AppendUint32(b, connectorIndex)
	b = binary.NativeEndian.AppendUint32(b, connectorValue)
	b = append(b, make([]byte, 8)...) // seq, ack
	b = binary.NativeEndian.AppendUint16(b, payload)
	b = append(b, 0, 0) // flags
	return binary.NativeEndian.AppendUint32(b, connectorOn)
}

// appendProcEvents appends the events in a datagram; kinds and threads that nobody asks about are left out.
// Events in front of a damaged message are returned with the error.
func appendProcEvents(dst []procEvent, b []byte) ([]procEvent, error) {
	for len(b) >= netlinkHeaderLen {
		length := int(binary.NativeEndian.Uint32(b))
		if length < netlinkHeaderLen || length > len(b) {
			return dst, fmt.Errorf("%w: netlink message of %d bytes where %d are left", ErrConnector, length, len(b))
		}
		e, wanted, err := parseProcEvent(b[netlinkHeaderLen:length])
		if err != nil {
			return dst, err
		}
		if wanted {
			dst = append(dst, e)
		}
		b = b[min((length+3)&^3, len(b)):] // NLMSG_ALIGN
	}
	return dst, nil
}

// parseProcEvent reads struct cn_msg with a struct proc_event in it.
func parseProcEvent(b []byte) (e procEvent, wanted bool, err error) {
	if len(b) < connectorHeaderLen+procEventHeaderLen+4 {
		return e, false, fmt.Errorf("%w: %d bytes", ErrConnector, len(b))
	}
	if binary.NativeEndian.Uint32(b) != connectorIndex || binary.NativeEndian.Uint32(b[4:]) != connectorValue {
		return e, false, nil // another connector
	}
	b = b[connectorHeaderLen:]
	e.what, e.boot = binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint64(b[8:])
	b = b[procEventHeaderLen:]
	// Of each pair in event_data the first is the thread, the second the process (tgid).
	pair := func(offset int) (thread, process int32) {
		return int32(binary.NativeEndian.Uint32(b[offset:])), int32(binary.NativeEndian.Uint32(b[offset+4:]))
	}
	need := map[uint32]int{procEventNone: 4, procEventFork: 16, procEventExec: 8, procEventExit: 8}[e.what]
	if len(b) < need {
		return e, false, fmt.Errorf("%w: event %#x of %d bytes", ErrConnector, e.what, len(b))
	}
	switch e.what {
	case procEventNone:
		e.err = binary.NativeEndian.Uint32(b)
		return e, true, nil
	case procEventFork:
		_, e.parent = pair(0)
		thread, process := pair(8)
		e.pid = process
		return e, thread == process, nil
	case procEventExec:
		_, e.pid = pair(0)
		return e, true, nil // whichever thread calls exec, the process becomes the program
	case procEventExit:
		thread, process := pair(0)
		e.pid = process
		return e, thread == process, nil
	}
	return e, false, nil
}
