package capture

import (
	"bytes"
	"net/netip"
)

// Name is a name that a capture file gives to an address (draft-ietf-opsawg-pcapng section 4.5).
type Name struct {
	Addr  netip.Addr
	Names []string // at least one, in the order of the record
}

// maxNameBytes bounds the name resolution records kept of a file.
const maxNameBytes = 2 << 20

// names collects the name resolution blocks of a file.
type names struct {
	list []Name
	held int // bytes of records kept
}

const (
	recordEnd  = 0
	recordIPv4 = 1
	recordIPv6 = 2
)

// add reads the records of one block. A record that cannot be ends the block: names are an extra, and
// libpcap reads on as well.
func (n *names) add(body []byte, order byteOrder) {
	for len(body) >= 4 {
		kind, length := order.uint16(body), int(order.uint16(body[2:]))
		if kind == recordEnd || length > len(body)-4 || n.held+length > maxNameBytes {
			return
		}
		n.held += 4 + length // records of no name cost time, so they count as well
		n.record(kind, body[4:4+length])
		body = body[min(4+padded(length), len(body)):]
	}
}

func (n *names) record(kind uint16, value []byte) {
	size := 4
	if kind == recordIPv6 {
		size = 16
	}
	if kind != recordIPv4 && kind != recordIPv6 || len(value) < size {
		return
	}
	addr, _ := netip.AddrFromSlice(value[:size])
	entry := Name{Addr: addr}
	for _, name := range bytes.Split(value[size:], []byte{0}) {
		if len(name) > 0 {
			entry.Names = append(entry.Names, string(name))
		}
	}
	if len(entry.Names) > 0 {
		n.list = append(n.list, entry)
	}
}
