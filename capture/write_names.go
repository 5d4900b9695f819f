package capture

import "encoding/binary"

// maxNamesBody bounds one name resolution block, in bytes: readers hold a block as a whole.
const maxNamesBody = 64 << 10

// WriteNames appends the names of addresses, as name resolution blocks: analysers show them without asking DNS. Names
// and records that a record has no room for are left out.
func (w *Writer) WriteNames(list []Name) error {
	for len(list) > 0 {
		b := w.out.begin(blockNames)
		start := len(b)
		for len(list) > 0 && len(b)-start < maxNamesBody {
			b = appendName(b, &list[0])
			list = list[1:]
		}
		if err := w.out.end(append(b, recordEnd, 0, 0, 0)); err != nil {
			return err
		}
	}
	return nil
}

func appendName(b []byte, n *Name) []byte {
	kind := uint16(recordIPv6)
	addr := n.Addr.Unmap()
	if addr.Is4() {
		kind = recordIPv4
	}
	value := addr.AsSlice()
	names := 0
	for _, name := range n.Names {
		if name == "" || len(value)+len(name)+1 > maxNamesBody/2 {
			continue
		}
		value = append(append(value, name...), 0)
		names++
	}
	if names == 0 || !addr.IsValid() {
		return b
	}
	b = binary.LittleEndian.AppendUint16(b, kind)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return appendPadding(append(b, value...), len(value))
}
