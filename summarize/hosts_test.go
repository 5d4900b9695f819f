package summarize

import (
	"net/netip"
	"slices"
	"testing"

	"apptap/flows"
)

// TestHosts demands that local addresses of a file without owners sum to what has none, in whichever parts they come, and that
// more of them than are told apart take no more memory.
func TestHosts(t *testing.T) {
	one := Totals{flows.Counts{TxPackets: 1, TxBytes: 60}, 1}
	var whole, first, second hostTable
	for i := range 3 * maxHosts {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		part := &first
		if i >= maxHosts/2 {
			part = &second
		}
		for range i%3 + 1 {
			whole.add(addr, &one)
			part.add(addr, &one)
		}
	}
	first.merge(&second)
	for _, y := range []*hostTable{&whole, &first} {
		list := y.list()
		sum := y.others
		for _, h := range list {
			sum.add(&h.Totals)
		}
		if want := uint64(3 * maxHosts * 2 * 60); sum.Bytes() != want || len(list) != maxHosts {
			t.Errorf("%d hosts sum to %d bytes, want %d and %d", len(list), sum.Bytes(), maxHosts, want)
		}
		if !slices.IsSortedFunc(list, func(a, b HostUse) int { return int(b.Bytes()) - int(a.Bytes()) }) {
			t.Error("the largest is not first")
		}
	}
}
