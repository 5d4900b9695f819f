package main

import (
	"net/netip"

	"apptap/flows"
	"apptap/internal/session"
	"apptap/summarize"
)

// withFileNames gives destinations that no packet names the names that capture files have for their addresses, of several for one
// address the first: Wireshark writes what it had resolved.
func withFileNames(s *summarize.Summary, files []*session.Source) *summarize.Summary {
	known := map[netip.Addr]string{}
	for _, file := range files {
		for _, n := range file.Names() {
			addr := n.Addr.Unmap()
			if name := flows.CleanName(n.Names[0]); known[addr] == "" && !flows.IsAddress(name) {
				known[addr] = name
			}
		}
	}
	if len(known) == 0 {
		return s
	}
	return s.Named(func(addr netip.Addr) string { return known[addr.Unmap()] }, "nrb")
}
