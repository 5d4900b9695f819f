//go:build cgo

package live

import (
	"testing"

	"github.com/google/gopacket/pcap"
)

// TestHandleOf holds gopacket to where it keeps its handle: a packet tap has to be told before it is activated.
func TestHandleOf(t *testing.T) {
	inactive, err := pcap.NewInactiveHandle("lo")
	if err != nil {
		t.Fatal(err)
	}
	defer inactive.CleanUp()
	if handle, err := handleOf(inactive); err != nil || handle == nil {
		t.Errorf("got %v, %v", handle, err)
	}
}
