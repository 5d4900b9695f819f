package flows_test

import (
	"testing"

	"apptap/flows"
)

// BenchmarkFragmentFlood: fragments of datagrams that never complete, each of another one.
func BenchmarkFragmentFlood(b *testing.B) {
	table := flows.NewTable()
	defer table.Close()
	o := flows.Observation{Time: second, Frame: 60, Proto: flows.UDP, FragLater: true}
	for range b.N {
		o.FragID++
		table.Add(&o)
	}
}
