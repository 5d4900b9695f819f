package capture

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestClock(t *testing.T) {
	const power2 = 0x80
	for _, tt := range []struct {
		name       string
		resolution byte
		offset     int64
		units      uint64
		want       int64
	}{
		{"microseconds", 6, 0, 1_500_000, 1_500_000_000},
		{"nanoseconds", 9, 0, 1_500_000_001, 1_500_000_001},
		{"seconds", 0, 0, 1_700_000_000, 1_700_000_000e9},
		{"picoseconds are cut", 12, 0, 1999, 1},
		{"2^-10 s", power2 | 10, 0, 1536, 1_500_000_000},
		{"2^-32 s as in NTP", power2 | 32, 0, 3 << 31, 1_500_000_000},
		{"2^-64 s", power2 | 64, 0, 1 << 63, 500_000_000},
		{"2^-70 s", power2 | 70, 0, math.MaxUint64, 15_625_000 - 1},
		{"2^-127 s", power2 | 127, 0, math.MaxUint64, 0},
		{"10^-28 s", 28, 0, math.MaxUint64, 1},
		{"10^-127 s", 127, 0, math.MaxUint64, 0},
		{"offset", 6, 10, 1, 10_000_001_000},
		{"negative offset", 6, -1, 1, -999_999_000},
		{"far future is clamped", 0, 0, math.MaxUint64, math.MaxInt64},
		{"far future and back again", 0, -10_000_000_000, 10_000_000_001, 1e9},
		{"largest offset", 6, math.MaxInt64, 0, math.MaxInt64},
		{"smallest offset", 6, math.MinInt64, 0, math.MinInt64},
		{"just at the end", 9, 0, math.MaxInt64, math.MaxInt64},
		{"just beyond the end", 9, 0, math.MaxInt64 + 1, math.MaxInt64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock(tt.resolution, tt.offset)
			if got := c.nanoseconds(tt.units); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// TestClockAgainstBigNumbers compares with arithmetic that has no limits.
func TestClockAgainstBigNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		resolution := byte(random.Uint32())
		units := random.Uint64() >> random.UintN(64)
		offset := int64(random.Uint64()) >> random.UintN(64)
		if random.UintN(2) == 0 {
			offset = 0
		}
		c := newClock(resolution, offset)
		if got, want := c.nanoseconds(units), bigNanoseconds(resolution, offset, units); got != want {
			t.Fatalf("resolution %#x, offset %d, units %d: got %d, want %d", resolution, offset, units, got, want)
		}
	}
}

func bigNanoseconds(resolution byte, offset int64, units uint64) int64 {
	base := big.NewInt(10)
	if resolution&0x80 != 0 {
		base = big.NewInt(2)
	}
	perSecond := new(big.Int).Exp(base, big.NewInt(int64(resolution&0x7f)), nil)
	n := new(big.Int).Mul(new(big.Int).SetUint64(units), big.NewInt(1e9))
	n.Quo(n, perSecond)
	n.Add(n, new(big.Int).Mul(big.NewInt(offset), big.NewInt(1e9)))
	switch {
	case n.IsInt64():
		return n.Int64()
	case n.Sign() > 0:
		return math.MaxInt64
	}
	return math.MinInt64
}
