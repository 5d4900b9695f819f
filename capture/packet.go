// Package capture answers what was on the wire: which frames, when, how long, on which interface, and
// what was dropped. It reads and writes capture files in pure Go; capture/live, below it, is the only
// room that knows libpcap. The pipeline calls it. It never decodes above the link type, and of processes it
// passes on what a capture says.
package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Packet is one captured frame. Data is valid until the next call of Next on the Source that filled
// it: whoever keeps bytes copies them.
type Packet struct {
	// Time is when the frame was captured, in nanoseconds since 1970-01-01T00:00:00 UTC. It is an
	// integer and not a time.Time because it is copied, compared and subtracted for every packet.
	// Time stamps outside the range of int64 (a damaged pcapng section can name the year 500,000)
	// are clamped to it by the readers.
	Time int64
	// Data holds the captured bytes, link-layer header first; at most Length of them, fewer where a
	// snaplen cut the frame.
	Data []byte
	// Length is the frame's original length on the wire in bytes: link-layer header included, FCS
	// excluded.
	Length int
	// LinkType says how Data begins.
	LinkType LinkType
	// Interface is an index into the Source's Interfaces.
	Interface int
	// Owner is what the file says of the packet's process, nil if nothing; valid as long as Data. What a PKTAP header says
	// HeaderOwners reads.
	Owner *Owner
	// Direction is which way it went by the word of the capture. What a PKTAP header says HeaderOwners reads.
	Direction Direction
}

// Direction is which way a packet went.
type Direction uint8

// The directions.
const (
	DirectionUnknown Direction = iota
	Incoming
	Outgoing
)

// Source yields packets in the order in which they were captured. A Source is used by one goroutine
// at a time.
type Source interface {
	// Next fills p with the next packet. Its error is io.EOF after the last packet, ErrTimeout when a
	// live source had nothing within its read timeout (call Next again), one that wraps ErrTruncated
	// or ErrDamaged when a file ends early (every packet before that point has been given), or
	// anything else when the source failed.
	Next(p *Packet) error
	// Interfaces lists the interfaces seen so far; a pcapng file may add to it as it is read. The
	// slice must not be changed.
	Interfaces() []Interface
	// Stats says what was received and dropped so far, summed over Interfaces.
	Stats() Stats
	// Close frees what the source holds. Next must not be called afterwards.
	Close() error
}

var (
	// ErrTimeout says that a live source had no packet within its read timeout.
	ErrTimeout = errors.New("no packet within the read timeout")
	// ErrTruncated says that a file ends in the middle of a packet or block.
	ErrTruncated = errors.New("file is cut short")
	// ErrDamaged says that a file cannot be read past some point: a length or a block that cannot be.
	ErrDamaged = errors.New("file is damaged")
	// ErrFormat says that a file is no capture that apptap reads.
	ErrFormat = errors.New("not a capture file")
)

// Interface is where packets were captured.
type Interface struct {
	Name        string // as the operating system spells it, "" if a file does not say
	Description string
	LinkType    LinkType
	SnapLen     int // bytes kept of each frame, 0 = no limit known
	Addrs       []netip.Prefix
	// Loopback says that every frame on it starts and ends on this host.
	Loopback bool
	// Source is the file this interface was described in, "" for a live one.
	Source string
	Stats  Stats
}

// Stats counts packets of a capture. Zero means none; a source that cannot count says so in Known.
type Stats struct {
	Received         uint64 // packets that passed the filter, on macOS all that reached it (bs_recv of bsd/net/bpf.c); on Linux DroppedKernel is part of it (pcap_stats(3))
	DroppedKernel    uint64 // packets lost because the capture buffer was full
	DroppedInterface uint64 // packets lost by the interface or its driver
	Known            bool   // whether the source counts at all: a pcap file does not
}

// Add returns the sum of s and o; it is known if either is.
func (s Stats) Add(o Stats) Stats {
	return Stats{
		Received:         s.Received + o.Received,
		DroppedKernel:    s.DroppedKernel + o.DroppedKernel,
		DroppedInterface: s.DroppedInterface + o.DroppedInterface,
		Known:            s.Known || o.Known,
	}
}

// At is Packet.Time as a time.Time in UTC.
func At(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }

// FileError says where in a file reading stopped and why. It wraps ErrTruncated, ErrDamaged or
// ErrFormat.
type FileError struct {
	File   string // as the user named it, "-" for standard input
	Offset int64  // bytes into the uncompressed stream
	Detail string // what was found there
	Err    error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s: %v at byte %d: %s", e.File, e.Err, e.Offset, e.Detail)
}

func (e *FileError) Unwrap() error { return e.Err }
