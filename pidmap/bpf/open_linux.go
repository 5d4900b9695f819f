//go:build amd64 || arm64

package bpf

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf/link"
)

// OpenSockets is what all UDP sockets that had packets and are open in some process of this pid namespace have had until now:
// events of SocketCounted, one a socket. The error wraps errors.ErrUnsupported where the kernel does not list them (before Linux 5.11).
func (t *Tracer) OpenSockets() ([]Event, error) {
	for _, l := range t.loaded.links {
		if it, ok := l.(*link.Iter); ok {
			return t.list(it)
		}
	}
	return nil, fmt.Errorf("list open UDP sockets: the kernel does not: %w", errors.ErrUnsupported)
}

func (t *Tracer) list(it *link.Iter) ([]Event, error) {
	r, err := it.Open()
	if err != nil {
		return nil, fmt.Errorf("list open UDP sockets: %w", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("list open UDP sockets: %w", err)
	}
	var events []Event
	listed := map[uint64]bool{} // by cookie: a socket comes once for each descriptor
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
