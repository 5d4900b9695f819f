// Package nlsocket reads Linux's netlink sockets (netlink(7)) a datagram at a time: of those that tell of sockets
// (pidmap/sockdiag), of tracked connections (pidmap/conntrack) and of interfaces' queues (summarize/kernel). What a message says it leaves to them.
package nlsocket

import "errors"

// ErrLong says that a datagram was longer than what was foreseen, and is lost.
var ErrLong = errors.New("a netlink datagram too long")
