package kernel

import (
	"encoding/binary"
	"net"

	"apptap/pidmap/nlsocket"
)

// Sizes and numbers of include/uapi/linux/rtnetlink.h and gen_stats.h.
const (
	typeNewQueue = 36 // RTM_NEWQDISC
	typeGetQueue = 38 // RTM_GETQDISC

	queueHeader  = 20         // struct tcmsg
	queueRoot    = 0xffffffff // TC_H_ROOT
	attrStats    = 7          // TCA_STATS2
	attrCounters = 3          // TCA_STATS_QUEUE: struct gnet_stats_queue
)

// queue is an interface's egress queue: packets that it has dropped since it was made, and what waits in it.
type queue struct{ dropped, packets, bytes uint64 }

// queues are the root queues of interfaces, by index.
type queues map[uint32]queue

// of is the queue of an interface of that name, which is empty where it is not known.
func (q queues) of(name string) queue {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return queue{}
	}
	return q[uint32(i.Index)]
}

// add reads a datagram of RTM_GETQDISC's answer. done says that it was the last.
func (q queues) add(datagram []byte) (done bool, err error) {
	for len(datagram) > 0 {
		var m nlsocket.Message
		if m, datagram, err = nlsocket.Next(datagram); err != nil {
			return false, err
		}
		switch {
		case m.Kind == nlsocket.KindDone || m.Kind == nlsocket.KindError:
			return true, m.Errno()
		case m.Kind != typeNewQueue || len(m.Body) < queueHeader || binary.NativeEndian.Uint32(m.Body[12:]) != queueRoot:
			continue
		}
		err := nlsocket.Attributes(m.Body[queueHeader:], func(kind uint16, value []byte) error {
			if kind != attrStats {
				return nil
			}
			return nlsocket.Attributes(value, func(kind uint16, value []byte) error {
				if kind == attrCounters && len(value) >= 12 {
					at := func(n int) uint64 { return uint64(binary.NativeEndian.Uint32(value[4*n:])) }
					q[binary.NativeEndian.Uint32(m.Body[4:])] = queue{packets: at(0), bytes: at(1), dropped: at(2)}
				}
				return nil
			})
		})
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
