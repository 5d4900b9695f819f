package main

import (
	"encoding/binary"
	"os"
	"sync"
	"testing"
	"time"

	"apptap/capture"
)

// The path between client and server is a program that keeps every packet for half of pathRTT: not every kernel has a
// netem. It is a TUN device in each of two namespaces, and it writes down what passes the client's.
const (
	clientAddr, serverAddr = "10.79.0.1", "10.79.0.2"
	tunName                = "path0"
)

// most is how many times as long as was put in a delay may be: other programs run beside a test, so delays grow, but never
// shrink. What is recorded has to be exact.
func most() float64 {
	if *update {
		return 1.1
	}
	return 10
}

// path carries packets between two TUN devices.
type path struct {
	t         *testing.T
	near, far *os.File

	// fate says how much longer a packet takes, or that it is lost; nth is how many have passed toward or from that port of the
	// server, this one included. snap is how many bytes of a packet are written down.
	fate func(port uint16, nth int, packet []byte, up bool) (delay time.Duration, lost bool)
	snap func(packet []byte, up bool) int

	mutex  sync.Mutex // guards what follows, fate and record
	record *capture.PcapWriter
	seen   map[uint16]int // packets by port of the server
}

type delayed struct {
	due    time.Time
	packet []byte
}

// run starts to carry; the function that it returns ends that and waits.
func (p *path) run() (stop func()) {
	p.seen = map[uint16]int{}
	var all sync.WaitGroup
	for _, way := range []struct{ from, to *os.File }{{p.near, p.far}, {p.far, p.near}} {
		queue := make(chan delayed, 4096)
		all.Go(func() {
			defer close(queue)
			buffer := make([]byte, 65536)
			for {
				n, err := way.from.Read(buffer)
				if err != nil {
					return
				}
				packet := append([]byte(nil), buffer[:n]...)
				if n < 24 || packet[0]>>4 != 4 {
					continue
				}
				if way.from == p.near {
					p.tap(packet, true)
				}
				if longer, lost := p.fateOf(packet, way.from == p.near); !lost {
					queue <- delayed{time.Now().Add(pathRTT/2 + longer), packet}
				}
			}
		})
		all.Go(func() {
			for d := range queue {
				time.Sleep(time.Until(d.due)) // this is the path's length
				if way.to == p.near {
					p.tap(d.packet, false)
				}
				way.to.Write(d.packet) // the device may be gone
			}
		})
	}
	return func() {
		p.near.Close()
		p.far.Close()
		all.Wait()
	}
}

// tap writes a packet down.
func (p *path) tap(packet []byte, up bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	kept := packet[:min(len(packet), p.snap(packet, up))]
	if err := p.record.WritePacket(&capture.Packet{Time: time.Now().UnixNano(), Data: kept, Length: len(packet), LinkType: capture.LinkTypeRaw}); err != nil {
		p.t.Error(err)
	}
}

// snapLong keeps the headers of long packets.
func snapLong(packet []byte, _ bool) int {
	if len(packet) > 700 {
		return 80
	}
	return len(packet)
}

func (p *path) fateOf(packet []byte, up bool) (delay time.Duration, lost bool) {
	port := serverPort(packet, up)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.seen[port]++
	return p.fate(port, p.seen[port], packet, up)
}

func serverPort(packet []byte, up bool) uint16 {
	ports := packet[int(packet[0]&15)*4:]
	if up {
		ports = ports[2:]
	}
	return binary.BigEndian.Uint16(ports)
}
