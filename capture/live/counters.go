package live

import "apptap/capture"

// counters sums pcap_stats, whose three numbers are 32 bits wide and wrap: at a million packets a
// second, after 72 minutes.
type counters struct {
	sum  capture.Stats
	last [3]uint32
}

// update takes the numbers as they stand now and returns the sums since the capture began. It must be
// called at least once in 2^32 packets.
func (c *counters) update(received, dropped, interfaceDropped uint32) capture.Stats {
	c.sum.Received += uint64(received - c.last[0]) // unsigned difference: right across a wrap
	c.sum.DroppedKernel += uint64(dropped - c.last[1])
	c.sum.DroppedInterface += uint64(interfaceDropped - c.last[2])
	c.sum.Known = true
	c.last = [3]uint32{received, dropped, interfaceDropped}
	return c.sum
}
