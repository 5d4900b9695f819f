package capture

import (
	"math"
	"math/bits"
)

// clock turns the time stamps of one pcapng interface into nanoseconds since 1970. A time stamp is
// 64 bits of units that if_tsresol chooses (10^-n or 2^-n seconds), and if_tsoffset adds seconds, so a
// file can name times far outside int64 nanoseconds: those are clamped. The arithmetic has 128 bits.
type clock struct {
	multiplier uint64 // ns = units * multiplier / divisor >> shift
	divisor    uint64 // 0 = every time stamp is less than a nanosecond
	shift      uint
	offset     int64 // seconds
	// simpleBelow is the time stamp below which units * multiplier is the answer; 0 where that is
	// never so. Nearly every packet of nearly every file takes this way.
	simpleBelow uint64
}

// microseconds is the resolution of an interface that does not name one.
const microseconds = 6

// newClock takes the values of if_tsresol and if_tsoffset (draft-ietf-opsawg-pcapng section 4.2).
func newClock(resolution byte, offset int64) clock {
	c := clock{multiplier: 1, divisor: 1, offset: offset}
	n := uint(resolution & 0x7f)
	switch {
	case resolution&0x80 != 0:
		c.multiplier, c.shift = 1e9, n
	case n <= 9:
		c.multiplier = powerOfTen(9 - n)
	case n <= 28:
		c.divisor = powerOfTen(n - 9)
	default:
		c.divisor = 0 // 2^64 units of 10^-29 s are 0.2 ns
	}
	if c.offset == 0 && c.divisor == 1 && c.shift == 0 {
		c.simpleBelow = math.MaxInt64/c.multiplier + 1
	}
	return c
}

// powerOfTen returns 10^n for n <= 19, which is what fits.
func powerOfTen(n uint) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

// nanoseconds converts one time stamp.
func (c *clock) nanoseconds(units uint64) int64 {
	if units < c.simpleBelow {
		return int64(units * c.multiplier)
	}
	hi, lo := c.scale(units)
	return addSeconds(hi, lo, c.offset)
}

// scale returns units in nanoseconds as a 128-bit number.
func (c *clock) scale(units uint64) (hi, lo uint64) {
	if c.divisor == 0 {
		return 0, 0
	}
	if c.divisor > 1 {
		return 0, units / c.divisor
	}
	hi, lo = bits.Mul64(units, c.multiplier)
	if c.shift >= 64 {
		return 0, hi >> (c.shift - 64)
	}
	return hi >> c.shift, lo>>c.shift | hi<<(64-c.shift) // a shift by 64 is 0 in Go
}

// addSeconds returns (hi, lo) nanoseconds plus seconds, clamped to int64.
func addSeconds(hi, lo uint64, seconds int64) int64 {
	if seconds >= 0 {
		addHi, addLo := bits.Mul64(uint64(seconds), 1e9)
		sumLo, carry := bits.Add64(lo, addLo, 0)
		sumHi, _ := bits.Add64(hi, addHi, carry) // both below 2^126
		return clampPositive(sumHi, sumLo)
	}
	subHi, subLo := bits.Mul64(uint64(-(seconds+1))+1, 1e9) // -MinInt64 is not an int64
	diffLo, borrow := bits.Sub64(lo, subLo, 0)
	diffHi, borrow := bits.Sub64(hi, subHi, borrow)
	if borrow == 0 {
		return clampPositive(diffHi, diffLo)
	}
	diffLo, borrow = bits.Sub64(subLo, lo, 0)
	diffHi, _ = bits.Sub64(subHi, hi, borrow)
	if diffHi > 0 || diffLo > math.MaxInt64 {
		return math.MinInt64
	}
	return -int64(diffLo)
}

func clampPositive(hi, lo uint64) int64 {
	if hi > 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lo)
}
