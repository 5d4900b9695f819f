package main

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"apptap/flows"
	"apptap/summarize"
)

const (
	// rdnsLookups and rdnsTime bound what --rdns asks and how long the report waits for it.
	rdnsLookups = 200
	rdnsTime    = 10 * time.Second
	rdnsEach    = 2 * time.Second
)

// withReverseNames asks a resolver for names of destinations without one, the largest of each app first. It is the
// only look-up that leaves the machine, and only --rdns starts it, after the capture.
func withReverseNames(ctx context.Context, s *summarize.Summary, resolver *net.Resolver) *summarize.Summary {
	ctx, cancel := context.WithTimeout(ctx, rdnsTime)
	defer cancel()
	known := map[netip.Addr]string{}
	return s.Named(func(addr netip.Addr) string {
		name, asked := known[addr]
		if !asked && len(known) < rdnsLookups && ctx.Err() == nil {
			name = reverseName(ctx, addr, resolver)
			known[addr] = name
		}
		return name
	}, "rdns")
}

func reverseName(ctx context.Context, addr netip.Addr, resolver *net.Resolver) string {
	ctx, cancel := context.WithTimeout(ctx, rdnsEach)
	defer cancel()
	found, err := resolver.LookupAddr(ctx, addr.WithZone("").String())
	if err != nil || len(found) == 0 {
		return "" // most addresses have none
	}
	return flows.CleanName(strings.TrimSuffix(found[0], "."))
}
