//go:build !linux && !darwin

package kernel

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/shirou/gopsutil/v3/net"
)

// interfaceStats returns an error that wraps errors.ErrUnsupported: what gopsutil knows here it has from other programs.
func interfaceStats() ([]net.IOCountersStat, error) {
	return nil, fmt.Errorf("there is no reader for %s yet: %w", runtime.GOOS, errors.ErrUnsupported)
}
