//go:build amd64 || arm64

package bpf

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf/link"
)

// OpenSockets is what all TCP and UDP sockets that had packets and are open in some process of this pid namespace have had until
// now, and the TCP sockets of this thread's network namespace that outlive their programs: events of SocketCounted, one a socket.
// The error wraps errors.ErrUnsupported where the kernel does not list them (before Linux 5.11).
func (t *Tracer) OpenSockets() ([]Event, error) {
	var iterators []*link.Iter
	for _, l := range t.loaded.links {
		if it, ok := l.(*link.Iter); ok {
			iterators = append(iterators, it)
		}
	}
	if len(iterators) < 2 {
		return nil, fmt.Errorf("list open sockets: the kernel does not: %w", errors.ErrUnsupported)
	}
	var events []Event
	listed := map[uint64]bool{} // by cookie: a socket comes once for each descriptor
	for _, it := range iterators {
		var err error
		if events, err = t.list(events, it, listed); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func (t *Tracer) list(events []Event, it *link.Iter, listed map[uint64]bool) ([]Event, error) {
	r, err := it.Open()
	if err != nil {
		return nil, fmt.Errorf("list open sockets: %w", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("list open sockets: %w", err)
	}
	for ; len(b) >= datagramsBytes; b = b[datagramsBytes:] {
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
