package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"apptap/capture"

	"github.com/google/go-cmp/cmp"
)

// TestWriterBlocks reads back blocks of a writer's own and names, which stand between packets.
func TestWriterBlocks(t *testing.T) {
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.WriterOptions{OS: "plan9", Hardware: "mips", Interfaces: []capture.Interface{{LinkType: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	const kind = 0x80001234
	p := capture.Packet{Data: frame(9), Length: 9, LinkType: 1}
	var want []capture.Name
	for i := range 5000 {
		addr := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		want = append(want, capture.Name{Addr: addr, Names: []string{fmt.Sprintf("host-%d.example", i), "alias.example"}})
	}
	want = append(want, capture.Name{Addr: netip.MustParseAddr("2001:db8::1"), Names: []string{"six.example"}})
	err = errors.Join(w.WriteBlock(kind, []byte("first")), w.WritePacket(&p), w.WriteBlock(kind+1, nil), w.WriteBlock(kind, nil), w.WriteNames(want),
		w.WriteNames([]capture.Name{{}, {Addr: netip.MustParseAddr("192.0.2.1"), Names: []string{strings.Repeat("x", 70000)}}}), w.WritePacket(&p), w.Close())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteBlock(kind, make([]byte, 17<<20)); err == nil {
		t.Error("a block of 17 MiB was taken")
	}
	source, err := capture.NewReader(&file, "test")
	if err != nil {
		t.Fatal(err)
	}
	r := source.(*capture.NgReader)
	var blocks []string
	r.OnBlock(kind, func(body []byte) { blocks = append(blocks, string(body)) })
	packets := 0
	for err = r.Next(&p); err == nil; err = r.Next(&p) {
		packets++
	}
	if !errors.Is(err, io.EOF) || packets != 2 || r.BigEndian() {
		t.Errorf("got %d packets and %v (big endian %v), want 2 and EOF", packets, err, r.BigEndian())
	}
	if diff := cmp.Diff([]string{"first\x00\x00\x00", ""}, blocks); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, r.Names(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
