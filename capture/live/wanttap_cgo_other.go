//go:build cgo && !darwin

package live

import (
	"errors"
	"fmt"

	"github.com/google/gopacket/pcap"
)

// wantTap returns an error that wraps errors.ErrUnsupported.
func wantTap(*pcap.InactiveHandle) error {
	return fmt.Errorf("only macOS has packet taps: %w", errors.ErrUnsupported)
}
