package capture_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"testing"

	"apptap/capture"

	"github.com/klauspost/compress/zstd"
)

// appender is what both binary.ByteOrders offer for building files.
type appender interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// order is how a test names a byte order.
func order(big bool) appender {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// frame is n bytes that say where they are.
func frame(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i + n)
	}
	return b
}

// pcapFile builds a file of three packets, 60, 0 and 61 bytes captured, the last one cut from 1500. modified
// is Kuznetzov's layout.
func pcapFile(magic uint32, big, modified bool, linkType uint32) []byte {
	o := order(big)
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, 2)
	b = o.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(b, 65535)
	b = o.AppendUint32(b, linkType)
	for i, n := range [][2]int{{60, 60}, {0, 0}, {61, 1500}} {
		b = o.AppendUint32(b, uint32(100+i))
		b = o.AppendUint32(b, 7)
		b = o.AppendUint32(b, uint32(n[0]))
		b = o.AppendUint32(b, uint32(n[1]))
		if modified {
			b = append(b, make([]byte, 8)...)
		}
		b = append(b, frame(n[0])...)
	}
	return b
}

// ngBlock builds a block; the body is padded.
func ngBlock(o appender, kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	b := o.AppendUint32(nil, kind)
	b = o.AppendUint32(b, uint32(12+len(body)))
	b = append(b, body...)
	return o.AppendUint32(b, uint32(12+len(body)))
}

func ngOption(o appender, code uint16, value []byte) []byte {
	b := o.AppendUint16(nil, code)
	b = o.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func ngSection(o appender) []byte {
	b := o.AppendUint32(nil, 0x1a2b3c4d)
	b = o.AppendUint16(b, 1)
	b = o.AppendUint16(b, 0)
	b = o.AppendUint64(b, ^uint64(0))
	return ngBlock(o, 0x0a0d0d0a, append(b, ngOption(o, 4, []byte("a test"))...))
}

func ngInterface(o appender, linkType uint16, snapLen uint32, options ...[]byte) []byte {
	b := o.AppendUint16(nil, linkType)
	b = append(b, 0, 0)
	b = o.AppendUint32(b, snapLen)
	return ngBlock(o, 1, append(b, bytes.Join(options, nil)...))
}

func ngPacket(o appender, iface uint32, stamp uint64, data []byte, length int) []byte {
	b := o.AppendUint32(nil, iface)
	b = o.AppendUint32(b, uint32(stamp>>32))
	b = o.AppendUint32(b, uint32(stamp))
	b = o.AppendUint32(b, uint32(len(data)))
	b = o.AppendUint32(b, uint32(length))
	return ngBlock(o, 6, append(b, data...))
}

func ngOldPacket(o appender, iface, lost uint16, stamp uint64, data []byte, length int) []byte {
	b := o.AppendUint16(nil, iface)
	b = o.AppendUint16(b, lost)
	b = o.AppendUint32(b, uint32(stamp>>32))
	b = o.AppendUint32(b, uint32(stamp))
	b = o.AppendUint32(b, uint32(len(data)))
	b = o.AppendUint32(b, uint32(length))
	return ngBlock(o, 2, append(b, data...))
}

func ngStats(o appender, iface uint32, counts map[uint16]uint64) []byte {
	b := append(o.AppendUint32(nil, iface), make([]byte, 8)...)
	for _, code := range []uint16{4, 5, 6, 7} {
		if n, ok := counts[code]; ok {
			b = append(b, ngOption(o, code, o.AppendUint64(nil, n))...)
		}
	}
	return ngBlock(o, 5, b)
}

// ngFile has one block of each kind that is read and some that are not, in two sections of different
// byte order.
func ngFile(big bool) []byte {
	o, other := order(big), order(!big)
	simple := append(o.AppendUint32(nil, 100), frame(64)...)
	resolution := byte(9)
	return bytes.Join([][]byte{
		ngSection(o),
		ngInterface(o, 1, 64, ngOption(o, 2, []byte("en0\x00")), ngOption(o, 3, []byte("Wi-Fi")),
			ngOption(o, 4, []byte{192, 0, 2, 2, 255, 255, 255, 0}),
			ngOption(o, 5, append([]byte{0x20, 1, 0xd, 0xb8, 15: 1}, 64)), ngOption(o, 0, nil)),
		ngPacket(o, 0, 1_000_001, frame(61), 1500),
		ngBlock(o, 0x80000001, []byte{1, 0, 0, 0}),
		simplePacket(o, simple),
		ngInterface(o, 276, 0, ngOption(o, 9, []byte{resolution}), ngOption(o, 14, o.AppendUint64(nil, 10))),
		ngPacket(o, 1, 5, frame(20), 20),
		ngNames(o),
		ngOldPacket(o, 1, 3, 6, frame(21), 21),
		ngStats(o, 0, map[uint16]uint64{4: 1, 5: 2}),
		ngStats(o, 0, map[uint16]uint64{4: 9, 5: 8, 6: 7, 7: 6}),
		ngSection(other),
		ngInterface(other, 12, 0),
		ngPacket(other, 0, 2_000_000, frame(22), 22),
	}, nil)
}

func simplePacket(o appender, body []byte) []byte { return ngBlock(o, 3, body) }

func ngNames(o appender) []byte {
	b := ngOption(o, 1, append([]byte{192, 0, 2, 7}, "one.example\x00two.example\x00"...))
	b = append(b, ngOption(o, 2, append([]byte{0x20, 1, 0xd, 0xb8, 15: 9}, "six.example\x00"...))...)
	b = append(b, ngOption(o, 77, []byte("unknown"))...)
	return ngBlock(o, 4, append(b, 0, 0, 0, 0))
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	if err := errors.Join(err, w.Close()); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	return out.Bytes()
}

// zstdWriter is made once: it takes megabytes, and a fuzzer compresses a thousand times a second.
var zstdWriter = sync.OnceValue(func() *zstd.Encoder {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err) // the options are constant
	}
	return w
})

func zstded(b []byte) []byte { return zstdWriter().EncodeAll(b, nil) }

// kept is a packet with its own copy of the bytes.
type kept struct {
	Time      int64
	Data      string
	Length    int
	LinkType  capture.LinkType
	Interface int
}

// drain reads everything there is; err is nil at a clean end.
func drain(s capture.Source) (packets []kept, err error) {
	var p capture.Packet
	for {
		if err := s.Next(&p); err != nil {
			if errors.Is(err, io.EOF) {
				return packets, nil
			}
			return packets, err
		}
		packets = append(packets, kept{p.Time, string(p.Data), p.Length, p.LinkType, p.Interface})
	}
}

// readAll opens and drains.
func readAll(r io.Reader) (packets []kept, interfaces []capture.Interface, err error) {
	s, err := capture.NewReader(r, "test")
	if err != nil {
		return nil, nil, err
	}
	packets, err = drain(s)
	return packets, s.Interfaces(), errors.Join(err, s.Close())
}

func mustRead(t testing.TB, b []byte) ([]kept, []capture.Interface) {
	t.Helper()
	packets, interfaces, err := readAll(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return packets, interfaces
}
