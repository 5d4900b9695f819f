package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// PcapWriter writes a classic pcap file with time stamps in nanoseconds, for tools that do not read
// pcapng and for fixtures. It has one link type and no place for interfaces or drops. Errors are as
// with Writer; it is not safe for concurrent use.
type PcapWriter struct {
	out      out
	linkType LinkType
}

// NewPcapWriter writes a file header to w. It does not close w. snapLen is what the header says is kept of a
// frame, in bytes.
func NewPcapWriter(w io.Writer, linkType LinkType, snapLen int) (*PcapWriter, error) {
	nw := &PcapWriter{out: newOut(w), linkType: linkType}
	b := nw.out.buf
	b = append(b, 0x4d, 0x3c, 0xb2, 0xa1)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...) // time zone and accuracy: always 0
	b = binary.LittleEndian.AppendUint32(b, uint32(min(max(snapLen, 0), math.MaxInt32)))
	b = binary.LittleEndian.AppendUint32(b, uint32(linkType))
	return nw, nw.out.take(b)
}

// WritePacket appends a packet, whose Interface is not kept. Times outside 1970 to 2106, which 32 bits
// of seconds cannot hold, become the nearest that they can.
func (w *PcapWriter) WritePacket(p *Packet) error {
	if p.LinkType != w.linkType {
		return fmt.Errorf("write packet: link type %v in a pcap file of %v", p.LinkType, w.linkType)
	}
	if err := checkPacket(p); err != nil {
		return err
	}
	time := min(max(p.Time, 0), math.MaxUint32*1e9+999999999)
	b := binary.LittleEndian.AppendUint32(w.out.buf, uint32(time/1e9))
	b = binary.LittleEndian.AppendUint32(b, uint32(time%1e9))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p.Data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(p.Length))
	return w.out.take(append(b, p.Data...))
}

// Flush hands everything written so far to the destination.
func (w *PcapWriter) Flush() error { return w.out.flush() }

// Close flushes. It does not close the destination.
func (w *PcapWriter) Close() error {
	if w.out.err != nil {
		return nil
	}
	return w.out.flush()
}
