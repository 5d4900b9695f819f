package kernel

import (
	"encoding/binary"

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

// addQueues reads a datagram of RTM_GETQDISC's answer and adds the root queue of each interface, by index. done says that it was the last.
func addQueues(queues map[uint32]queue, datagram []byte) (done bool, err error) {
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
					queues[binary.NativeEndian.Uint32(m.Body[4:])] = queue{packets: at(0), bytes: at(1), dropped: at(2)}
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
