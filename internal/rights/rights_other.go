//go:build !linux

package rights

import (
	"errors"
	"fmt"
)

// Keep does nothing: only Linux divides root's rights.
func Keep(Set) (Set, error) {
	return 0, fmt.Errorf("give up capabilities: this system has none: %w", errors.ErrUnsupported)
}

// Release is the kernel's, "" = unknown.
func Release() string { return "" }
