//go:build !linux || (!amd64 && !arm64)

package bpf

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
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

// Wait returns an error that wraps errors.ErrUnsupported.
func (t *Tracer) Wait(context.Context, time.Time, int) error { return unsupported() }

// Poll returns an error that wraps errors.ErrUnsupported.
func (t *Tracer) Poll() ([]Event, error) { return nil, unsupported() }

// Moved knows nothing.
func (t *Tracer) Moved(uint64, User) (Moved, bool) { return Moved{}, false }

// Counters are zero.
func (t *Tracer) Counters() Counters { return Counters{} }

// CgroupPath knows nothing.
func (t *Tracer) CgroupPath(uint64) string { return "" }

// KernelSockets returns an error that wraps errors.ErrUnsupported.
func (t *Tracer) KernelSockets() ([]Event, error) { return nil, unsupported() }

// OpenSockets returns an error that wraps errors.ErrUnsupported.
func (t *Tracer) OpenSockets() ([]Event, error) { return nil, unsupported() }
