//go:build !linux && !darwin

package pidmap

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// unsupported is what every call returns here. It wraps errors.ErrUnsupported.
func unsupported() error {
	return fmt.Errorf("owners of sockets: there is no source for %s yet: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Watcher has no source of sockets here.
type Watcher struct{}

// Open returns an error that wraps errors.ErrUnsupported.
func Open(Config) (*Watcher, []string, error) { return nil, nil, unsupported() }

// Close does nothing.
func (w *Watcher) Close() error { return nil }

// Wake does nothing.
func (w *Watcher) Wake() {}

// Scan returns an error that wraps errors.ErrUnsupported.
func (w *Watcher) Scan(context.Context) ([]Event, error) { return nil, unsupported() }

// Scans is zero.
func (w *Watcher) Scans() ScanStats { return ScanStats{} }

// Run returns an error that wraps errors.ErrUnsupported.
func (w *Watcher) Run(context.Context, func([]Event)) error { return unsupported() }

// Probe says that there is nothing to try.
func Probe() []Check {
	return []Check{{Name: "owners of sockets", Detail: unsupported().Error(), Mend: "use a capture file that names processes"}}
}
