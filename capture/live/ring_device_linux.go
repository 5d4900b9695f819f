package live

import (
	"bytes"
	"io"
	"net"
	"os"
	"strconv"
)

// anyInterface is libpcap's name for all interfaces of a namespace.
const anyInterface = "any"

// indexOf finds an interface by name.
func indexOf(name string) (int, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0, &NoInterfaceError{Interface: name, Available: available()}
	}
	return i.Index, nil
}

// loopbackIndex is the index of the namespace's loopback interface, or noLoopbackIndex.
func loopbackIndex() int32 {
	all, err := net.Interfaces()
	if err != nil {
		return noLoopbackIndex
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return int32(i.Index)
		}
	}
	return noLoopbackIndex
}

// deviceDrops reads what the card and its driver lost before anybody could capture it: the counters that libpcap
// reads too (pcap-linux.c, linux_if_drops). The files stay open because they are read often.
type deviceDrops struct {
	files []io.ReaderAt
	close func()
	begin uint64
	last  uint64
}

func openDeviceDrops(name string) *deviceDrops {
	d := &deviceDrops{close: func() {}}
	if name == anyInterface {
		return d
	}
	for _, counter := range []string{"rx_missed_errors", "rx_fifo_errors"} {
		f, err := os.Open("/sys/class/net/" + name + "/statistics/" + counter)
		if err != nil {
			continue // no sysfs, or the device has none: it counts as no loss, as in libpcap
		}
		closeOthers := d.close
		d.close = func() { closeOthers(); f.Close() }
		d.files = append(d.files, f)
	}
	d.begin = d.sum()
	d.last = d.begin
	return d
}

// sinceOpen is how many frames were lost since the capture began, as far as that could be read.
func (d *deviceDrops) sinceOpen() uint64 {
	if now := d.sum(); now > d.last {
		d.last = now
	}
	return d.last - d.begin
}

// sum adds the counters up; one that cannot be read, for the device is gone, makes it smaller.
func (d *deviceDrops) sum() (sum uint64) {
	var text [24]byte
	for _, f := range d.files {
		n, _ := f.ReadAt(text[:], 0) // the end of the file comes with the number
		if v, err := strconv.ParseUint(string(bytes.TrimSpace(text[:n])), 10, 64); err == nil {
			sum += v
		}
	}
	return sum
}
