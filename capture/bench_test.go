package capture_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"apptap/capture"
)

// BenchmarkRead reads a file of 1000-byte packets from memory.
func BenchmarkRead(b *testing.B) {
	o := order(false)
	ng := append(ngSection(o), ngInterface(o, 1, 0)...)
	pcap := pcapFile(0xa1b2c3d4, false, false, 1)[:24]
	record := order(false).AppendUint32(make([]byte, 8), 1000)
	record = append(order(false).AppendUint32(record, 1000), frame(1000)...)
	for range 64_000 {
		ng = append(ng, ngPacket(o, 0, 1, frame(1000), 1000)...)
		pcap = append(pcap, record...)
	}
	for name, file := range map[string][]byte{"pcap": pcap, "pcapng": ng} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for range b.N {
				s, err := capture.NewReader(bytes.NewReader(file), "bench")
				if err != nil {
					b.Fatal(err)
				}
				var p capture.Packet
				for err == nil {
					err = s.Next(&p)
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
		})
	}
}
