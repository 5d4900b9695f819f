package kernel

import (
	"time"

	"golang.org/x/sys/unix"

	"apptap/pidmap/nlsocket"
)

// queueTimeout bounds the wait for the kernel's answer, which is there before the request returns.
const queueTimeout = time.Second

// egressQueues are the queues of the interfaces of this network namespace; those that cannot be read are not there.
func egressQueues() queues {
	all := queues{}
	socket, err := nlsocket.Open(unix.NETLINK_ROUTE, 1<<16)
	if err != nil {
		return all
	}
	defer socket.Close()
	if err = socket.SetDeadline(time.Now().Add(queueTimeout)); err == nil {
		_, err = socket.Send(typeGetQueue, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, make([]byte, queueHeader))
	}
	for done := false; err == nil && !done; {
		var datagram []byte
		if datagram, err = socket.Receive(); err == nil {
			done, err = all.add(datagram)
		}
	}
	return all
}
