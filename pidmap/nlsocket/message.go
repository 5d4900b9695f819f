package nlsocket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
)

// Sizes and numbers of include/uapi/linux/netlink.h.
const (
	HeaderLen = 16 // struct nlmsghdr

	attrHeader   = 4      // struct nlattr
	attrTypeMask = 0x3fff // without NLA_F_NESTED and NLA_F_NET_BYTEORDER

	// KindError is NLMSG_ERROR, which is an acknowledgement too; KindDone is NLMSG_DONE.
	KindError = 2
	KindDone  = 3
)

// ErrMessage says that bytes are no netlink message: a header, an attribute or what a room reads of the body is cut short or unknown.
var ErrMessage = errors.New("malformed netlink message")

// Message is one message of a datagram: struct nlmsghdr and what follows.
type Message struct {
	Kind     uint16
	Sequence uint32
	Body     []byte // part of the datagram
}

// Next takes the first message from a datagram that is not empty. Its error wraps ErrMessage.
func Next(datagram []byte) (m Message, rest []byte, err error) {
	if len(datagram) < HeaderLen {
		return m, nil, fmt.Errorf("%w: header in %d bytes", ErrMessage, len(datagram))
	}
	length := uint64(binary.NativeEndian.Uint32(datagram))
	if length < HeaderLen || length > uint64(len(datagram)) {
		return m, nil, fmt.Errorf("%w: length %d, %d are left", ErrMessage, length, len(datagram))
	}
	m = Message{binary.NativeEndian.Uint16(datagram[4:]), binary.NativeEndian.Uint32(datagram[8:]), datagram[HeaderLen:length]}
	return m, behind(datagram, int(length)), nil
}

// Errno is the error number that the kernel answers with in a message of KindError or KindDone, nil for none.
func (m *Message) Errno() error {
	if len(m.Body) < 4 {
		return nil
	}
	if code := int32(binary.NativeEndian.Uint32(m.Body)); code < 0 {
		return syscall.Errno(-code)
	}
	return nil
}

// Attributes calls f for each struct nlattr of a list, with its type's number. The error is f's, or wraps ErrMessage.
func Attributes(b []byte, f func(kind uint16, value []byte) error) error {
	for len(b) >= attrHeader {
		length := int(binary.NativeEndian.Uint16(b))
		if length < attrHeader || length > len(b) {
			return fmt.Errorf("%w: attribute of length %d, %d are left", ErrMessage, length, len(b))
		}
		if err := f(binary.NativeEndian.Uint16(b[2:])&attrTypeMask, b[attrHeader:length]); err != nil {
			return err
		}
		b = behind(b, length)
	}
	return nil
}

// behind is what follows a length, which is rounded up to the 4 bytes of NLMSG_ALIGNTO and NLA_ALIGNTO.
func behind(b []byte, length int) []byte { return b[min((length+3)&^3, len(b)):] }
