package capture_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"

	"apptap/capture"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"
)

// FuzzPcap and FuzzPcapNG share their invariants; they differ in where they start.
func FuzzPcap(f *testing.F) {
	for _, file := range pcapKinds() {
		f.Add(file)
	}
	f.Fuzz(checkReader)
}

func FuzzPcapNG(f *testing.F) {
	f.Add(ngFile(false))
	f.Add(ngFile(true))
	f.Add(gzipped(ngFile(false)))
	f.Add(zstded(ngFile(false)))
	for _, big := range []bool{false, true} {
		o := order(big)
		f.Add(bytes.Join([][]byte{
			ngSection(o), ngInterface(o, 1, 0), ngProcess(o, 7, ngOption(o, 2, []byte("curl"))),
			ngCustom(o, 32622, 3, ngEntry(8, ngOption(order(false), 2, []byte("ssh")))),
			ngOwned(o, 0, number(o, 0x8001, 0), number(o, 2, 2)), ngOwned(o, 0, pidOf(o, 8)), ngOwned(o, 0, ngOption(o, 1, []byte("Safari (pid 42)"))),
			ngOwned(o, 0, ngOption(o, 1, []byte("PID: 9\nCmd: /bin/x\nArgs: x y"))), ngOwned(o, 0, ngOption(o, 1, []byte("rustnet process=dig pid=3 uid=0"))),
		}, nil))
	}
	f.Fuzz(checkReader)
}

// checkReader reads arbitrary bytes: packets hold together, the end is a known one, memory stays
// within what the bytes can justify, and a second reading gives the same.
func checkReader(t *testing.T, file []byte) {
	if len(file) > 1<<20 {
		t.Skip("large inputs only make fuzzing slow")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	first, firstEnd := readBounded(t, file)
	runtime.ReadMemStats(&after)
	// Buffers: 256 KiB for each of three layers and their growth, the decoders' own windows.
	if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
		t.Errorf("%d bytes of input took %d bytes of memory", len(file), used)
	}
	second, secondEnd := readBounded(t, file)
	if firstEnd.Error() != secondEnd.Error() {
		t.Errorf("ended with %v, then with %v", firstEnd, secondEnd)
	}
	if !slices.Equal(first, second) {
		t.Errorf("second reading (-first +second):\n%s", cmp.Diff(first, second, cmpopts.EquateEmpty()))
	}
}

func readBounded(t *testing.T, file []byte) ([]kept, error) {
	s, err := capture.NewReader(bytes.NewReader(file), "fuzz")
	if err != nil {
		if !knownEnd(err) || errors.Is(err, io.EOF) {
			t.Fatalf("NewReader: %v wraps no known error", err)
		}
		return nil, err
	}
	defer s.Close()
	var packets []kept
	var p capture.Packet
	for len(packets) < 10_000 { // a compressed file can hold millions
		if err := s.Next(&p); err != nil {
			if !knownEnd(err) {
				t.Fatalf("Next: %v wraps no known error", err)
			}
			if again := s.Next(&p); again == nil || again.Error() != err.Error() {
				t.Fatalf("Next again: %v after %v", again, err)
			}
			return packets, err
		}
		checkPacket(t, &p, s)
		packets = append(packets, kept{p.Time, string(p.Data), p.Length, p.LinkType, p.Interface})
	}
	return packets, io.EOF
}

func checkPacket(t *testing.T, p *capture.Packet, s capture.Source) {
	if len(p.Data) > p.Length || p.Length < 0 {
		t.Fatalf("%d captured bytes of %d", len(p.Data), p.Length)
	}
	if o := p.Owner; o != nil && (o.For() == nil || o.For().PID < 0 || len(o.For().Name) > 256 || len(o.For().Path) > 1024) {
		t.Fatalf("owner %+v for %+v", o, o.For())
	}
	if p.Interface < 0 || p.Interface >= len(s.Interfaces()) {
		t.Fatalf("interface %d of %d", p.Interface, len(s.Interfaces()))
	}
	if i := s.Interfaces()[p.Interface]; i.LinkType != p.LinkType {
		t.Fatalf("link type %v on an interface of %v", p.LinkType, i.LinkType)
	}
}

// TestSameAsPcapgo compares with another implementation on files that it supports: it knows neither
// the modified layout nor a link type beyond 8 bits, and needs captured <= original.
func TestSameAsPcapgo(t *testing.T) {
	for name, file := range everyKind() {
		r, err := foreign(file)
		if err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			ours, _ := mustRead(t, file)
			for i := range ours {
				data, at, err := r.ReadPacketData()
				if err != nil {
					if i == 0 {
						t.Errorf("pcapgo reads nothing: %v", err)
					}
					return // pcapgo stops where a file changes its byte order or link type
				}
				if ours[i].Time != 0 && at.Timestamp.UnixNano() != ours[i].Time || at.Length != ours[i].Length || string(data) != ours[i].Data {
					t.Errorf("packet %d: pcapgo has %v, %d of %d bytes; want %d, %d of %d", i,
						at.Timestamp.UnixNano(), len(data), at.Length, ours[i].Time, len(ours[i].Data), ours[i].Length)
				}
			}
		})
	}
}

// packetReader is what pcapgo's two readers share.
type packetReader interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

func foreign(file []byte) (packetReader, error) {
	if r, err := pcapgo.NewReader(bytes.NewReader(file)); err == nil {
		return r, nil
	}
	return pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{WantMixedLinkType: true})
}
