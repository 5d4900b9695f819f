//go:build !linux && !darwin

package live

import (
	"errors"
	"fmt"
)

func readRoutes() ([]route, error) {
	return nil, fmt.Errorf("read routes: apptap reads the routing table on Linux and macOS only: %w", errors.ErrUnsupported)
}

func describeDevice(*InterfaceRow) {}
