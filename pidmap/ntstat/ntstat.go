// Package ntstat reads and writes the messages of macOS's kernel control com.apple.network.statistics, which tells of every
// TCP, UDP and QUIC flow who owns it and what it has carried. It is bytes in, values out, on any system; pidmap and
// summarize/kernel call it. It opens no socket.
//
// Source: xnu bsd/net/ntstat.h, as of macOS 11 to 15.6, and messages recorded on macOS 27. The revision number in that header is 9
// in all of them while descriptors grew, so lengths and plausibility are what tells a layout that this package does not know.
package ntstat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"syscall"
)

// ControlName is what CTLIOCGINFO resolves to the control's number.
const ControlName = "com.apple.network.statistics"

// Kind is the type of a message.
type Kind uint32

// The kinds that are sent and received.
const (
	Success    Kind = 0 // of a request; its Context is the request's
	Failure    Kind = 1
	AddAll     Kind = 1002
	GetUpdate  Kind = 1007
	Added      Kind = 10001
	Removed    Kind = 10002
	Descriptor Kind = 10003
	Counters   Kind = 10004
	Update     Kind = 10006
)

// Flags of a message header.
type Flags uint16

// The flags that say something to a reader.
const (
	// Continuation: there is more of the answer, to be had by the same request with the same context.
	Continuation Flags = 1 << 1
	// Closing: the flow is about to be removed, its counters are final.
	Closing Flags = 1 << 2
	// ClosedAfterDrop: the flow was removed and its last counters could not be delivered.
	ClosedAfterDrop Flags = 1 << 3
)

// ErrLayout says that a message is not laid out as this package knows it: nothing of it may be believed.
var ErrLayout = errors.New("not the message layout of macOS 11 to 27")

const (
	headerSize = 16
	refSize    = 24 // header and source reference
)

// Message is one message. Body is the whole of it, header included, and shares the datagram's memory.
type Message struct {
	Context uint64
	Kind    Kind
	Flags   Flags
	Body    []byte
}

// Ref is the kernel's number of the flow that the message is about, 0 if the message is too short to have one.
func (m Message) Ref() uint64 {
	if len(m.Body) < refSize {
		return 0
	}
	return binary.LittleEndian.Uint64(m.Body[headerSize:])
}

// Errno is why a request failed; EIO if the message does not say. It may be from another system than this one.
func (m Message) Errno() syscall.Errno {
	if len(m.Body) < headerSize+4 {
		return syscall.EIO
	}
	return syscall.Errno(binary.LittleEndian.Uint32(m.Body[headerSize:]))
}

// Messages goes through a datagram: messages stand back to back, each padded to 8 bytes. One that cannot be ends
// it with an error that wraps ErrLayout.
func Messages(datagram []byte) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for rest := datagram; len(rest) > 0; {
			m, size, err := next(rest)
			if !yield(m, err) || err != nil {
				return
			}
			rest = rest[min((size+7)&^7, len(rest)):]
		}
	}
}

func next(b []byte) (m Message, size int, err error) {
	if len(b) < headerSize {
		return m, 0, fmt.Errorf("read message: %d bytes, a header has %d: %w", len(b), headerSize, ErrLayout)
	}
	size = int(binary.LittleEndian.Uint16(b[12:]))
	if size < headerSize || size > len(b) {
		return m, 0, fmt.Errorf("read message: it claims %d bytes of %d: %w", size, len(b), ErrLayout)
	}
	return Message{
		Context: binary.LittleEndian.Uint64(b),
		Kind:    Kind(binary.LittleEndian.Uint32(b[8:])),
		Flags:   Flags(binary.LittleEndian.Uint16(b[14:])),
		Body:    b[:size:size],
	}, size, nil
}
