//go:build !linux

package sockdiag

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// unsupported is what every call returns here. It wraps errors.ErrUnsupported.
func unsupported() error {
	return fmt.Errorf("INET_DIAG: sockets cannot be listed on %s, this is a Linux interface: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Conn exists on Linux only.
type Conn struct{}

// Open returns an error that wraps errors.ErrUnsupported.
func Open() (*Conn, error) { return nil, unsupported() }

// Close does nothing.
func (c *Conn) Close() error { return nil }

// Dump returns an error that wraps errors.ErrUnsupported.
func (c *Conn) Dump(context.Context, []Socket, Request) ([]Socket, error) { return nil, unsupported() }

// DumpAll returns an error that wraps errors.ErrUnsupported.
func (c *Conn) DumpAll(context.Context, []Socket) ([]Socket, error) { return nil, unsupported() }

// Listener exists on Linux only.
type Listener struct{}

// OpenListener returns an error that wraps errors.ErrUnsupported.
func OpenListener() (*Listener, error) { return nil, unsupported() }

// Close does nothing.
func (l *Listener) Close() error { return nil }

// Overflows is 0.
func (l *Listener) Overflows() uint64 { return 0 }

// Buffer is 0.
func (l *Listener) Buffer() int { return 0 }

// Suspend returns an error that wraps errors.ErrUnsupported.
func (l *Listener) Suspend() error { return unsupported() }

// Resume returns an error that wraps errors.ErrUnsupported.
func (l *Listener) Resume() error { return unsupported() }

// Run returns an error that wraps errors.ErrUnsupported.
func (l *Listener) Run(context.Context, time.Duration, func([]Socket)) error { return unsupported() }

// FD returns an error that wraps errors.ErrUnsupported.
func (l *Listener) FD() (int, error) { return 0, unsupported() }

// Drain returns an error that wraps errors.ErrUnsupported.
func (l *Listener) Drain(func([]Socket)) error { return unsupported() }
