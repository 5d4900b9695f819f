//go:build !linux

package live

import (
	"errors"
	"fmt"

	"apptap/capture"
)

// openRing returns an error that wraps errors.ErrUnsupported.
func openRing(c Config) (capture.Source, error) {
	return nil, fmt.Errorf("capture on %s: only Linux has the packet ring that the ring reader reads: %w", c.Interface, errors.ErrUnsupported)
}
