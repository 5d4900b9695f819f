//go:build amd64 || arm64

package bpf

import (
	"errors"
	"fmt"
	"io"
)

// OpenSockets is what all TCP and UDP sockets that had packets and are open in some process of this pid namespace have had until
// now, and the TCP sockets of this thread's network namespace that outlive their programs: events of SocketCounted, one a socket.
// The error wraps errors.ErrUnsupported where the kernel does not list them (before Linux 5.11).
func (t *Tracer) OpenSockets() ([]Event, error) {
	var events []Event
	listed := map[uint64]bool{} // by cookie: a socket comes once for each descriptor
	for _, program := range []string{openSockets, openTCP} {
		var err error
		if events, err = t.list(events, program, datagramsBytes, listed); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// KernelSockets are the UDP sockets of this thread's network namespace that the kernel has made for itself: events of SocketOpened. The
// error wraps errors.ErrUnsupported where the kernel does not list them.
func (t *Tracer) KernelSockets() ([]Event, error) {
	return t.list(nil, kernelSockets, socketBytes, map[uint64]bool{})
}

// list appends what one of the programs that are read says of sockets that are not listed yet, in records of so many bytes.
func (t *Tracer) list(events []Event, program string, size int, listed map[uint64]bool) ([]Event, error) {
	it := t.loaded.read[program]
	if it == nil {
		return nil, fmt.Errorf("list open sockets: the kernel does not: %w", errors.ErrUnsupported)
	}
	r, err := it.Open()
	if err != nil {
		return nil, fmt.Errorf("list open sockets: %w", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("list open sockets: %w", err)
	}
	for ; len(b) >= size; b = b[size:] {
		e, err := Decode(b)
		if err != nil {
			t.damaged.Add(1)
			continue
		}
		if !listed[e.Socket.Cookie] {
			listed[e.Socket.Cookie] = true
			events = append(events, e)
		}
	}
	return events, nil
}
