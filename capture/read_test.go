package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"apptap/capture"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var prefixes = cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})

// pcapKinds are all the layouts of the classic format.
func pcapKinds() map[string][]byte {
	kinds := make(map[string][]byte)
	for _, big := range []bool{false, true} {
		kinds[fmt.Sprint("microseconds, big ", big)] = pcapFile(0xa1b2c3d4, big, false, 1)
		kinds[fmt.Sprint("nanoseconds, big ", big)] = pcapFile(0xa1b23c4d, big, false, 1)
		kinds[fmt.Sprint("modified, big ", big)] = pcapFile(0xa1b2cd34, big, true, 1)
	}
	return kinds
}

func wantPcap(fraction int64) []kept {
	return []kept{
		{Time: 100e9 + fraction, Data: string(frame(60)), Length: 60, LinkType: 1},
		{Time: 101e9 + fraction, Data: "", Length: 0, LinkType: 1},
		{Time: 102e9 + fraction, Data: string(frame(61)), Length: 1500, LinkType: 1},
	}
}

func TestPcap(t *testing.T) {
	for name, file := range pcapKinds() {
		t.Run(name, func(t *testing.T) {
			fraction := int64(7000)
			if strings.HasPrefix(name, "nano") {
				fraction = 7
			}
			got, interfaces := mustRead(t, file)
			if diff := cmp.Diff(wantPcap(fraction), got); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
			want := []capture.Interface{{LinkType: 1, SnapLen: 65535, Source: "test"}}
			if diff := cmp.Diff(want, interfaces, prefixes); diff != "" {
				t.Errorf("interfaces (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPcapLinkType(t *testing.T) {
	for _, tt := range []struct {
		name  string
		field uint32
		want  capture.LinkType
	}{
		{"SLL2", 276, capture.LinkTypeLinuxSLL2},
		{"FCS length of 4 in the upper bits", 4<<28 | 1<<26 | 1, capture.LinkTypeEthernet},
		{"DLT_RAW for LINKTYPE_RAW", 12, capture.LinkTypeRaw},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := mustRead(t, pcapFile(0xa1b2c3d4, false, false, tt.field))
			if got[0].LinkType != tt.want {
				t.Errorf("got %v, want %v", got[0].LinkType, tt.want)
			}
			if got[0].Length != 60 {
				t.Errorf("got length %d, want 60 as recorded", got[0].Length)
			}
		})
	}
}

func TestPcapOldOrderOfLengths(t *testing.T) {
	file := pcapFile(0xa1b2c3d4, false, false, 1)
	file[6] = 2 // version 2.2
	last := len(file) - 61 - 8
	copy(file[last:], []byte{0xdc, 5, 0, 0, 61, 0, 0, 0})
	got, _ := mustRead(t, file)
	if diff := cmp.Diff(wantPcap(7000), got); diff != "" {
		t.Errorf("version 2.2 (-want +got):\n%s", diff)
	}
	file[6] = 3
	got, _ = mustRead(t, file)
	if diff := cmp.Diff(wantPcap(7000), got); diff != "" {
		t.Errorf("version 2.3 (-want +got):\n%s", diff)
	}
}

func TestPcapng(t *testing.T) {
	for _, big := range []bool{false, true} {
		t.Run(fmt.Sprint("big ", big), func(t *testing.T) {
			s, err := capture.NewReader(bytes.NewReader(ngFile(big)), "test")
			if err != nil {
				t.Fatal(err)
			}
			got, err := drain(s)
			if err != nil {
				t.Fatal(err)
			}
			want := []kept{
				{1_000_001_000, string(frame(61)), 1500, 1, 0},
				{0, string(frame(64)), 100, 1, 0},
				{10e9 + 5, string(frame(20)), 20, 276, 1},
				{10e9 + 6, string(frame(21)), 21, 276, 1},
				{2e9, string(frame(22)), 22, 101, 2},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
			wantInterfaces := []capture.Interface{
				{Name: "en0", Description: "Wi-Fi", LinkType: 1, SnapLen: 64, Source: "test",
					Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::1/64")},
					Stats: capture.Stats{Received: 7, DroppedKernel: 6, DroppedInterface: 8, Known: true}},
				{LinkType: 276, Source: "test", Stats: capture.Stats{DroppedKernel: 3, Known: true}},
				{LinkType: 101, Source: "test"},
			}
			if diff := cmp.Diff(wantInterfaces, s.Interfaces(), prefixes); diff != "" {
				t.Errorf("interfaces (-want +got):\n%s", diff)
			}
			wantNames := []capture.Name{
				{Addr: netip.MustParseAddr("192.0.2.7"), Names: []string{"one.example", "two.example"}},
				{Addr: netip.MustParseAddr("2001:db8::9"), Names: []string{"six.example"}},
			}
			if diff := cmp.Diff(wantNames, s.(*capture.NgReader).Names(), prefixes); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			wantStats := capture.Stats{Received: 7, DroppedKernel: 9, DroppedInterface: 8, Known: true}
			if s.Stats() != wantStats {
				t.Errorf("got stats %+v, want %+v", s.Stats(), wantStats)
			}
		})
	}
}

// TestSmallReads wants the same packets however the bytes come.
func TestSmallReads(t *testing.T) {
	for name, file := range everyKind() {
		want, _ := mustRead(t, file)
		got, _, err := readAll(iotest.OneByteReader(bytes.NewReader(file)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func everyKind() map[string][]byte {
	kinds := pcapKinds()
	kinds["pcapng, little"] = ngFile(false)
	kinds["pcapng, big"] = ngFile(true)
	return kinds
}

// TestTruncated cuts each kind of file at every byte: what comes out is a prefix of the packets, and
// the error says that the file is short, unless the cut is between two records.
func TestTruncated(t *testing.T) {
	for name, file := range everyKind() {
		whole, _ := mustRead(t, file)
		clean := 0
		for n := 1; n < len(file); n++ {
			got, _, err := readAll(bytes.NewReader(file[:n]))
			if len(got) > len(whole) {
				t.Fatalf("%s, cut at %d: %d packets of %d", name, n, len(got), len(whole))
			}
			if diff := cmp.Diff(whole[:len(got)], got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, cut at %d (-want +got):\n%s", name, n, diff)
			}
			var where *capture.FileError
			switch {
			case err == nil:
				clean++
			case !errors.Is(err, capture.ErrTruncated) || !errors.As(err, &where):
				t.Errorf("%s, cut at %d: got %v, want a FileError that wraps ErrTruncated", name, n, err)
			case where.Offset > int64(n):
				t.Errorf("%s, cut at %d: error says byte %d", name, n, where.Offset)
			}
		}
		if most := 14; clean == 0 || clean > most {
			t.Errorf("%s: %d clean ends, want one at each of at most %d boundaries", name, clean, most)
		}
	}
}

func TestTruncatedSaysHowMuch(t *testing.T) {
	file := pcapFile(0xa1b2c3d4, false, false, 1)
	_, _, err := readAll(bytes.NewReader(file[:len(file)-10]))
	want := "test: file is cut short at byte 116: packet has 67 of 77 bytes, 10 missing"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestLongPacket needs the buffer to grow.
func TestLongPacket(t *testing.T) {
	const n = 3 << 20
	o := order(false)
	file := append(pcapFile(0xa1b2c3d4, false, false, 1), make([]byte, 0, n+16)...)
	for _, v := range []uint32{1, 2, n, n} {
		file = o.AppendUint32(file, v)
	}
	file = append(file, frame(n)...)
	got, _ := mustRead(t, file)
	if last := got[len(got)-1]; last.Length != n || last.Data != string(frame(n)) {
		t.Errorf("got %d bytes of %d, want %d as written", len(last.Data), last.Length, n)
	}
}

func TestDamaged(t *testing.T) {
	o := order(false)
	head := append(ngSection(o), ngInterface(o, 1, 0)...)
	huge := pcapFile(0xa1b2c3d4, false, false, 1)
	copy(huge[24+8:], []byte{1, 0, 0, 1}) // 16 MiB and one
	trailer := append(bytes.Clone(head), ngPacket(o, 0, 1, frame(8), 8)...)
	trailer[len(trailer)-4]++
	caplen := append(bytes.Clone(head), ngPacket(o, 0, 1, frame(8), 8)...)
	caplen[len(head)+20]++
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"caplen", huge, "16777217 captured bytes"},
		{"trailer", trailer, "40 bytes at its start and 41"},
		{"caplen beyond block", caplen, "claims 9 captured bytes in a block that holds 8"},
		{"interface", append(bytes.Clone(head), ngPacket(o, 5, 1, frame(8), 8)...), "interface 5 of a section that describes 1"},
		{"interface of the section before", append(append(bytes.Clone(head), ngSection(o)...), ngPacket(o, 0, 1, nil, 0)...), "interface 0 of a section that describes 0"},
		{"block of no length", append(bytes.Clone(head), 6, 0, 0, 0, 0, 0, 0, 0), "impossible length of 0"},
		{"block length not a multiple of 4", append(bytes.Clone(head), 9, 0, 0, 0, 13, 0, 0, 0), "impossible length of 13"},
		{"packet block of 17 MiB", append(bytes.Clone(head), 6, 0, 0, 0, 0, 0, 0x10, 1), "impossible length"},
		{"unknown block of 3 GiB", append(bytes.Clone(head), 99, 0, 0, 0, 0, 0, 0, 0xc0), "impossible length"},
		{"short interface", append(bytes.Clone(head), ngBlock(o, 1, make([]byte, 4))...), "body of 4 bytes"},
		{"short packet", append(bytes.Clone(head), ngBlock(o, 6, make([]byte, 16))...), "body of 16 bytes"},
		{"section of another version", append(bytes.Clone(head), bytes.Replace(ngSection(o), []byte{1, 0, 0, 0}, []byte{7, 0, 0, 0}, 1)...), "version 7.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			packets, _, err := readAll(bytes.NewReader(tt.file))
			if len(packets) > 0 {
				t.Errorf("got packets %v out of the damage", packets)
			}
			if !errors.Is(err, capture.ErrDamaged) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want ErrDamaged with %q", err, tt.want)
			}
		})
	}
}

// TestOptionsThatLie reads packets behind names, options and statistics that cannot be.
func TestOptionsThatLie(t *testing.T) {
	o := order(false)
	file := bytes.Join([][]byte{
		ngSection(o),
		ngInterface(o, 1, 0, []byte{2, 0, 0xff, 0xff}, []byte("en0")),
		ngBlock(o, 4, []byte{1, 0, 0xff, 0xff, 1, 2, 3, 4}),
		ngBlock(o, 4, []byte{1, 0, 2, 0, 1, 2, 0, 0}),
		ngStats(o, 9, map[uint16]uint64{4: 1}),
		ngBlock(o, 5, []byte{0, 0, 0, 0}),
		ngPacket(o, 0, 1, frame(8), 8),
	}, nil)
	got, interfaces := mustRead(t, file)
	if len(got) != 1 || len(interfaces) != 1 || interfaces[0].Stats.Known {
		t.Errorf("got %d packets and interfaces %+v, want one packet and no stats", len(got), interfaces)
	}
}

func TestCapturedMoreThanLength(t *testing.T) {
	o := order(false)
	file := append(ngSection(o), ngInterface(o, 1, 0)...)
	got, _ := mustRead(t, append(file, ngPacket(o, 0, 1, frame(60), 20)...))
	if got[0].Length != 20 || got[0].Data != string(frame(60)[:20]) {
		t.Errorf("got %d bytes of %d, want the 20 that the frame had", len(got[0].Data), got[0].Length)
	}
}

func TestFormat(t *testing.T) {
	badOrder := ngSection(order(false))
	badOrder[8] = 0
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "it is empty; apptap reads pcap, pcapng, and gzip or zstd of these"},
		{"text", []byte("version https://"), "begins with 76 65 72 73; apptap reads"},
		{"two bytes", []byte("hi"), "holds only 68 69"},
		{"empty gzip", gzipped(nil), "it is empty"},
		{"gzip of text", gzipped([]byte("version")), "begins with 76 65 72 73"},
		{"gzip three deep", gzipped(gzipped(gzipped(ngFile(false)))), "gzip inside 2 other compressions"},
		{"byte order", badOrder, "neither order"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := capture.NewReader(bytes.NewReader(tt.file), "test")
			var where *capture.FileError
			if !errors.Is(err, capture.ErrFormat) || !errors.As(err, &where) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a FileError of ErrFormat with %q", err, tt.want)
			}
		})
	}
}

// TestDeviceError wants an error of the reader itself to come through as it is, also from below a
// decompressor.
func TestDeviceError(t *testing.T) {
	broken := errors.New("input/output error")
	file := ngFile(false)
	whole, _ := mustRead(t, file)
	for name, bytesOf := range map[string][]byte{"plain": file, "gzip": gzipped(file), "zstd": zstded(file)} {
		cut := bytes.NewReader(bytesOf[:len(bytesOf)-3])
		got, _, err := readAll(io.MultiReader(cut, iotest.ErrReader(broken)))
		if !errors.Is(err, broken) || errors.Is(err, capture.ErrTruncated) {
			t.Errorf("%s: got %v, want %v", name, err, broken)
		}
		if len(got) > len(whole) {
			t.Errorf("%s: got %d packets of %d", name, len(got), len(whole))
		}
	}
}

// TestNoAllocationPerPacket holds what the speed of reading rests on.
func TestNoAllocationPerPacket(t *testing.T) {
	o := order(true)
	ng := append(ngSection(o), ngInterface(o, 1, 0)...)
	pcap := pcapFile(0xa1b2c3d4, true, false, 1)
	record := pcap[24 : 24+16+60]
	for range 2000 {
		ng = append(ng, ngPacket(o, 0, 1, frame(61), 61)...)
		pcap = append(pcap, record...)
	}
	for name, file := range map[string][]byte{"pcap": pcap, "pcapng": ng} {
		s, err := capture.NewReader(bytes.NewReader(file), "test")
		if err != nil {
			t.Fatal(err)
		}
		var p capture.Packet
		allocations := testing.AllocsPerRun(1500, func() {
			if err := s.Next(&p); err != nil {
				t.Fatal(err)
			}
		})
		if allocations != 0 {
			t.Errorf("%s: got %v allocations a packet, want 0", name, allocations)
		}
	}
}
