package kernel

import (
	"encoding/hex"
	"testing"
)

// recordedQueue is what Linux 6.18 answered for lo behind a token bucket that had dropped 34 datagrams (little-endian).
const recordedQueue = "bc00000024000200f387a261b72d0000000000000100000000000780ffffffff0200000008000100746266002c0002002800010000010000000000" +
	"0048e80100000000000000000000000000b80b0000400d03000000000005000c00000000003000070014000100101a0000000000000c000000000000001800030000000000000000" +
	"002200000000000000350000002c000300101a0000000000000c00000022000000350000000000000000000000000000000000000000000000"

func TestQueues(t *testing.T) {
	recorded, err := hex.DecodeString(recordedQueue)
	if err != nil {
		t.Fatal(err)
	}
	done := []byte{20, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	child := append([]byte{}, recorded...)
	copy(child[16+12:], "\x01\x00\x07\x80") // of another queue, not of the interface
	for _, tt := range []struct {
		name     string
		datagram []byte
		want     queues
		done     bool
	}{
		{"root", append(append([]byte{}, recorded...), done...), queues{1: {dropped: 34}}, true},
		{"a queue within", child, queues{}, false},
		{"the end", done, queues{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := queues{}
			done, err := got.add(tt.datagram)
			if err != nil || done != tt.done || len(got) != len(tt.want) || got[1] != tt.want[1] {
				t.Errorf("got %v, done %v, %v; want %v, done %v", got, done, err, tt.want, tt.done)
			}
		})
	}
	for n := 1; n < len(recorded); n++ {
		if _, err := (queues{}).add(recorded[:n]); err == nil {
			t.Errorf("cut to %d bytes: no error", n)
		}
	}
}
