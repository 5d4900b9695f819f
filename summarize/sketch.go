package summarize

import (
	"cmp"
	"math/bits"
	"slices"
)

// Distribution is how a duration is spread over flows, in microseconds. Count 0: nothing is known.
// Median and P95 are exact up to 63 us and where all values are equal, else within 1.6 %.
type Distribution struct {
	Count, Sum       uint64
	Median, P95, Max uint64
}

// sketchBits is how many bits of a duration a sketch keeps: each power of two has 32 bins, a few hundred in all.
const sketchBits = 5

// sketch counts durations in bins that are wider the longer they are (as HdrHistogram does). Its size does not depend on
// how many there are, and what it says not on their order.
type sketch struct {
	bins     []sketchBin // by index
	count    uint64
	sum      uint64
	min, max uint64
}

type sketchBin struct {
	index uint16
	n     uint32
}

// add takes a duration in microseconds.
func (s *sketch) add(us uint64) {
	s.put(binOf(us), 1)
	if s.count == 0 || us < s.min {
		s.min = us
	}
	s.max = max(s.max, us)
	s.sum += us
	s.count++
}

func (s *sketch) put(index uint16, n uint32) {
	at, found := slices.BinarySearchFunc(s.bins, index, func(b sketchBin, i uint16) int { return cmp.Compare(b.index, i) })
	if !found {
		s.bins = slices.Insert(s.bins, at, sketchBin{index: index})
	}
	s.bins[at].n += n
}

func (s *sketch) merge(o *sketch) {
	if o.count == 0 {
		return
	}
	for _, b := range o.bins {
		s.put(b.index, b.n)
	}
	if s.count == 0 || o.min < s.min {
		s.min = o.min
	}
	s.max = max(s.max, o.max)
	s.sum += o.sum
	s.count += o.count
}

func (s *sketch) distribution() Distribution {
	return Distribution{Count: s.count, Sum: s.sum, Median: s.quantile(50), P95: s.quantile(95), Max: s.max}
}

// quantile is the value that percent of all do not exceed (nearest rank).
func (s *sketch) quantile(percent uint64) uint64 {
	rank := (s.count*percent + 99) / 100
	for _, b := range s.bins {
		if uint64(b.n) >= rank {
			return min(max(middleOf(b.index), s.min), s.max)
		}
		rank -= uint64(b.n)
	}
	return s.max
}

// binOf counts 64 bins of one microsecond, and from there on 32 for each doubling.
func binOf(us uint64) uint16 {
	shift := max(bits.Len64(us)-sketchBits-1, 0)
	return uint16(shift<<sketchBits + int(us>>shift))
}

// middleOf is the middle of a bin.
func middleOf(index uint16) uint64 {
	if index < 2<<sketchBits {
		return uint64(index)
	}
	shift := index>>sketchBits - 1
	return (uint64(index)-uint64(shift)<<sketchBits)<<shift + 1<<shift/2
}
