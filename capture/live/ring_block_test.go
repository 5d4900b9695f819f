package live

import (
	"bytes"
	"encoding/binary"
	"testing"

	"apptap/capture"
)

// builtFrame is what the kernel is to have written.
type builtFrame struct {
	data     []byte
	length   int // 0 = len(data)
	tci      uint16
	tpid     uint16
	status   uint32
	kind     byte
	index    int32
	protocol uint16
}

// block lays frames out as the kernel does, with 28 bytes of room before each.
func block(frames ...builtFrame) []byte {
	b := make([]byte, blockHeader)
	binary.NativeEndian.PutUint32(b[blockPackets:], uint32(len(frames)))
	binary.NativeEndian.PutUint32(b[blockFirstOffset:], blockHeader)
	for i, f := range frames {
		const start = 96
		frame := make([]byte, (start+len(f.data)+15)&^15)
		put := func(at int, v uint32) { binary.NativeEndian.PutUint32(frame[at:], v) }
		if i < len(frames)-1 {
			put(frameNext, uint32(len(frame)))
		}
		put(frameSec, uint32(1000+i))
		put(frameNsec, 7)
		put(frameSnap, uint32(len(f.data)))
		put(frameLen, uint32(max(f.length, len(f.data))))
		put(frameStatus, f.status)
		put(frameTCI, uint32(f.tci))
		put(fromIndex, uint32(f.index))
		binary.NativeEndian.PutUint16(frame[frameMAC:], start)
		binary.NativeEndian.PutUint16(frame[frameTPID:], f.tpid)
		binary.NativeEndian.PutUint16(frame[fromHardware:], arphrdEthernet)
		binary.BigEndian.PutUint16(frame[fromProtocol:], f.protocol)
		frame[fromKind], frame[fromLength] = f.kind, 6
		copy(frame[fromAddress:], "\x02\x00\x00\x00\x00\x01")
		copy(frame[start:], f.data)
		b = append(b, frame...)
	}
	return b
}

func TestRingFrames(t *testing.T) {
	const macs = "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"
	const cooked = "\x00\x04\x00\x01\x00\x06\x02\x00\x00\x00\x00\x01\x00\x00"
	tests := []struct {
		name     string
		linkType capture.LinkType
		snapLen  int
		frame    builtFrame
		want     string
		length   int
	}{
		{"plain", capture.LinkTypeEthernet, 100, builtFrame{data: []byte(macs + "\x08\x00payload")}, macs + "\x08\x00payload", 21},
		{"cut by the kernel", capture.LinkTypeEthernet, 100, builtFrame{data: []byte(macs + "\x08\x00"), length: 1514}, macs + "\x08\x00", 1514},
		{"tag", capture.LinkTypeEthernet, 100, builtFrame{data: []byte(macs + "\x08\x00payload"), status: statusVLAN, tci: 0x6005}, macs + "\x81\x00\x60\x05\x08\x00payload", 25},
		{"tag without the flag", capture.LinkTypeEthernet, 100, builtFrame{data: []byte(macs + "\x08\x00"), tci: 5}, macs + "\x81\x00\x00\x05\x08\x00", 18},
		{"tag 0", capture.LinkTypeEthernet, 100, builtFrame{data: []byte(macs + "\x08\x00"), status: statusVLAN}, macs + "\x81\x00\x00\x00\x08\x00", 18},
		{"service tag", capture.LinkTypeEthernet, 100, builtFrame{data: []byte(macs + "\x81\x00"), status: statusVLAN | statusVLANType, tci: 9, tpid: 0x88a8}, macs + "\x88\xa8\x00\x09\x81\x00", 18},
		{"tag and snaplen", capture.LinkTypeEthernet, 17, builtFrame{data: []byte(macs + "\x08\x00payload"), status: statusVLAN, tci: 5}, macs + "\x81\x00\x00\x05\x08", 25},
		{"no room for a tag", capture.LinkTypeEthernet, 100, builtFrame{data: []byte(macs[:11]), status: statusVLAN, tci: 5}, macs[:11], 11},
		{"bare IP has no tags", capture.LinkTypeRaw, 100, builtFrame{data: []byte("\x45payload"), status: statusVLAN, tci: 5}, "\x45payload", 8},
		{"cooked", capture.LinkTypeLinuxSLL, 100, builtFrame{data: []byte("\x45payload"), kind: kindOutgoing, protocol: 0x0800}, cooked + "\x08\x00\x45payload", 24},
		{"cooked with a tag", capture.LinkTypeLinuxSLL, 100, builtFrame{data: []byte("\x45payload"), kind: kindOutgoing, protocol: 0x0800, status: statusVLAN, tci: 5}, cooked + "\x81\x00\x00\x05\x08\x00\x45payload", 28},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ringFrames{linkType: tt.linkType, snapLen: tt.snapLen, loopback: noLoopbackIndex}
			r.open(block(tt.frame, tt.frame)) // the second must not suffer from the first
			for i := range int64(2) {
				var p capture.Packet
				if !r.next(&p) {
					t.Fatalf("no packet %d", i)
				}
				if string(p.Data) != tt.want || p.Length != tt.length || p.LinkType != tt.linkType || p.Time != (1000+i)*1e9+7 {
					t.Errorf("packet %d: got %x of %d bytes, %v at %d; want %x of %d", i, p.Data, p.Length, p.LinkType, p.Time, tt.want, tt.length)
				}
			}
			if r.next(new(capture.Packet)) {
				t.Error("got a third packet")
			}
		})
	}
}

// TestRingFramesLoopback: what leaves by the loopback interface comes in again and is given once.
func TestRingFramesLoopback(t *testing.T) {
	r := ringFrames{linkType: capture.LinkTypeEthernet, snapLen: 100, loopback: 1}
	data := make([]byte, 60)
	r.open(block(builtFrame{data: data, kind: kindOutgoing, index: 1}, builtFrame{data: data, index: 1}, builtFrame{data: data, kind: kindOutgoing, index: 2}))
	count := 0
	for p := new(capture.Packet); r.next(p); count++ {
	}
	if count != 2 {
		t.Errorf("got %d packets, want the incoming one and the one of another interface", count)
	}
}

// FuzzRingFrames: whatever stands in a block, packets lie within it and come to an end.
func FuzzRingFrames(f *testing.F) {
	f.Add(block(builtFrame{data: make([]byte, 60)}, builtFrame{data: make([]byte, 60), tci: 5}), uint8(1), uint16(96))
	f.Add(block(builtFrame{data: make([]byte, 9), protocol: 0x0800}), uint8(113), uint16(20))
	f.Add(bytes.Repeat([]byte{0xff}, 200), uint8(101), uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, linkType uint8, snapLen uint16) {
		r := ringFrames{linkType: capture.LinkType(linkType), snapLen: int(snapLen), loopback: 1}
		r.open(b)
		var p capture.Packet
		for read := 0; r.next(&p); read++ {
			if len(p.Data) > int(snapLen) || len(p.Data) > len(b) || len(p.Data) > p.Length {
				t.Fatalf("%d bytes of %d, in a block of %d, snaplen %d", len(p.Data), p.Length, len(b), snapLen)
			}
			if read > len(b) {
				t.Fatal("more packets than a block can hold")
			}
		}
	})
}
