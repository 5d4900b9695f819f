package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
)

// block builds a pcapng block in little-endian order (draft-ietf-opsawg-pcapng section 3.1).
func block(kind uint32, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	length := uint32(12 + len(b))
	out := binary.LittleEndian.AppendUint32(nil, kind)
	out = binary.LittleEndian.AppendUint32(out, length)
	return binary.LittleEndian.AppendUint32(append(out, b...), length)
}

func option(code uint16, value string) []byte {
	b := binary.LittleEndian.AppendUint16(nil, code)
	b = append(binary.LittleEndian.AppendUint16(b, uint16(len(value))), value...)
	return append(b, make([]byte, (4-len(value)%4)%4)...)
}

func words(v ...uint32) (b []byte) {
	for _, w := range v {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

func section(options ...[]byte) []byte {
	return block(0x0a0d0d0a, append([][]byte{words(0x1a2b3c4d, 1, ^uint32(0), ^uint32(0))}, options...)...)
}

// packetBlock is an enhanced packet of interface 0, one that process block 0 sent.
func packetBlock(frame []byte, options ...[]byte) []byte {
	padded := append(bytes.Clone(frame), make([]byte, (4-len(frame)%4)%4)...)
	head := words(0, 0, 1, uint32(len(frame)), uint32(len(frame)))
	return block(6, append([][]byte{head, padded}, options...)...)
}

func writeHostile(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func hostileFrame() []byte {
	return fixtures.TCP(netip.MustParseAddrPort("192.0.2.2:51584"), netip.MustParseAddrPort("198.51.100.7:443"), "PA", 1, 1, []byte("x"))
}

// TestEscapesInNames: whoever writes a capture chooses every name in it, and none of them may command the reader's
// terminal, in any format.
func TestEscapesInNames(t *testing.T) {
	for _, format := range []string{"table", "json", "csv", "html"} {
		checkEscapes(t, format, "evil\x1b]0;owned\x07\x1b[2J\x9b31m\u009b1m\r\x00\x7f\u202e")
	}
}

func checkEscapes(t *testing.T, format, escape string) {
	t.Helper()
	names := append(option(1, "\xc6\x33\x64\x07"+escape+"\x00"), option(0, "")...)
	file := bytes.Join([][]byte{
		section(option(1, escape), option(4, escape)),
		block(1, words(1, 0), option(2, escape), option(3, escape), option(1, escape)),
		block(4, names),
		block(0x80000001, words(4242), option(2, escape), option(3, "/Applications/"+escape)),
		packetBlock(hostileFrame(), option(1, escape), option(0x8001, "\x00\x00\x00\x00")),
		block(6, words(9)), // damage, so that there is a warning
	}, nil)
	path := writeHostile(t, "evil.pcapng", file)
	o := runBounded(t, "replay", "--flows", "-v", "--format", format, path)
	if o.code != 0 || !bytes.Contains(o.stdout, []byte("evil")) {
		t.Errorf("%s: exit code %d, stdout %q, stderr %q; want a report that has the name", format, o.code, o.stdout, o.stderr)
	}
}

// TestManyInterfaces: a file can describe as many interfaces as it likes.
func TestManyInterfaces(t *testing.T) {
	file := section()
	for range 65_536 {
		file = append(file, block(1, words(1, 0), option(2, strings.Repeat("n", 64)))...)
	}
	file = append(file, packetBlock(hostileFrame())...)
	o := runBounded(t, "replay", "--flows", "--format", "json", "-o", filepath.Join(t.TempDir(), "r.json"), writeHostile(t, "many.pcapng", file))
	if o.code != 0 {
		t.Errorf("exit code %d, stderr %.300q", o.code, o.stderr)
	}
}

// TestCompressedBomb: what a small file unpacks to costs time, not memory.
func TestCompressedBomb(t *testing.T) {
	var packets bytes.Buffer
	w, err := capture.NewPcapWriter(&packets, capture.LinkTypeEthernet, 0)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	tail := bytes.Repeat([]byte{0}, 1<<20) // records of no bytes, 16 zeros each
	one := gzippedBomb(t, packets.Bytes(), tail, 128)
	block := gzippedBomb(t, bytes.Join([][]byte{section(), words(6, 1<<31-4)}, nil), tail, 512)
	for name, bomb := range map[string][]byte{
		"records.pcap.gz": one, "twice.pcap.gz.gz": gzippedBomb(t, one, nil, 0), "block.pcapng.gz": block,
	} {
		t.Run(name, func(t *testing.T) {
			o := runBounded(t, "replay", "--format", "json", writeHostile(t, name, bomb))
			if name == "block.pcapng.gz" {
				if !bytes.Contains(o.stderr, []byte(" at byte ")) {
					t.Errorf("exit code %d, no place in %q", o.code, o.stderr)
				}
				return
			}
			if o.code != 0 || packetsOf(t, o.stdout) != 128<<20/16 {
				t.Errorf("exit code %d, stdout %.300q, stderr %q; want 8 Mi packets", o.code, o.stdout, o.stderr)
			}
		})
	}
}

func gzippedBomb(t *testing.T, head, tail []byte, times int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(head)
	for range times {
		_, werr := w.Write(tail)
		err = errors.Join(err, werr)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
