//go:build !cgo

package pidmap

import (
	"errors"
	"fmt"
)

// findResponsible returns an error that wraps errors.ErrUnsupported.
func findResponsible() (func(pid int32) (int32, bool), error) {
	return nil, fmt.Errorf("responsibility_get_pid_responsible_for_pid is looked up through cgo, which this build is without: %w", errors.ErrUnsupported)
}
