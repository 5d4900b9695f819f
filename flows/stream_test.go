package flows

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// naive is the plainest stream there is: a set of the bytes seen. It is right as long as the stream is short.
type naive map[uint32]bool

func (n naive) segment(from, to uint32) {
	for seq := from; seq != to; seq++ {
		n[seq] = true
	}
}

// gap is how many bytes between the first and the last seen byte are missing, offset from base.
func (n naive) gap(base uint32) uint64 {
	low, high := int32(1<<30), int32(-1<<30)
	for seq := range n {
		d := int32(seq - base)
		low, high = min(low, d), max(high, d)
	}
	if len(n) == 0 {
		return 0
	}
	return uint64(high-low+1) - uint64(len(n))
}

func checkStream(t *testing.T, base uint32, segments [][2]uint32) {
	t.Helper()
	var s stream
	var holes holeList
	want := naive{}
	for i, seg := range segments {
		before := s.unique
		keepAlive := s.started && seg[1]-seg[0] == 1 && seg[0] == s.next-1
		s.segment(seg[0], seg[1], int64(i)*1e6, &holes)
		if !keepAlive {
			want.segment(seg[0], seg[1])
		}
		if s.unique != uint64(len(want)) {
			t.Fatalf("segment %d [%d,%d): unique %d -> %d, want %d", i, seg[0]-base, seg[1]-base, before, s.unique, len(want))
		}
		if got, want := holes.missing(&s), want.gap(base); got != want {
			t.Fatalf("segment %d: missing %d, want %d", i, got, want)
		}
		sum := uint64(0)
		if s.gapsAt != 0 {
			for _, h := range holes.gaps[s.gapsAt-1].holes {
				sum += uint64(h.to - h.from)
			}
		}
		if sum != holes.missing(&s) {
			t.Fatalf("segment %d: holes hold %d bytes, missing says %d", i, sum, holes.missing(&s))
		}
	}
}

func TestStreamAgainstByteSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		base := rng.Uint32()
		if rng.IntN(2) == 0 {
			base = -uint32(rng.IntN(300)) // wraps within the stream
		}
		var segments [][2]uint32
		for range rng.IntN(60) {
			from := base + uint32(rng.IntN(600))
			segments = append(segments, [2]uint32{from, from + 1 + uint32(rng.IntN(90))})
		}
		checkStream(t, base, segments)
	}
}

func FuzzStream(f *testing.F) {
	f.Add(uint32(0), []byte{0, 10, 20, 10, 10, 10})
	f.Add(^uint32(0)-5, []byte{50, 9, 0, 80, 10, 1})
	f.Fuzz(func(t *testing.T, base uint32, steps []byte) {
		if len(steps) > 400 {
			return
		}
		var segments [][2]uint32
		for i := 0; i+1 < len(steps); i += 2 {
			from := base + uint32(steps[i])*3
			segments = append(segments, [2]uint32{from, from + 1 + uint32(steps[i+1])})
		}
		checkStream(t, base, segments)
	})
}

func TestStreamManyHoles(t *testing.T) {
	var s stream
	var holes holeList
	for i := range uint32(3 * maxHoles) {
		s.segment(i*10, i*10+5, 0, &holes)
	}
	if got := len(holes.of(&s).holes); got != maxHoles {
		t.Errorf("%d holes are kept, want at most %d", got, maxHoles)
	}
	if want := uint64(3*maxHoles-1) * 5; holes.missing(&s) != want || s.unique != want+5 {
		t.Errorf("missing %d, unique %d; want %d and %d", holes.missing(&s), s.unique, want, want+5)
	}
	newest := uint32(3*maxHoles-2)*10 + 5
	s.segment(newest, newest+5, 0, &holes)
	if want := uint64(3*maxHoles-2) * 5; holes.missing(&s) != want {
		t.Errorf("after filling the newest hole: missing %d, want %d", holes.missing(&s), want)
	}
}

func TestStreamRetransmissions(t *testing.T) {
	const ms = 1_000_000
	tests := []struct {
		name     string
		segments []struct {
			from, to uint32
			at       int64
		}
		want uint32
	}{
		{"in order", segs(0, 10, 0, 10, 20, 1), 0},
		{"same again", segs(0, 10, 0, 0, 10, 300), 1},
		{"longer again", segs(0, 10, 0, 5, 20, 300), 1},
		{"reordered within 3 ms", segs(0, 10, 0, 20, 30, 1, 10, 20, 2), 0},
		{"lost before the tap, sent again later", segs(0, 10, 0, 20, 30, 1, 10, 20, 200), 1},
		{"keep-alive", segs(0, 10, 0, 9, 10, 9000), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s stream
			var holes holeList
			retransmits := uint32(0)
			for _, seg := range tt.segments {
				arrived := s.segment(seg.from, seg.to, seg.at*ms, &holes)
				if arrived == again || arrived == late && s.resent(seg.at*ms, NoRTT) {
					retransmits++
				}
			}
			if retransmits != tt.want {
				t.Errorf("retransmits = %d, want %d", retransmits, tt.want)
			}
		})
	}
}

func segs(v ...int) (out []struct {
	from, to uint32
	at       int64
}) {
	for i := 0; i < len(v); i += 3 {
		out = append(out, struct {
			from, to uint32
			at       int64
		}{uint32(v[i]), uint32(v[i+1]), int64(v[i+2])})
	}
	return out
}

// TestRecordSize: what a flow costs. The memory of a run is a multiple of it, its time on large tables one of the cache
// lines that a packet touches.
func TestRecordSize(t *testing.T) {
	if got := unsafe.Sizeof(record{}) + unsafe.Sizeof(rare{}); got > 240 {
		t.Errorf("a flow takes %d bytes, want at most 240", got)
	}
	const line = 64
	var r record
	if low, high := unsafe.Offsetof(r.low), unsafe.Offsetof(r.high); low != line || high != 2*line || unsafe.Sizeof(r) != 3*line {
		t.Errorf("halves at %d and %d of %d bytes, want each in a cache line of its own", low, high, unsafe.Sizeof(r))
	}
}
