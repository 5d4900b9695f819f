package kernel

import (
	"encoding/binary"
	"testing"

	"github.com/shirou/gopsutil/v3/net"
)

func TestDecodeIFMIB(t *testing.T) {
	build := func(counters map[int]uint64) []byte {
		b := make([]byte, ifmibSize)
		copy(b, "en0")
		for at, n := range counters {
			binary.LittleEndian.PutUint64(b[52+at:], n)
		}
		return b
	}
	const large = 1 << 33 // more than 32 bits
	b := build(map[int]uint64{24: 10, 32: 1, 40: 20, 48: 2, 64: large, 72: large + 1, 96: 3})
	want := net.IOCountersStat{Name: "en0", PacketsRecv: 10, Errin: 1, PacketsSent: 20, Errout: 2, BytesRecv: large, BytesSent: large + 1, Dropin: 3}
	if got, err := decodeIFMIB(b); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := decodeIFMIB(b[:ifmibSize-1]); err == nil {
		t.Error("a structure that is cut short was read")
	}
	b = build(map[int]uint64{0: typeLoopback, 24: 10, 40: 10, 64: 600, 72: 600})
	want = net.IOCountersStat{Name: "en0", PacketsRecv: 10, PacketsSent: 10, BytesRecv: 640, BytesSent: 640}
	if got, err := decodeIFMIB(b); err != nil || got != want {
		t.Errorf("loopback, whose frames have a header that is not counted: got %+v, %v; want %+v", got, err, want)
	}
	if got, err := decodeIFMIB(build(nil)); err != nil || got.Name != "en0" {
		t.Errorf("an idle interface: got %+v, %v", got, err)
	}
}

// FuzzIFMIB: what is read of the structure has a name of its size.
func FuzzIFMIB(f *testing.F) {
	b := make([]byte, ifmibSize)
	copy(b, "en0")
	f.Add(b)
	b = append([]byte{}, b...)
	b[52+24], b[52+64] = 1, 60
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeIFMIB(b)
		if err != nil {
			return
		}
		if len(b) < ifmibSize || len(s.Name) > ifmibNameSize {
			t.Fatalf("read %+v from %d bytes", s, len(b))
		}
	})
}
