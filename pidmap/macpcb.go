package pidmap

import (
	"fmt"

	"apptap/flows"
	"apptap/pidmap/libproc"
)

// MethodPCBList: the kernel's list of sockets, that netstat prints, names the process that used the socket last.
const MethodPCBList Method = "pcblist"

// addPCBs adds to all the sockets that the kernel lists and no scan of descriptors found: those of other users' processes
// and of user space networking. It stands in for the statistics control.
func (m *macProcs) addPCBs(all map[flows.Key]*macSocket, read func(sysctl string) ([]byte, error)) error {
	for _, list := range [...]struct {
		sysctl string
		proto  flows.Protocol
	}{{"net.inet.tcp.pcblist_n", flows.TCP}, {"net.inet.udp.pcblist_n", flows.UDP}} {
		b, err := read(list.sysctl)
		if err != nil {
			return fmt.Errorf("sysctl %s: %w", list.sysctl, err)
		}
		sockets, err := libproc.AppendPCBs(nil, b, list.proto)
		for i := range sockets {
			m.addPCB(all, &sockets[i])
		}
		if err != nil {
			return fmt.Errorf("sysctl %s: %w", list.sysctl, err)
		}
	}
	return nil
}

func (m *macProcs) addPCB(all map[flows.Key]*macSocket, s *libproc.Socket) {
	pid := s.PID
	if s.Effective != 0 {
		pid = s.Effective
	}
	if all[s.Key] != nil || pid == 0 {
		return
	}
	p, ok := m.process(pid)
	if !ok {
		return // its number may be another's by now, and there is no name to it
	}
	all[s.Key] = &macSocket{method: MethodPCBList, holders: []Process{p},
		socket: Socket{Key: s.Key, DualStack: s.DualStack, Listening: s.Listening(), UID: s.UID}}
}
