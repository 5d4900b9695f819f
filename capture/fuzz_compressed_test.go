package capture_test

import (
	"errors"
	"slices"
	"testing"

	"apptap/capture"
)

// FuzzCompressed: a compressed capture reads as the plain one does, and one that was cut or changed gives the plain
// one's packets from the first on, as many as it can, and says that it ended early or is damaged.
func FuzzCompressed(f *testing.F) {
	for _, file := range pcapKinds() {
		f.Add(file, byte(len(file)), uint16(0), uint16(0), byte(0))
	}
	f.Add(ngFile(false), byte(1), uint16(70), uint16(0), byte(0))
	f.Add(ngFile(true), byte(3), uint16(0), uint16(30), byte(9))
	f.Fuzz(func(t *testing.T, file []byte, how byte, cut, at uint16, change byte) {
		if len(file) > 1<<16 {
			return
		}
		want, wantEnd := readBounded(t, file)
		packed := packedAs(how, file)
		got, gotEnd := readBounded(t, packed)
		if !slices.Equal(got, want) || !sameKind(gotEnd, wantEnd) && want != nil {
			t.Errorf("packed: %d packets and %v, plain %d and %v", len(got), gotEnd, len(want), wantEnd)
		}
		packed = packed[:len(packed)-int(cut)%len(packed)]
		whole := len(packed)
		got, _ = readBounded(t, packed)
		if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("cut to %d bytes: %d packets are not the first of %d", whole, len(got), len(want))
		}
		packed[int(at)%len(packed)] ^= change
		readBounded(t, packed) // nothing but its own invariants: a change may make other packets
	})
}

func packedAs(how byte, file []byte) []byte {
	switch how % 4 {
	case 0:
		return gzipped(file)
	case 1:
		return zstded(file)
	case 2:
		return gzipped(zstded(file))
	}
	return append(gzipped(file[:len(file)/2]), gzipped(file[len(file)/2:])...) // two members, one stream
}

// sameKind says whether two ends are of one kind: where they are differs.
func sameKind(a, b error) bool {
	for _, kind := range []error{capture.ErrTruncated, capture.ErrDamaged, capture.ErrFormat} {
		if errors.Is(a, kind) != errors.Is(b, kind) {
			return false
		}
	}
	return true
}
