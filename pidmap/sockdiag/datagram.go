package sockdiag

import (
	"apptap/flows"
	"apptap/pidmap/nlsocket"
)

// Kinds of messages, include/uapi/linux/sock_diag.h.
const (
	typeDiag    = 20 // SOCK_DIAG_BY_FAMILY
	typeOldDiag = 18 // TCPDIAG_GETSOCK, the name and number before Linux 3.3
)

// appendDatagram appends the sockets in a datagram of netlink messages. done says that the last message of
// a dump was among them. Answers to another request than sequence are skipped, unless sequence is 0. Sockets in
// front of a damaged message are returned with the error.
func appendDatagram(dst []Socket, b []byte, proto flows.Protocol, sequence uint32) (sockets []Socket, done bool, err error) {
	for len(b) >= nlsocket.HeaderLen {
		var m nlsocket.Message
		if m, b, err = nlsocket.Next(b); err != nil {
			return dst, false, err
		}
		switch {
		case sequence != 0 && m.Sequence != sequence:
		case m.Kind == nlsocket.KindDone || m.Kind == nlsocket.KindError:
			return dst, true, m.Errno()
		case m.Kind == typeDiag || m.Kind == typeOldDiag:
			s, err := Parse(m.Body, proto)
			if err != nil {
				return dst, false, err
			}
			dst = append(dst, s)
		}
	}
	return dst, false, nil
}
