package ntstat

import (
	"encoding/binary"
	"net/netip"

	"apptap/flows"
)

// AppendUpdate appends the Update that a kernel with descriptors of the given size (in bytes) sends of f. It is for whoever plays the
// kernel in a test.
func AppendUpdate(dst []byte, f Flow, size int, flags Flags) []byte {
	b := header(0, Update, updateKindAt+providerSize+size)
	binary.LittleEndian.PutUint16(b[14:], uint16(flags))
	binary.LittleEndian.PutUint64(b[headerSize:], f.Ref)
	putCounts(b[countsAt:], f.Counts)
	binary.LittleEndian.PutUint32(b[updateKindAt:], uint32(f.Provider))
	putDescriptor(b[updateKindAt+providerSize:], f)
	return pad(append(dst, b...))
}

// AppendRemoved appends the message that the flow ref is gone.
func AppendRemoved(dst []byte, ref uint64, flags Flags) []byte {
	b := header(0, Removed, refSize)
	binary.LittleEndian.PutUint16(b[14:], uint16(flags))
	binary.LittleEndian.PutUint64(b[headerSize:], ref)
	return pad(append(dst, b...))
}

// AppendAnswer appends the answer to the request of context: Success, or Failure with an error number.
func AppendAnswer(dst []byte, context uint64, flags Flags, errno uint32) []byte {
	if errno == 0 {
		b := header(context, Success, headerSize)
		binary.LittleEndian.PutUint16(b[14:], uint16(flags))
		return append(dst, b...)
	}
	b := header(context, Failure, headerSize+8)
	binary.LittleEndian.PutUint32(b[headerSize:], errno)
	return append(dst, b...)
}

func pad(b []byte) []byte {
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

func putCounts(b []byte, c Counts) {
	for i, n := range [...]uint64{c.RxPackets, c.RxBytes, c.TxPackets, c.TxBytes} {
		binary.LittleEndian.PutUint64(b[8*i:], n)
	}
	binary.LittleEndian.PutUint32(b[80:], c.RxDuplicate)
	binary.LittleEndian.PutUint32(b[88:], c.TxRetransmitted)
}

// putDescriptor fills in what there is room for.
func putDescriptor(b []byte, f Flow) {
	l := tcpLayout()
	if f.Provider.datagrams() {
		l = udpLayout()
	}
	if len(b) < l.name+nameSize || len(b) < l.effective+4 {
		return
	}
	binary.LittleEndian.PutUint64(b, f.UniqueID)
	binary.LittleEndian.PutUint64(b[effectiveIDAt:], f.EffectiveID)
	if f.Age > 0 {
		const began = 1 << 40 // any time
		binary.LittleEndian.PutUint64(b[beganAt:], began)
		binary.LittleEndian.PutUint64(b[toldAt:], began+f.Age)
	}
	binary.LittleEndian.PutUint32(b[l.pid:], uint32(f.PID))
	binary.LittleEndian.PutUint32(b[l.effective:], uint32(f.Effective))
	binary.LittleEndian.PutUint32(b[l.iface:], f.Interface)
	if l.state >= 0 {
		binary.LittleEndian.PutUint32(b[l.state:], f.State)
	}
	copy(b[l.name:l.name+nameSize-1], f.Name)
	if f.Key != (flows.Key{}) {
		putSockaddr(b[l.local:], f.Key.LocalAddr())
		putSockaddr(b[l.remote:], f.Key.RemoteAddr())
	}
}

func putSockaddr(b []byte, a netip.AddrPort) {
	binary.BigEndian.PutUint16(b[2:], a.Port())
	if a.Addr().Is4() {
		b[0], b[1] = 16, afInet
		copy(b[4:], a.Addr().AsSlice())
		return
	}
	b[0], b[1] = 28, afInet6
	copy(b[8:], a.Addr().AsSlice())
}
