//go:build !linux || (!amd64 && !arm64)

package bpf

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Tracer has nothing to trace here.
type Tracer struct{}

func unsupported() error {
	return fmt.Errorf("kernel events: there are no eBPF programs for %s/%s: %w", runtime.GOOS, runtime.GOARCH, errors.ErrUnsupported)
}

// Open returns an error that wraps errors.ErrUnsupported.
func Open() (*Tracer, Report, error) { return nil, Report{}, unsupported() }

// Close does nothing.
func (t *Tracer) Close() error { return nil }

// Read returns an error that wraps errors.ErrUnsupported.
func (t *Tracer) Read(context.Context, func([]Event)) error { return unsupported() }

// Flush does nothing.
func (t *Tracer) Flush() error { return nil }

// Moved knows nothing.
func (t *Tracer) Moved(uint64, User) (Moved, bool) { return Moved{}, false }

// Counters are zero.
func (t *Tracer) Counters() Counters { return Counters{} }

// CgroupPath knows nothing.
func (t *Tracer) CgroupPath(uint64) string { return "" }
