package capture_test

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"testing"

	"apptap/capture"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket/pcapgo"
)

func TestWriterRoundTrip(t *testing.T) {
	interfaces := []capture.Interface{
		{Name: "en0", Description: "Wi-Fi", LinkType: 1, SnapLen: 262144,
			Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::1/64")},
			Stats: capture.Stats{Received: 5, DroppedKernel: 4, DroppedInterface: 3, Known: true}},
		{Name: "lo", LinkType: capture.LinkTypeLinuxSLL2},
	}
	packets := []kept{
		{1_700_000_000_123_456_789, string(frame(61)), 1500, 1, 0},
		{0, "", 0, capture.LinkTypeLinuxSLL2, 1},
		{math.MaxInt64, string(frame(300_000)), 300_000, 1, 0},
		{5, string(frame(4)), 4, capture.LinkTypeLinuxSLL2, 1},
	}
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.WriterOptions{Hardware: "arm64", OS: "Darwin", Application: "apptap", Filter: "tcp", Interfaces: interfaces[:1]})
	if err != nil {
		t.Fatal(err)
	}
	index, err := w.AddInterface(interfaces[1])
	if err != nil || index != 1 {
		t.Fatalf("got index %d and %v, want 1", index, err)
	}
	for _, p := range packets {
		if err := w.WritePacket(&capture.Packet{Time: p.Time, Data: []byte(p.Data), Length: p.Length, LinkType: p.LinkType, Interface: p.Interface}); err != nil {
			t.Fatal(err)
		}
	}
	w.SetStats(1, capture.Stats{Received: 2, Known: true})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, gotInterfaces := mustRead(t, file.Bytes())
	if diff := cmp.Diff(packets, got); diff != "" {
		t.Errorf("packets (-want +got):\n%s", diff)
	}
	interfaces[1].Stats = capture.Stats{Received: 2, Known: true}
	for i := range interfaces {
		interfaces[i].Source = "test"
	}
	if diff := cmp.Diff(interfaces, gotInterfaces, prefixes); diff != "" {
		t.Errorf("interfaces (-want +got):\n%s", diff)
	}
	checkForeignReader(t, file.Bytes())
}

// checkForeignReader wants another implementation to understand what is written.
func checkForeignReader(t *testing.T, file []byte) {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.SectionInfo(); got.Hardware != "arm64" || got.OS != "Darwin" || got.Application != "apptap" {
		t.Errorf("pcapgo reads section %+v", got)
	}
	if data, at, err := r.ReadPacketData(); err != nil || at.Length != 1500 || string(data) != string(frame(61)) || at.Timestamp.UnixNano() != 1_700_000_000_123_456_789 {
		t.Errorf("pcapgo reads %d bytes, %+v, %v", len(data), at, err)
	}
	if i, err := r.Interface(0); err != nil || i.Name != "en0" || i.Filter != "tcp" || i.Description != "Wi-Fi" {
		t.Errorf("pcapgo reads interface %+v, %v", i, err)
	}
}

func TestPcapWriterRoundTrip(t *testing.T) {
	packets := []kept{
		{1_700_000_000_123_456_789, string(frame(61)), 1500, 1, 0},
		{0, "", 0, 1, 0},
		{5, string(frame(300_000)), 300_000, 1, 0},
	}
	var file bytes.Buffer
	w, err := capture.NewPcapWriter(&file, 1, 65535)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		if err := w.WritePacket(&capture.Packet{Time: p.Time, Data: []byte(p.Data), Length: p.Length, LinkType: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WritePacket(&capture.Packet{LinkType: 101}); err == nil {
		t.Error("a packet of another link type was taken")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, interfaces := mustRead(t, file.Bytes())
	if diff := cmp.Diff(packets, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if interfaces[0].SnapLen != 65535 {
		t.Errorf("got snaplen %d, want 65535", interfaces[0].SnapLen)
	}
}

// TestWriterClamps writes times that the formats cannot hold.
func TestWriterClamps(t *testing.T) {
	for _, tt := range []struct {
		name           string
		time           int64
		wantNg, wantPc int64
	}{
		{"before 1970", -5, 0, 0},
		{"after 2106", 5_000_000_000e9, 5_000_000_000e9, math.MaxUint32*1e9 + 999_999_999},
	} {
		var ng, pcap bytes.Buffer
		p := capture.Packet{Time: tt.time, Data: frame(8), Length: 8, LinkType: 1}
		nw, err1 := capture.NewWriter(&ng, capture.WriterOptions{Interfaces: []capture.Interface{{LinkType: 1}}})
		pw, err2 := capture.NewPcapWriter(&pcap, 1, 0)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(nw.WritePacket(&p), pw.WritePacket(&p), nw.Close(), pw.Close()); err != nil {
			t.Fatal(err)
		}
		gotNg, _ := mustRead(t, ng.Bytes())
		gotPc, _ := mustRead(t, pcap.Bytes())
		if gotNg[0].Time != tt.wantNg || gotPc[0].Time != tt.wantPc {
			t.Errorf("%s: got %d and %d, want %d and %d", tt.name, gotNg[0].Time, gotPc[0].Time, tt.wantNg, tt.wantPc)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	w, err := capture.NewWriter(&bytes.Buffer{}, capture.WriterOptions{Interfaces: []capture.Interface{{LinkType: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]capture.Packet{
		"unknown interface": {Interface: 1},
		"17 MiB":            {Data: make([]byte, 17<<20), Length: 17 << 20},
		"5 GiB length":      {Length: 5 << 30},
		"negative length":   {Length: -1},
	} {
		if err := w.WritePacket(&p); err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
}

// fullDisk takes n bytes.
type fullDisk struct{ n int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(b []byte) (int, error) {
	n := min(d.n, len(b))
	d.n -= n
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

func TestWriterOnFullDisk(t *testing.T) {
	w, err := capture.NewWriter(&fullDisk{n: 300_000}, capture.WriterOptions{Interfaces: []capture.Interface{{LinkType: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	p := capture.Packet{Data: frame(60_000), Length: 60_000}
	failed := 0
	for range 20 {
		if err := w.WritePacket(&p); err != nil {
			failed++
			if want := "write capture at byte 300000: no space left on device"; !errors.Is(err, errFull) || err.Error() != want {
				t.Fatalf("got %v, want %s", err, want)
			}
		}
	}
	if failed == 0 {
		t.Error("no WritePacket failed")
	}
	if err := w.Close(); err != nil {
		t.Errorf("Close repeats %v", err)
	}
}
