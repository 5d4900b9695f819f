// Package live answers which packets cross an interface of this machine right now, and which interfaces
// there are. It is the only room that knows libpcap: without cgo it still lists interfaces and finds the
// default one, on Linux it captures with a reader of its own, and filtering returns an error that says what is
// missing. The pipeline reads its Sources; it never decodes a frame and starts no goroutine.
package live

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Config says what to capture. The zero value of each field but Interface means its default.
type Config struct {
	Interface string // as the operating system spells it
	Filter    string // a pcap-filter(7) expression, "" for every packet
	SnapLen   int    // bytes kept of each frame, default DefaultSnapLen
	// BufferBytes is the size of the kernel's capture buffer, by default what memory and the link suggest.
	BufferBytes int
	// ReadTimeout bounds how long Next waits, and how long the kernel may hold a packet back to fill a
	// batch; default DefaultReadTimeout.
	ReadTimeout time.Duration
	// Relaxed says that nobody needs a packet at once. The ring then takes RelaxedHold in place of ReadTimeout, and Next waits for up to
	// a second where nothing comes, until Stop. Without a ring it changes nothing.
	Relaxed     bool
	Promiscuous bool // also frames for other hosts; off, because they are nobody's traffic here
	Reader      Reader
	// TimeStamps is what stamps packets with a time, by libpcap's name (pcap-tstamp(7)): "host", "adapter"; "" is the kernel's clock. libpcap
	// alone can do other than that.
	TimeStamps string
	// Keep says which frames are kept whole; SnapLen cuts those too.
	Keep Keep

	tapped bool // Interface is a packet tap, of which libpcap must be told that its headers are wanted
}

const (
	// DefaultSnapLen keeps whole frames: it is libpcap's MAXIMUM_SNAPLEN, above any TSO frame.
	DefaultSnapLen = 262144
	// DefaultBufferBytes is the buffer where nothing is known of memory and link. It holds 27 ms of a saturated 10 Gb/s link; libpcap's own 2 MiB loses packets as soon as
	// the reader is not scheduled for 1.7 ms.
	DefaultBufferBytes = 32 << 20
	// DefaultReadTimeout is also the time after which Linux hands over a TPACKET_V3 block that is not
	// full (libpcap's tp_retire_blk_tov), and macOS a BPF buffer. The first packet of a flow has to be
	// seen while the process that sent it is alive, and 100 wake-ups a second cost a few per
	// cent of one core (docs/performance.md).
	DefaultReadTimeout = 10 * time.Millisecond
	// RelaxedHold is how long a packet may lie in the ring where kernel events tell of owners: ten wake-ups a second in place of
	// a hundred. Sightings of one packet on two interfaces are then no further apart than flows.Carriers bears (200 ms).
	RelaxedHold = 100 * time.Millisecond
)

// withDefaults fills in what is not set and refuses what libpcap's ints cannot hold.
func (c Config) withDefaults() (Config, error) {
	const most = 1<<31 - 1
	if c.SnapLen == 0 {
		c.SnapLen = DefaultSnapLen
	}
	if c.BufferBytes == 0 {
		c.BufferBytes = autoBuffer(c.Interface)
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = DefaultReadTimeout
	}
	if c.TimeStamps != "" && c.Reader == ReaderAuto {
		c.Reader = ReaderPcap
	}
	switch {
	case c.Interface == "":
		return c, errors.New("capture: no interface named")
	case c.SnapLen < 0 || c.SnapLen > most:
		return c, fmt.Errorf("capture on %s: snaplen of %d bytes", c.Interface, c.SnapLen)
	case c.BufferBytes < 0 || c.BufferBytes > most:
		return c, fmt.Errorf("capture on %s: buffer of %d bytes, at most %d", c.Interface, c.BufferBytes, most)
	case c.TimeStamps != "" && c.Reader != ReaderPcap:
		return c, fmt.Errorf("capture on %s: the reader %s has the kernel's time stamps alone; leave it to libpcap (--reader pcap), or leave out -j", c.Interface, c.Reader)
	case strings.HasSuffix(c.TimeStamps, "_unsynced"):
		return c, fmt.Errorf("capture on %s: time stamps of a clock that is not the system's (%s) cannot be held against the times of its sockets; take adapter or host", c.Interface, c.TimeStamps)
	case c.ReadTimeout < 0: // libpcap's "for ever", in which Close would wait for a packet
		return c, fmt.Errorf("capture on %s: read timeout of %v", c.Interface, c.ReadTimeout)
	}
	return c, nil
}
