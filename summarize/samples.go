package summarize

import "slices"

// maxSamples is how many durations a destination's times keep one by one, in at most a kilobyte. Most destinations never have
// more: to append costs a tenth of what it costs to count in bins.
const maxSamples = 128

// sample is a duration in microseconds and which spread it belongs to, above it: sorted, each spread stands together.
type sample uint64

// sampleBits leaves durations room for two thousand years.
const sampleBits = 56

func sampleOf(spread int, us uint64) sample {
	return sample(spread)<<sampleBits | sample(min(us, 1<<sampleBits-1))
}

func (s sample) spread() int { return int(s >> sampleBits) }

func (s sample) micros() uint64 { return uint64(s & (1<<sampleBits - 1)) }

// distributionsOf is what sketches would say of samples, which it sorts.
func distributionsOf(samples []sample) (all [spreads]Distribution) {
	slices.Sort(samples)
	for len(samples) > 0 {
		n := 1
		for n < len(samples) && samples[n].spread() == samples[0].spread() {
			n++
		}
		all[samples[0].spread()] = distributionOf(samples[:n])
		samples = samples[n:]
	}
	return all
}

// distributionOf is about sorted samples of one spread.
func distributionOf(sorted []sample) Distribution {
	least, most := sorted[0].micros(), sorted[len(sorted)-1].micros()
	d := Distribution{Count: uint64(len(sorted)), Max: most}
	for _, s := range sorted {
		d.Sum += s.micros()
	}
	quantile := func(percent int) uint64 { // as sketch.quantile has it
		at := sorted[(len(sorted)*percent+99)/100-1]
		return min(max(middleOf(binOf(at.micros())), least), most)
	}
	d.Median, d.P95 = quantile(50), quantile(95)
	return d
}
