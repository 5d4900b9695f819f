package pidmap

import "net"

// maxNames bounds the names of interfaces that are remembered.
const maxNames = 4096

// interfaceNames returns a function that finds the name of an interface of this network namespace, "" where it is gone. It
// remembers names: an interface that is renamed later has the one of its first use.
func interfaceNames() func(index uint32) string {
	names := map[uint32]string{}
	return func(index uint32) string {
		if name, ok := names[index]; ok {
			return name
		}
		i, err := net.InterfaceByIndex(int(index))
		if err != nil {
			return ""
		}
		if len(names) < maxNames {
			names[index] = i.Name
		}
		return i.Name
	}
}
