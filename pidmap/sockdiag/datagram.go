package sockdiag

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"apptap/flows"
)

// Netlink's own numbers, include/uapi/linux/netlink.h.
const (
	netlinkHeader = 16 // struct nlmsghdr
	typeError     = 2  // NLMSG_ERROR
	typeDone      = 3  // NLMSG_DONE
	typeDiag      = 20 // SOCK_DIAG_BY_FAMILY
	typeOldDiag   = 18 // TCPDIAG_GETSOCK, the name and number before Linux 3.3
)

// appendDatagram appends the sockets in a datagram of netlink messages. done says that the last message of
// a dump was among them. Answers to another request than sequence are skipped, unless sequence is 0. Sockets in
// front of a damaged message are returned with the error.
func appendDatagram(dst []Socket, b []byte, proto flows.Protocol, sequence uint32) (sockets []Socket, done bool, err error) {
	for len(b) >= netlinkHeader {
		length := int(binary.NativeEndian.Uint32(b))
		if length < netlinkHeader || length > len(b) {
			return dst, false, fmt.Errorf("%w: netlink message of %d bytes where %d are left", ErrMessage, length, len(b))
		}
		kind, payload := binary.NativeEndian.Uint16(b[4:]), b[netlinkHeader:length]
		ours := sequence == 0 || binary.NativeEndian.Uint32(b[8:]) == sequence
		b = b[min(align(length), len(b)):]
		switch {
		case !ours:
		case kind == typeDone || kind == typeError:
			return dst, true, kernelError(payload)
		case kind == typeDiag || kind == typeOldDiag:
			s, err := Parse(payload, proto)
			if err != nil {
				return dst, false, err
			}
			dst = append(dst, s)
		}
	}
	return dst, false, nil
}

// kernelError is the negative error number that NLMSG_ERROR and NLMSG_DONE begin with; 0 is success.
func kernelError(b []byte) error {
	if len(b) < 4 {
		return nil
	}
	if code := int32(binary.NativeEndian.Uint32(b)); code < 0 {
		return syscall.Errno(-code)
	}
	return nil
}
